package verbs

import (
	"fmt"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

const manyClients = 1000

// crowd is many clients, each of which takes numbered messages in order.
type crowd struct {
	t       *testing.T
	conns   []*nats.Conn
	told    atomic.Int64 // times that a client was asked to go
	lost    atomic.Int64 // connections that were closed
	back    atomic.Int64 // connections that came again
	taken   atomic.Int64
	wrong   atomic.Int64
	noticed chan struct{}
}

func connectCrowd(t *testing.T, url string) *crowd {
	c := &crowd{t: t, noticed: make(chan struct{}, 1)}
	notice := func(n *atomic.Int64) {
		n.Add(1)
		select {
		case c.noticed <- struct{}{}:
		default:
		}
	}
	var mu sync.Mutex
	var all sync.WaitGroup
	work := make(chan int)
	for range 16 {
		all.Go(func() {
			for range work {
				nc, err := nats.Connect(url, nats.Timeout(brokertest.Patience), nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond),
					nats.ReconnectJitter(100*time.Millisecond, 100*time.Millisecond), nats.LameDuckModeHandler(func(*nats.Conn) { notice(&c.told) }),
					nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}), nats.DisconnectErrHandler(func(_ *nats.Conn, err error) { notice(&c.lost) }), nats.ReconnectHandler(func(*nats.Conn) { notice(&c.back) }))
				if err != nil {
					t.Error(err)
					continue // who hands out the work waits for somebody to take it
				}
				next := 0
				if _, err := nc.Subscribe("numbers", func(m *nats.Msg) {
					if n, err := strconv.Atoi(string(m.Data)); err != nil || n != next {
						c.wrong.Add(1)
					}
					next++
					notice(&c.taken)
				}); err != nil {
					t.Error(err)
				}
				if err := nc.FlushTimeout(brokertest.Patience); err != nil {
					t.Error(err)
				}
				mu.Lock()
				c.conns = append(c.conns, nc)
				mu.Unlock()
			}
		})
	}
	for i := range manyClients {
		work <- i
	}
	close(work)
	all.Wait()
	t.Cleanup(func() {
		for _, nc := range c.conns {
			nc.Close()
		}
	})
	return c
}

// wait waits for a number to be reached.
func (c *crowd) wait(what string, n *atomic.Int64, want int64) {
	c.t.Helper()
	over := time.After(2 * brokertest.Patience)
	for n.Load() < want {
		select {
		case <-c.noticed:
		case <-over:
			c.t.Fatalf("%s: %d of %d", what, n.Load(), want)
		}
	}
}

// A pause that is taken back before the first client is closed loses no connection and no message. One that has moved all
// clients away leaves nothing behind: they come back, to their subscriptions, and nothing that was acknowledged is lost.
func TestPauseUnderAThousandClients(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "control.sock")
	s := brokertest.Start(t, brokertest.Options{Binary: brokertest.OursPlain(t), Config: fmt.Sprintf("control_socket: %q\njetstream { store_dir: %q }\n", socket, t.TempDir())})
	must := func(args ...string) string {
		t.Helper()
		code, out := verb(t, append(args, "--socket", socket)...)
		if code != 0 {
			t.Fatalf("%v: exit %d\n%s", args, code, out)
		}
		return out
	}
	c := connectCrowd(t, s.URL())
	if t.Failed() {
		t.FailNow()
	}
	publisher := c.conns[0]
	sent := 0
	publish := func(n int) {
		t.Helper()
		for range n {
			if err := publisher.Publish("numbers", strconv.AppendInt(nil, int64(sent), 10)); err != nil {
				t.Fatal(err)
			}
			sent++
		}
		if err := publisher.FlushTimeout(brokertest.Patience); err != nil {
			t.Fatal(err)
		}
	}
	publish(10)
	must("pause", "--grace", "1h")
	c.wait("told", &c.told, manyClients)
	publish(10)
	if nc, err := nats.Connect(s.URL(), nats.Timeout(brokertest.Patience), nats.NoReconnect()); err == nil {
		nc.Close()
		t.Error("a client was let in during the pause")
	}
	must("resume")
	publish(10)
	c.wait("messages", &c.taken, manyClients*int64(sent))
	if c.lost.Load() != 0 || c.wrong.Load() != 0 {
		t.Errorf("%d connections were lost, %d messages were not the next", c.lost.Load(), c.wrong.Load())
	}

	// Now for good: what is acknowledged meanwhile is stored.
	js, err := publisher.JetStream(nats.MaxWait(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.AddStream(&nats.StreamConfig{Name: "KEPT", Subjects: []string{"kept"}}, nats.MaxWait(brokertest.Patience)); err != nil {
		t.Fatal(err)
	}
	stop, acked, first := make(chan struct{}), make(chan uint64, 1), make(chan struct{})
	go func() { // ends when it is stopped, or the test ends
		n := uint64(0)
		for {
			select {
			case <-stop:
				acked <- n
				return
			case <-t.Context().Done():
				return
			default:
			}
			if _, err := js.Publish("kept", []byte("x")); err == nil {
				if n++; n == 1 {
					close(first)
				}
			}
		}
	}()
	select {
	case <-first:
	case <-time.After(brokertest.Patience):
		t.Fatal("nothing is acknowledged")
	}
	must("pause", "--grace", "1ms", "--spread", "300ms", "--wait")
	c.wait("closed", &c.lost, manyClients)
	must("resume")
	c.wait("back", &c.back, manyClients)
	close(stop)
	n := <-acked
	info, err := js.StreamInfo("KEPT", nats.MaxWait(brokertest.Patience))
	if err != nil || info.State.Msgs < n || n == 0 {
		t.Errorf("%d messages were acknowledged, %+v, %v", n, info, err)
	}
	for _, nc := range c.conns { // the subscriptions are made again before
		if err := nc.FlushTimeout(brokertest.Patience); err != nil {
			t.Fatal(err)
		}
	}
	publish(10)
	c.wait("messages", &c.taken, manyClients*int64(sent))
	if c.wrong.Load() != 0 {
		t.Errorf("%d messages were not the next", c.wrong.Load())
	}
}
