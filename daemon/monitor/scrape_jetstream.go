package monitor

import (
	"sync/atomic"
	"time"

	"github.com/nats-broker/nats-broker/daemon/jetstream/api"
)

// How many streams and consumers have metrics of their own.
const (
	maxStreams   = 100
	maxConsumers = 200
)

// jetStreamScrape is what a scrape sees of streams.
type jetStreamScrape struct {
	server    *JetStreamServer // nil: JetStream is off
	storage   *Storage
	all       streamRow
	failed    int
	streams   []streamRow   // the largest, and the others as one without a name
	consumers []consumerRow // those with most before them, and the others
}

type streamRow struct {
	account, id, name string
	streams           int // that it stands for
	figures           StreamFigures
}

// add adds what can be added up.
func (r *streamRow) add(o *streamRow) {
	r.streams += o.streams
	r.figures.Msgs += o.figures.Msgs
	r.figures.Bytes += o.figures.Bytes
	r.figures.Subjects += o.figures.Subjects
	r.figures.Consumers += o.figures.Consumers
	r.figures.Lost += o.figures.Lost
}

type consumerRow struct {
	account, id, stream, name, description string
	deliveredConsumer, deliveredStream     uint64
	floorConsumer, floorStream             uint64
	ackPending, redelivered, waiting       int
	pending                                uint64
	unacked                                time.Duration
}

func newConsumerRow(a *JetStreamAccount, c *api.ConsumerInfo, unacked time.Duration) consumerRow {
	r := consumerRow{
		account: a.Name, id: a.ID, stream: c.Stream, name: c.Name, deliveredConsumer: c.Delivered.Consumer, deliveredStream: c.Delivered.Stream,
		floorConsumer: c.AckFloor.Consumer, floorStream: c.AckFloor.Stream, ackPending: c.NumAckPending, redelivered: c.NumRedelivered,
		waiting: c.NumWaiting, pending: c.NumPending, unacked: unacked,
	}
	if c.Config != nil {
		r.description = c.Config.Description
	}
	return r
}

// add adds what can be added up; of times the longest stays.
func (r *consumerRow) add(o *consumerRow) {
	r.ackPending += o.ackPending
	r.redelivered += o.redelivered
	r.waiting += o.waiting
	r.pending += o.pending
	r.unacked = max(r.unacked, o.unacked)
}

// readStreams reads what a scrape shows of streams. Nothing waits for the disk but the consumers, and they not for long.
func (c *collector) readStreams(s *scrape) {
	src := c.r.src.JetStream
	if src == nil {
		return
	}
	j := &s.js
	if j.server = src.Server(); j.server == nil {
		return
	}
	j.storage = src.Storage()
	accounts := src.Accounts()
	largest := topK[streamRow]{k: maxStreams, less: func(a, b *streamRow) bool {
		if a.figures.Bytes != b.figures.Bytes {
			return a.figures.Bytes > b.figures.Bytes
		}
		return a.id+" "+a.name < b.id+" "+b.name
	}}
	for i := range accounts {
		a := &accounts[i]
		for _, st := range a.Streams {
			row := streamRow{a.Name, a.ID, st.Name(), 1, st.Figures()}
			if st.Failure() != nil {
				j.failed++
			}
			j.all.add(&row)
			largest.offer(&row)
		}
	}
	rest := j.all
	for _, row := range largest.page(0) {
		j.streams = append(j.streams, *row)
		rest.streams -= row.streams
		rest.figures.Msgs -= row.figures.Msgs
		rest.figures.Bytes -= row.figures.Bytes
		rest.figures.Subjects -= row.figures.Subjects
		rest.figures.Consumers -= row.figures.Consumers
	}
	if rest.streams > 0 {
		j.streams = append(j.streams, rest)
	}
	j.consumers = c.consumers.read(accounts)
}

// consumerReader reads what there is of consumers, which may wait for the disk.
type consumerReader struct {
	busy atomic.Bool
	last atomic.Pointer[[]consumerRow]
}

// consumerPatience is how long a scrape waits for consumers.
const consumerPatience = 2 * time.Second

// read returns what was read last, if nothing new comes in time.
func (r *consumerReader) read(accounts []JetStreamAccount) []consumerRow {
	if r.busy.CompareAndSwap(false, true) {
		done := make(chan struct{})
		go func() { // ends when the last consumer has answered
			defer close(done)
			defer r.busy.Store(false)
			rows := consumersOf(accounts)
			r.last.Store(&rows)
		}()
		wait := time.NewTimer(consumerPatience)
		defer wait.Stop()
		select {
		case <-done:
		case <-wait.C:
		}
	}
	if rows := r.last.Load(); rows != nil {
		return *rows
	}
	return nil
}

// consumersOf reads all consumers: those with most before them are shown by name.
func consumersOf(accounts []JetStreamAccount) (list []consumerRow) {
	most := topK[consumerRow]{k: maxConsumers, less: func(a, b *consumerRow) bool {
		if x, y := a.pending+uint64(a.ackPending), b.pending+uint64(b.ackPending); x != y {
			return x > y
		}
		return a.id+" "+a.stream+" "+a.name < b.id+" "+b.stream+" "+b.name
	}}
	var pace pacer
	var rest consumerRow
	n := 0
	for i := range accounts {
		a := &accounts[i]
		for _, st := range a.Streams {
			st.EachConsumer(func(c *api.ConsumerInfo, unacked time.Duration) {
				pace.step()
				if c.Config != nil && c.Config.Direct {
					return // of a mirror or a source, for as long as that listens
				}
				row := newConsumerRow(a, c, unacked)
				n++
				if n > maxConsumers && len(most.rows) == maxConsumers {
					if least := &most.rows[0]; most.less(&row, least) {
						rest.add(least)
					} else {
						rest.add(&row)
					}
				}
				most.offer(&row)
			})
		}
	}
	for _, row := range most.page(0) {
		list = append(list, *row)
	}
	if n > maxConsumers {
		list = append(list, rest)
	}
	return list
}
