package orbit

import (
	"fmt"
	"math/big"
	"sort"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/counters"
	"github.com/synadia-io/orbit.go/jetstreamext"
)

// ack is what is the same in all acks of a batch: not its id.
func ack(a *jetstreamext.BatchAck, err error) string {
	if err != nil {
		return err.Error()
	}
	return fmt.Sprint(a.Stream, a.Sequence, a.BatchSize, a.BatchID != "")
}

func TestCounters(t *testing.T) {
	same(t, func(d *diary, storage jetstream.StorageType) {
		d.stream(jetstream.StreamConfig{Name: "C", Subjects: []string{"c.>"}, Storage: storage, AllowMsgCounter: true, AllowDirect: true})
		d.stream(jetstream.StreamConfig{Name: "P", Subjects: []string{"p"}, Storage: storage})
		_, err := counters.GetCounter(d.ctx, d.js, "P")
		d.note("no counter", err)
		_, err = counters.GetCounter(d.ctx, d.js, "none")
		d.note("no stream", err)
		c, err := counters.GetCounter(d.ctx, d.js, "C")
		d.note("counter", err)
		if err != nil {
			return
		}
		large, _ := new(big.Int).SetString("123456789012345678901234567890", 10)
		for i, n := range []*big.Int{big.NewInt(1), big.NewInt(-7), large, large, new(big.Int)} {
			v, err := c.Add(d.ctx, fmt.Sprintf("c.%d", i%2), n)
			d.note("add", v, err)
		}
		v, err := c.AddInt(d.ctx, "c.1", 41)
		d.note("add", v, err)
		_, err = c.Load(d.ctx, "c.none")
		d.note("load", err)
		v, err = c.Load(d.ctx, "c.1")
		d.note("load", v, err)
		e, err := c.Get(d.ctx, "c.0")
		d.note("get", err)
		if err == nil {
			d.note("entry", e.Subject, e.Value, e.Incr, len(e.Sources))
		}
		var seen []string
		for e, err := range c.GetMultiple(d.ctx, []string{"c.>"}) {
			if err != nil {
				seen = append(seen, err.Error())
				break
			}
			seen = append(seen, fmt.Sprint(e.Subject, e.Value, e.Incr))
		}
		sort.Strings(seen)
		d.note("several", seen)
		d.holds("C")
	})
}

func TestAtomicBatches(t *testing.T) {
	same(t, func(d *diary, storage jetstream.StorageType) {
		d.stream(jetstream.StreamConfig{Name: "S", Subjects: []string{"s.>"}, Storage: storage, AllowAtomicPublish: true, AllowDirect: true, AllowMsgTTL: true})
		d.stream(jetstream.StreamConfig{Name: "P", Subjects: []string{"p"}, Storage: storage})

		b, err := jetstreamext.NewBatchPublisher(d.js)
		d.note("publisher", err)
		for i := range 5 {
			d.note("add", b.Add(fmt.Sprintf("s.%d", i%2), fmt.Append(nil, i)))
		}
		d.note("size", b.Size(), b.IsClosed())
		d.note("commit", ack(b.Commit(d.ctx, "s.end", []byte("end"))))
		d.note("again", b.Add("s.x", nil), b.IsClosed())

		b, err = jetstreamext.NewBatchPublisher(d.js, jetstreamext.BatchFlowControl{AckFirst: true, AckEvery: 2, AckTimeout: patience})
		d.note("with flow", err)
		d.note("add", b.Add("s.0", []byte("a"), jetstreamext.WithBatchExpectLastSequence(6)))
		for i := range 6 {
			d.note("add", b.Add("s.1", fmt.Append(nil, i)))
		}
		d.note("commit", ack(b.Commit(d.ctx, "s.2", nil, jetstreamext.WithBatchExpectStream("S"), jetstreamext.WithBatchMsgTTL(patience))))

		for _, o := range []jetstreamext.BatchMsgOpt{jetstreamext.WithBatchExpectStream("T"), jetstreamext.WithBatchExpectLastSequence(3)} {
			b, _ = jetstreamext.NewBatchPublisher(d.js)
			d.note("add", b.Add("s.0", nil, o))
			d.note("expects another", ack(b.Commit(d.ctx, "s.1", nil)))
		}
		b, _ = jetstreamext.NewBatchPublisher(d.js)
		d.note("add", b.Add("s.0", nil))
		d.note("commit", ack(b.Commit(d.ctx, "s.1", nil, jetstreamext.WithBatchExpectLastSequencePerSubject(2))))
		b, _ = jetstreamext.NewBatchPublisher(d.js)
		d.note("add", b.Add("s.0", nil))
		d.note("commit", ack(b.Commit(d.ctx, "s.1", nil, jetstreamext.WithBatchExpectLastSequenceForSubject(6, "s.end"))))
		b, _ = jetstreamext.NewBatchPublisher(d.js)
		d.note("discarded", b.Add("s.0", []byte("gone")), b.Discard(), b.IsClosed())
		b, _ = jetstreamext.NewBatchPublisher(d.js)
		d.note("off", b.Add("p", nil))

		var list []*nats.Msg
		for i := range 1000 {
			list = append(list, &nats.Msg{Subject: fmt.Sprintf("s.many.%d", i%10), Header: nats.Header{}, Data: fmt.Append(nil, i)})
		}
		d.note("many", ack(jetstreamext.PublishMsgBatch(d.ctx, d.js, list)))
		d.note("too many", ack(jetstreamext.PublishMsgBatch(d.ctx, d.js, append(list, &nats.Msg{Subject: "s.x", Header: nats.Header{}}))))
		last, err := jetstreamext.GetLastMsgsFor(d.ctx, d.js, "S", []string{"s.many.*"})
		d.note("last", err)
		if err == nil {
			for m, err := range last {
				if err != nil {
					d.note("last", err)
					break
				}
				d.note("last", m.Subject, m.Sequence, string(m.Data))
			}
		}
		d.holds("S")
	})
}

func TestFastBatches(t *testing.T) {
	same(t, func(d *diary, storage jetstream.StorageType) {
		d.stream(jetstream.StreamConfig{Name: "S", Subjects: []string{"s.>"}, Storage: storage, AllowBatchPublish: true})
		publisher := func(o ...jetstreamext.FastPublisherOpt) jetstreamext.FastPublisher {
			p, err := jetstreamext.NewFastPublisher(d.js, o...)
			if err != nil {
				d.note("publisher", err)
			}
			return p
		}
		p := publisher()
		for i := range 3000 {
			if _, err := p.Add(fmt.Sprintf("s.%d", i%3), fmt.Append(nil, i)); err != nil {
				d.note("add", i, err)
			}
		}
		d.note("commit", ack(p.Commit(d.ctx, "s.end", []byte("end"))))
		d.note("closed", p.IsClosed())

		p = publisher(jetstreamext.FastPublishFlowControl{Flow: 1, MaxOutstandingAcks: 1, AckTimeout: patience})
		for i := range 100 {
			if _, err := p.Add("s.slow", fmt.Append(nil, i)); err != nil {
				d.note("add", i, err)
			}
		}
		d.note("close", ack(p.Close(d.ctx)))

		p = publisher()
		d.note("one", ack(p.Commit(d.ctx, "s.one", nil)))

		// Two publishers share what may be under way.
		a, b := publisher(), publisher()
		for i := range 500 {
			for _, p := range []jetstreamext.FastPublisher{a, b} {
				if _, err := p.Add("s.both", fmt.Append(nil, i)); err != nil {
					d.note("add", i, err)
				}
			}
		}
		d.note("both", ack(a.Close(d.ctx)))
		_, err := b.Add("s.both", nil)
		d.note("both", err, ack(b.Close(d.ctx)))

		failed := make(chan error, 10)
		p = publisher(jetstreamext.WithFastPublisherContinueOnGap(true), jetstreamext.WithFastPublisherErrorHandler(func(err error) { failed <- err }))
		_, err = p.Add("s.gaps", nil)
		d.note("add", err)
		_, err = p.Add("s.gaps", nil, jetstreamext.WithBatchExpectStream("T"))
		d.note("add", err, <-failed)
		_, err = p.Add("s.gaps", nil)
		d.note("add", err)
		d.note("commit", ack(p.Commit(d.ctx, "s.gaps", nil)))
		d.holds("S")
	})
}
