package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
)

// report is what the clients of a load saw.
type report struct {
	Clients    int   `json:"clients"`
	Sent       int64 `json:"sent"`
	Received   int64 `json:"received"`
	Disordered int64 `json:"disordered"` // messages that came twice or after a later one
	Reconnects int64 `json:"reconnects"`
	Dials      int64 `json:"dials"`
	Refused    int64 `json:"refused"`    // dials that found nobody listening
	LongestGap int64 `json:"gap_ms"`     // longest time without a connection that was served
	After      int64 `json:"after_last"` // messages received after the last reconnect
	Connected  int   `json:"connected"`  // clients that are connected at the end
}

const clients = 20

// load runs clients that each publish numbered messages to themselves every
// 2 ms and reconnect when they have to, and a dialler that makes a new
// connection every 5 ms, until ctx ends.
func load(ctx context.Context, address string) (*report, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	r := &report{Clients: clients}
	var all []*nats.Conn
	var wg sync.WaitGroup
	for i := range clients {
		nc, err := nats.Connect(address, nats.Name(fmt.Sprintf("load-%d", i)), nats.MaxReconnects(-1),
			nats.ReconnectWait(20*time.Millisecond), nats.ReconnectJitter(time.Millisecond, time.Millisecond),
			nats.ReconnectBufSize(-1),
			nats.ReconnectHandler(func(*nats.Conn) {
				atomic.AddInt64(&r.Reconnects, 1)
				atomic.StoreInt64(&r.After, 0)
			}))
		if err != nil {
			return nil, fmt.Errorf("connecting: %w", err)
		}
		defer nc.Close()
		all = append(all, nc)
		subject := fmt.Sprintf("load.%d", i)
		var last uint64
		if _, err := nc.Subscribe(subject, func(m *nats.Msg) {
			n := binary.BigEndian.Uint64(m.Data)
			if n <= last {
				atomic.AddInt64(&r.Disordered, 1)
			}
			last = n
			atomic.AddInt64(&r.Received, 1)
			atomic.AddInt64(&r.After, 1)
		}); err != nil {
			return nil, err
		}
		wg.Go(func() { publish(ctx, nc, subject, r) })
	}
	wg.Go(func() { dial(ctx, u.Host, r) })
	wg.Wait()
	for _, nc := range all {
		if nc.IsConnected() && nc.FlushTimeout(time.Second) == nil {
			r.Connected++
		}
	}
	return r, nil
}

// publish numbers messages from 1; those that could not be sent leave a gap.
func publish(ctx context.Context, nc *nats.Conn, subject string, r *report) {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for n := uint64(1); ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if nc.Publish(subject, binary.BigEndian.AppendUint64(nil, n)) == nil {
			atomic.AddInt64(&r.Sent, 1)
		}
	}
}

// dial connects again and again and waits for the greeting of each connection.
func dial(ctx context.Context, host string, r *report) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	served := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		r.Dials++
		switch err := greet(host); {
		case errors.Is(err, syscall.ECONNREFUSED):
			r.Refused++
		case err == nil:
			if gap := time.Since(served).Milliseconds(); gap > r.LongestGap {
				r.LongestGap = gap
			}
			served = time.Now()
		}
	}
}

func greet(host string) error {
	conn, err := net.DialTimeout("tcp", host, 10*time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return err
	}
	_, err = conn.Read(make([]byte, 1))
	return err
}
