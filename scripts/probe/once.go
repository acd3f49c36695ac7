package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
)

// once uses each of the three messaging models a single time.
func once(ctx context.Context, url string) error {
	nc, err := nats.Connect(url, nats.Name("probe"))
	if err != nil {
		return fmt.Errorf("connecting to %s: %w", url, err)
	}
	defer nc.Close()

	wild, err := nc.SubscribeSync("probe.*.x")
	if err != nil {
		return err
	}
	group, err := nc.QueueSubscribeSync("probe.work", "workers")
	if err != nil {
		return err
	}
	if _, err := nc.Subscribe("probe.ask", func(m *nats.Msg) { m.Respond([]byte("answer")) }); err != nil {
		return err
	}
	for _, subject := range []string{"probe.a.x", "probe.work"} {
		if err := nc.Publish(subject, []byte(subject)); err != nil {
			return err
		}
	}
	for _, sub := range []*nats.Subscription{wild, group} {
		m, err := sub.NextMsgWithContext(ctx)
		if err != nil {
			return fmt.Errorf("subscription to %s: %w", sub.Subject, err)
		}
		if string(m.Data) != m.Subject {
			return fmt.Errorf("%s carried %q", m.Subject, m.Data)
		}
	}
	reply, err := nc.RequestWithContext(ctx, "probe.ask", nil)
	if err != nil {
		return fmt.Errorf("request: %w", err)
	}
	if string(reply.Data) != "answer" {
		return fmt.Errorf("the request was answered with %q", reply.Data)
	}
	if _, err := nc.RequestWithContext(ctx, "probe.nobody", nil); !errors.Is(err, nats.ErrNoResponders) {
		return fmt.Errorf("a request that nobody serves: %v instead of no responders", err)
	}
	return nil
}
