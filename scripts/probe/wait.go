package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
)

// wait makes a stream in memory with messages and a consumer of it, asks that for a message which is not there yet, and on SIGUSR1
// publishes it and says whether it came, and whether the others are there still.
func wait(ctx context.Context, url string) error {
	release := make(chan os.Signal, 1)
	signal.Notify(release, syscall.SIGUSR1)
	nc, err := nats.Connect(url, nats.Timeout(5*time.Second), nats.NoReconnect())
	if err != nil {
		return err
	}
	defer nc.Close()
	ask := func(subject, body string) (string, error) {
		m, err := nc.Request(subject, []byte(body), streamPatience)
		if err != nil {
			return "", fmt.Errorf("%s: %w", subject, err)
		}
		if text := string(m.Data); strings.Contains(text, `"error"`) {
			return "", fmt.Errorf("%s: %s", subject, text)
		}
		return string(m.Data), nil
	}
	for _, q := range [][2]string{
		{"$JS.API.STREAM.CREATE.WAIT", `{"name":"WAIT","subjects":["wait.*"],"storage":"memory"}`}, {"wait.a", "1"}, {"wait.a", "2"},
		{"$JS.API.CONSUMER.CREATE.WAIT.c", `{"stream_name":"WAIT","config":{"name":"c","filter_subject":"wait.b","ack_policy":"explicit","inactive_threshold":600000000000}}`},
	} {
		if _, err := ask(q[0], q[1]); err != nil {
			return err
		}
	}
	sub, err := nc.SubscribeSync("waiting")
	if err != nil {
		return err
	}
	if err := nc.PublishRequest("$JS.API.CONSUMER.MSG.NEXT.WAIT.c", "waiting", []byte(`{"batch":1,"expires":600000000000}`)); err != nil {
		return err
	}
	if err := nc.FlushTimeout(10 * time.Second); err != nil {
		return err
	}
	fmt.Println("running")
	select {
	case <-release:
	case <-ctx.Done():
		return ctx.Err()
	}
	if _, err := ask("wait.b", "3"); err != nil {
		return err
	}
	m, err := sub.NextMsg(streamPatience)
	if err != nil || string(m.Data) != "3" {
		return fmt.Errorf("what was asked for: %+v, %w", m, err)
	}
	info, err := ask("$JS.API.STREAM.INFO.WAIT", "")
	if err != nil || !strings.Contains(info, `"messages":3,`) {
		return fmt.Errorf("%s, %w", info, err)
	}
	fmt.Println("ok")
	return nil
}
