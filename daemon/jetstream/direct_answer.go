package jetstream

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-broker/nats-broker/daemon/jetstream/api"
	"github.com/nats-broker/nats-broker/daemon/stream"
	"github.com/nats-broker/nats-broker/daemon/subjects"
)

// maxMulti is how many messages a get of the last ones may find.
const maxMulti = 1024

// answer answers one get.
func (d *direct) answer(g *directGet) {
	d.s.reading.RLock()
	defer d.s.reading.RUnlock()
	if len(g.req.MultiLast) > 0 {
		d.answerMulti(g)
		return
	}
	if g.req.Batch != 0 {
		d.answerBatch(g)
		return
	}
	var rec stream.Record
	if err := d.one(&g.req, &rec); err != nil {
		d.send(g.reply, missing(err), nil)
		return
	}
	var h header
	if !g.req.NoHeaders {
		h = d.own(rec.Header, rec.Subject, rec.Seq, stamp(&rec))
	}
	d.send(g.reply, h, rec.Payload)
}

func missing(err error) []byte {
	if errors.Is(err, stream.ErrUnreadable) {
		return statusDamaged
	}
	return statusNotFound
}

func stamp(r *stream.Record) string { return time.Unix(0, r.Time).UTC().Format(time.RFC3339Nano) }

// one loads the message that a get names.
func (d *direct) one(q *api.GetRequest, rec *stream.Record) error {
	seq := q.Seq
	if q.StartTime != nil {
		seq = d.s.since(nanos(*q.StartTime))
	}
	switch {
	case q.Next != "":
		return d.s.loadNext(seq, subjects.NewFilter(q.Next), rec)
	case seq > 0:
		return d.s.log.Load(seq, rec)
	default:
		return d.s.loadLast(q.Last, rec)
	}
}

// room is what a get may send.
func (d *direct) room(q *api.GetRequest) int {
	if q.MaxBytes != 0 {
		return q.MaxBytes
	}
	return int(d.s.acc.srv.broker.Options().MaxPending)
}

// answerBatch sends messages one behind the other.
func (d *direct) answerBatch(g *directGet) {
	q, log := &g.req, d.s.log
	seq := q.Seq
	if q.StartTime != nil {
		seq = d.s.since(nanos(*q.StartTime))
	}
	var f *subjects.Filter
	if q.Next != "" {
		f = subjects.NewFilter(q.Next)
	}
	pending := log.Count(f, seq, log.State().Last)
	var last uint64
	room := d.room(q)
	for i := 0; i < q.Batch && room > 0; i++ {
		at, ok := log.Next(seq, f)
		if !ok {
			if i == 0 {
				d.send(g.reply, statusNotFound, nil)
				return
			}
			break
		}
		seq = at + 1
		var rec stream.Record
		if err := log.Load(at, &rec); err != nil {
			d.send(g.reply, missing(err), nil)
			continue
		}
		var h header
		if !q.NoHeaders {
			pending -= min(pending, 1)
			h = d.own(rec.Header, rec.Subject, rec.Seq, stamp(&rec)).add("Nats-Num-Pending", fmt.Sprint(pending)).add("Nats-Last-Sequence", fmt.Sprint(last))
		}
		last = rec.Seq
		room -= len(rec.Subject) + len(rec.Header) + len(rec.Payload)
		d.send(g.reply, h, rec.Payload)
	}
	d.send(g.reply, fmt.Appendf(nil, "NATS/1.0 204 EOB\r\nNats-Num-Pending: %d\r\nNats-Last-Sequence: %d\r\n\r\n", pending, last), nil)
}

// answerMulti sends the last messages of many subjects.
func (d *direct) answerMulti(g *directGet) {
	q, log := &g.req, d.s.log
	upTo := q.UpToSeq
	if q.UpToTime != nil {
		upTo = d.s.since(nanos(*q.UpToTime))
		if upTo <= log.State().First {
			d.send(g.reply, statusNone, nil)
			return
		}
		upTo--
	}
	if upTo == 0 {
		upTo = log.State().Last
	}
	found, ok, err := d.lasts(q.MultiLast, upTo)
	switch {
	case err != nil:
		d.send(g.reply, statusDamaged, nil)
		return
	case !ok:
		d.send(g.reply, statusMany, nil)
		return
	case len(found) == 0:
		d.send(g.reply, statusNone, nil)
		return
	}
	var last uint64
	pending := len(found)
	room, sent := d.room(q), 0
	for _, seq := range found {
		pending--
		if seq < q.Seq {
			continue
		}
		var rec stream.Record
		if err := log.Load(seq, &rec); err != nil {
			d.send(g.reply, missing(err), nil)
			return
		}
		h := d.own(rec.Header, rec.Subject, rec.Seq, stamp(&rec)).add("Nats-Num-Pending", fmt.Sprint(pending)).add("Nats-Last-Sequence", fmt.Sprint(last))
		last = rec.Seq
		d.send(g.reply, h, rec.Payload)
		room -= len(rec.Subject) + len(rec.Header) + len(rec.Payload)
		sent++
		if room <= 0 || q.Batch > 0 && sent >= q.Batch {
			break
		}
	}
	d.send(g.reply, fmt.Appendf(nil, "NATS/1.0 204 EOB\r\nNats-Num-Pending: %d\r\nNats-Last-Sequence: %d\r\nNats-UpTo-Sequence: %d\r\n\r\n", pending, last, upTo), nil)
}

// lasts returns the sequences of the last messages on the subjects that match, none above upTo, in their order; ok is false
// if there are too many.
func (d *direct) lasts(patterns []string, upTo uint64) (found []uint64, ok bool, err error) {
	log := d.s.log
	type sub struct {
		name string
		last uint64
	}
	var subs []sub
	many := false
	err = log.Subjects(subjects.NewFilter(patterns...), func(name []byte, t stream.Totals) bool {
		if t.First > upTo {
			return true
		}
		if len(subs) == maxMulti {
			many = true
			return false
		}
		subs = append(subs, sub{string(name), t.Last})
		return true
	})
	if many || err != nil {
		return nil, !many, err
	}
	for _, s := range subs {
		if s.last > upTo {
			at, ok := log.Prev(upTo, subjects.NewFilter(s.name))
			if !ok {
				continue
			}
			s.last = at
		}
		found = append(found, s.last)
	}
	slices.Sort(found)
	return found, true, nil
}
