// Command stream shows a work queue: messages are kept until one of those who
// share a consumer has acknowledged them, and one that was not comes again.
//
//	go run ./scripts/examples/stream -s nats://127.0.0.1:4222
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func main() {
	url := flag.String("s", nats.DefaultURL, "`URL` of the broker")
	flag.Parse()
	log.SetFlags(0)
	if err := run(*url); err != nil {
		log.Fatal("stream: ", err)
	}
}

func run(url string) (err error) {
	nc, err := nats.Connect(url, nats.Name("stream"))
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: "EXAMPLE", Subjects: []string{"example.>"}, Retention: jetstream.WorkQueuePolicy})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, js.DeleteStream(ctx, "EXAMPLE")) }()
	for i := range 5 {
		if _, err := js.Publish(ctx, "example.job", fmt.Appendf(nil, "job %d", i)); err != nil {
			return err // it is not known to be stored
		}
	}
	// An id has the same message stored once, however often it is sent.
	for range 2 {
		ack, err := js.Publish(ctx, "example.job", []byte("last job"), jetstream.WithMsgID("last"))
		if err != nil {
			return err
		}
		fmt.Printf("the last job is message %d, sent before: %v\n", ack.Sequence, ack.Duplicate)
	}
	if err := work(ctx, s); err != nil {
		return err
	}
	i, err := s.Info(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("%d messages are left of %d\n", i.State.Msgs, i.State.LastSeq)
	return nil
}

// work does the six jobs, the third one at its second time.
func work(ctx context.Context, s jetstream.Stream) error {
	c, err := s.CreateConsumer(ctx, jetstream.ConsumerConfig{Durable: "workers", AckPolicy: jetstream.AckExplicitPolicy})
	if err != nil {
		return err
	}
	for done := 0; done < 6; {
		m, err := c.Next(jetstream.FetchMaxWait(10 * time.Second))
		if err != nil {
			return err
		}
		meta, err := m.Metadata()
		if err != nil {
			return err
		}
		if meta.Sequence.Stream == 3 && meta.NumDelivered == 1 {
			if err := m.Nak(); err != nil { // it comes again
				return err
			}
			continue
		}
		if meta.NumDelivered > 1 {
			fmt.Printf("%s has come %d times\n", m.Data(), meta.NumDelivered)
		}
		if err := m.DoubleAck(ctx); err != nil { // returns when it is gone
			return err
		}
		done++
	}
	return nil
}
