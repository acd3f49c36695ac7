package main

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
)

// carried is what clients saw that are never to notice a restart.
type carried struct {
	Clients     int   `json:"clients"`
	Disconnects int64 `json:"disconnects"`
	Sent        int64 `json:"sent"`
	Received    int64 `json:"received"`
	Lost        int64 `json:"lost"`
	Doubled     int64 `json:"doubled"`
	Disordered  int64 `json:"disordered"`
	GapMs       int64 `json:"gap_ms"`        // longest time that a client waited between two messages
	DelayMs     int64 `json:"delay_ms"`      // longest time that a message was under way
	MeanGapMs   int64 `json:"mean_gap_ms"`   // time between two messages of a client, if nothing disturbs
	MedianGapMs int64 `json:"median_gap_ms"` // of the clients' longest
	PerSecond   int64 `json:"per_second"`
}

// listener is one client: it receives what the one before it publishes.
type listener struct {
	nc      *nats.Conn
	to      string
	sent    uint64
	last    uint64
	heard   time.Time
	longest time.Duration
	delayed time.Duration
	missing map[uint64]bool
	r       *carried
}

func (l *listener) receive(m *nats.Msg) {
	now := time.Now()
	if gap := now.Sub(l.heard); !l.heard.IsZero() && gap > l.longest {
		l.longest = gap
	}
	l.heard = now
	if d := time.Duration(now.UnixNano() - int64(binary.BigEndian.Uint64(m.Data[8:]))); d > l.delayed {
		l.delayed = d
	}
	n := binary.BigEndian.Uint64(m.Data)
	atomic.AddInt64(&l.r.Received, 1)
	switch {
	case n == l.last+1:
		l.last = n
	case n > l.last:
		for k := l.last + 1; k < n; k++ {
			l.missing[k] = true
		}
		l.last = n
	case l.missing[n]:
		delete(l.missing, n)
		atomic.AddInt64(&l.r.Disordered, 1)
	default:
		atomic.AddInt64(&l.r.Doubled, 1)
	}
}

// carry runs clients that publish numbered messages to each other, rate in all, until
// ctx ends. None of them reconnects. "CLIENTS,RATE" is how. With tls:// the connections
// are encrypted, and any certificate is taken.
func carry(ctx context.Context, address, how string) (*carried, error) {
	var clients, rate int
	if _, err := fmt.Sscanf(how, "%d,%d", &clients, &rate); err != nil || clients < 1 {
		return nil, fmt.Errorf("%q: want CLIENTS,RATE", how)
	}
	r := &carried{Clients: clients}
	all := make([]*listener, clients)
	for i := range all {
		l := &listener{to: "carry." + strconv.Itoa((i+1)%clients), missing: map[uint64]bool{}, r: r}
		nc, err := nats.Connect(address, anyCertificate, nats.NoReconnect(), nats.ReconnectBufSize(-1), nats.Timeout(20*time.Second),
			nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
				if err != nil || ctx.Err() == nil {
					atomic.AddInt64(&r.Disconnects, 1)
				}
			}))
		if err != nil {
			return nil, fmt.Errorf("connecting client %d: %w", i, err)
		}
		defer nc.Close()
		l.nc = nc
		sub, err := nc.Subscribe("carry."+strconv.Itoa(i), l.receive)
		if err != nil {
			return nil, err
		}
		if err := sub.SetPendingLimits(-1, -1); err != nil {
			return nil, err
		}
		all[i] = l
	}
	for _, l := range all {
		if err := l.nc.FlushTimeout(20 * time.Second); err != nil {
			return nil, err
		}
	}
	fmt.Println("running")
	began := time.Now()
	var pacers sync.WaitGroup
	const parts = 4
	for part := range parts {
		mine := all[part*clients/parts : (part+1)*clients/parts]
		pacers.Go(func() { pace(ctx, mine, float64(rate)*float64(len(mine))/float64(clients), r) })
	}
	pacers.Wait()
	r.PerSecond = int64(float64(r.Sent) / time.Since(began).Seconds())
	for _, l := range all {
		_ = l.nc.FlushTimeout(10 * time.Second)
	}
	for end := time.Now().Add(5 * time.Second); atomic.LoadInt64(&r.Received) < r.Sent && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	r.Lost = max(0, r.Sent-(r.Received-r.Doubled))
	var longest []time.Duration
	for _, l := range all {
		longest = append(longest, l.longest)
		r.DelayMs = max(r.DelayMs, l.delayed.Milliseconds())
	}
	r.MeanGapMs = int64(1000 * clients / max(rate, 1))
	slices.Sort(longest)
	r.GapMs, r.MedianGapMs = longest[clients-1].Milliseconds(), longest[clients/2].Milliseconds()
	return r, nil
}

// numbered is a message: its number, and when it was sent.
func numbered(n uint64) []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 16), n)
	return binary.BigEndian.AppendUint64(b, uint64(time.Now().UnixNano()))
}

// pace publishes on behalf of clients, one after another, at a rate of all of them.
func pace(ctx context.Context, list []*listener, rate float64, r *carried) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	if len(list) == 0 {
		return
	}
	began, done, next := time.Now(), 0, 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for due := int(time.Since(began).Seconds() * rate); done < due; done++ {
			l := list[next]
			next = (next + 1) % len(list)
			l.sent++
			if l.nc.Publish(l.to, numbered(l.sent)) == nil {
				atomic.AddInt64(&r.Sent, 1)
			}
		}
	}
}

// anyCertificate is for servers of a test. It does not ask for encryption.
func anyCertificate(o *nats.Options) error {
	o.TLSConfig = &tls.Config{InsecureSkipVerify: true}
	return nil
}
