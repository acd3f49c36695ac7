package jetstream

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/jetstream/api"
	"github.com/nats-broker/nats-broker/daemon/subject"
)

// A stream with allow_direct answers gets itself, message by message, without the queue of the API. Reading may
// need the disk, so that it is done beside the connections: one goroutine for each stream, while there is something to read.

// directGroup is the queue group of those who answer direct gets.
const directGroup = "_sys_"

// direct is what a stream has of that.
type direct struct {
	s      *Stream
	subs   []*broker.InternalSubscription // guarded by the stream's mu, here and below
	mirror []*broker.InternalSubscription // of gets of the stream that it is a mirror of

	mu   sync.Mutex // a leaf
	list []directGet
	busy bool

	out   *broker.Publisher // of the one who is busy, here and below
	ready []answer
}

type directGet struct {
	reply  string
	req    api.GetRequest
	status []byte // the answer already; nil: what is asked for has to be found
}

// directly switches direct gets on or off. mu is held.
func (s *Stream) directly(on bool) {
	d := s.direct
	if on == (d.subs != nil) {
		return
	}
	if !on {
		release(d.subs)
		d.subs = nil
		return
	}
	d.subs = d.listen(s.Name())
}

// directlyFor switches answers to direct gets of the stream on or off that it is a mirror of; "": off. mu is held.
func (s *Stream) directlyFor(origin string) {
	d := s.direct
	if (origin != "") == (d.mirror != nil) {
		return
	}
	if origin == "" {
		release(d.mirror)
		d.mirror = nil
		return
	}
	d.mirror = d.listen(origin)
}

// listen has gets of a stream come to this one.
func (d *direct) listen(name string) (subs []*broker.InternalSubscription) {
	s := d.s
	for p, f := range map[string]broker.Callback{"DIRECT.GET." + name: d.receive, "DIRECT.GET." + name + ".>": d.receiveLast} {
		prefixes := []string{api.Prefix + "."}
		if dom := s.acc.srv.options().Domain; dom != "" {
			prefixes = append(prefixes, "$JS."+dom+".API.")
		}
		for _, pre := range prefixes {
			sub, err := s.acc.broker.SubscribeService(pre+p, directGroup, f)
			if err != nil {
				s.acc.srv.log.Error(fmt.Sprintf("Stream %s: direct gets: %v", name, err)) // the subject is as good as the name
				continue
			}
			subs = append(subs, sub)
		}
	}
	return subs
}

// Statuses of gets that find nothing.
var (
	statusLevel     = []byte("NATS/1.0 412 Required Api Level\r\n\r\n")
	statusEmpty     = []byte("NATS/1.0 408 Empty Request\r\n\r\n")
	statusMalformed = []byte("NATS/1.0 408 Malformed Request\r\n\r\n")
	statusBad       = []byte("NATS/1.0 408 Bad Request\r\n\r\n")
	statusNotFound  = []byte("NATS/1.0 404 Message Not Found\r\n\r\n")
	statusNone      = []byte("NATS/1.0 404 No Results\r\n\r\n")
	statusMany      = []byte("NATS/1.0 413 Too Many Results\r\n\r\n")
	statusDamaged   = []byte("NATS/1.0 500 Message Unreadable\r\n\r\n")
)

// receive takes the request for a message that the body names.
func (d *direct) receive(m *broker.Message) {
	if len(m.Reply) == 0 || subject.IsJetStream(m.Reply) {
		return
	}
	var q api.GetRequest
	switch {
	case api.LevelRefused(m.Header):
		d.refuse(m, statusLevel)
	case len(m.Payload) == 0:
		d.refuse(m, statusEmpty)
	case json.Unmarshal(m.Payload, &q) != nil:
		d.refuse(m, statusMalformed)
	case q.Seq == 0 && q.Last == "" && q.Next == "" && len(q.MultiLast) == 0 && q.StartTime == nil:
		d.refuse(m, statusEmpty)
	case conflicting(&q), q.Last != "" && q.Batch > 0, q.Last != "" && len(q.MultiLast) > 0, q.Next != "" && len(q.MultiLast) > 0,
		q.UpToSeq > 0 && q.UpToTime != nil:
		d.refuse(m, statusBad)
	default:
		d.put(string(m.Reply), &q)
	}
}

// receiveLast takes the request for the last message on the subject behind the stream's name.
func (d *direct) receiveLast(m *broker.Message) {
	if len(m.Reply) == 0 || subject.IsJetStream(m.Reply) {
		return
	}
	if api.LevelRefused(m.Header) {
		d.refuse(m, statusLevel)
		return
	}
	var q api.GetRequest
	if len(m.Payload) > 0 && json.Unmarshal(m.Payload, &q) != nil {
		d.refuse(m, statusMalformed)
		return
	}
	if q.Last != "" || q.Next != "" || len(q.MultiLast) > 0 || q.Seq != 0 || q.Batch != 0 || q.StartTime != nil || q.UpToSeq != 0 || q.UpToTime != nil {
		d.refuse(m, statusBad)
		return
	}
	subj := string(m.Subject)
	_, subj, _ = strings.Cut(subj[strings.Index(subj, ".DIRECT.GET.")+len(".DIRECT.GET."):], ".")
	q.Last = subj
	d.put(string(m.Reply), &q)
}

// refuse answers with a status, in its turn.
func (d *direct) refuse(m *broker.Message, status []byte) {
	d.add(directGet{reply: string(m.Reply), status: status})
}

func (d *direct) put(reply string, q *api.GetRequest) { d.add(directGet{reply: reply, req: *q}) }

func (d *direct) add(g directGet) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.list = append(d.list, g)
	if !d.busy {
		d.busy = true
		d.s.acc.srv.work.Go(d.run)
	}
}

// run answers what waits. What came together leaves together.
func (d *direct) run() {
	for {
		d.mu.Lock()
		list := d.list
		d.list = nil
		if len(list) == 0 {
			d.busy = false
			d.mu.Unlock()
			return
		}
		if d.out == nil {
			d.out = d.s.acc.broker.NewPublisher(broker.FromStream)
		}
		d.mu.Unlock()
		d.out.Begin()
		for i := range list {
			g := &list[i]
			if g.status != nil {
				d.send(g.reply, g.status, nil)
			} else {
				d.answer(g)
			}
			d.publish()
		}
		if d.out.End() {
			d.out.Await(func() bool { return false })
		}
	}
}

// send has an answer published once nothing is locked any more: it may come back as a message for this stream.
func (d *direct) send(reply string, header, payload []byte) {
	d.ready = append(d.ready, answer{reply, header, payload})
}

type answer struct {
	reply           string
	header, payload []byte
}

func (d *direct) publish() {
	for _, a := range d.ready {
		d.out.Send([]byte(a.reply), nil, a.header, a.payload)
	}
	clear(d.ready)
	d.ready = d.ready[:0]
}

// own is the header of a message that is handed out, with where it comes from.
func (d *direct) own(h []byte, subj []byte, seq uint64, at string) header {
	if len(h) == 0 {
		var b bytes.Buffer
		fmt.Fprintf(&b, "NATS/1.0\r\nNats-Stream: %s\r\nNats-Subject: %s\r\nNats-Sequence: %d\r\nNats-Time-Stamp: %s\r\n\r\n", d.s.Name(), subj, seq, at)
		return b.Bytes()
	}
	return header(h).add("Nats-Stream", d.s.Name()).add("Nats-Subject", string(subj)).add("Nats-Sequence", fmt.Sprint(seq)).add("Nats-Time-Stamp", at)
}
