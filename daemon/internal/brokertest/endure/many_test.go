package endure

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// openMany opens n connections, workers at a time, each subscribed to c.I.
func openMany(t *testing.T, s *brokertest.Server, n, workers int) []*brokertest.Conn {
	t.Helper()
	conns := make([]*brokertest.Conn, n)
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			for i := w; i < n && !t.Failed(); i += workers {
				c, err := s.TryOpen(asking)
				if err == nil {
					err = c.TrySync(fmt.Sprintf("SUB c.%d 1\r\nSUB all 2\r\n", i))
				}
				if err != nil {
					t.Errorf("connection %d: %v", i, err)
					return
				}
				conns[i] = c
			}
		})
	}
	all.Wait()
	t.Cleanup(func() {
		for _, c := range conns {
			if c != nil {
				c.Net().Close()
			}
		}
	})
	if t.Failed() {
		t.FailNow()
	}
	return conns
}

// Thousands of connections: each gets what is its own and what is for all, and
// when they go, everything they held goes.
func TestManyConnections(t *testing.T) {
	s := plain(t, brokertest.Options{})
	pub := s.Open(t, asking)
	wantSync(t, pub)
	before := s.OpenFiles()
	n := heavy(10_000, 1_000)
	conns := openMany(t, s, n, 32)
	for i := range n {
		pub.Send(fmt.Sprintf("PUB c.%d 2\r\nhi\r\n", i))
	}
	pub.Send("PUB all 3\r\nyou\r\n")
	wantSync(t, pub)
	for i, c := range conns {
		for _, want := range []string{fmt.Sprintf("MSG c.%d 1 2\r\nhi", i), "MSG all 2 3\r\nyou"} {
			if got := c.Next(); got != want {
				t.Fatalf("connection %d got %q, want %q", i, got, want)
			}
		}
	}
	t.Logf("%d connections: resident %d KiB each", n, s.Memory("VmRSS")/int64(n)>>10)
	for _, c := range conns {
		c.Net().Close()
	}
	waitFor(t, "descriptors of closed connections to be closed", func() bool { return s.OpenFiles() <= before })
	pub.Send("SUB inbox 1\r\nPUB all inbox 0\r\n\r\n")
	if got := strings.Join(pub.Sync(), ""); !strings.Contains(got, "503") {
		t.Errorf("interest of closed connections is left: %q", got)
	}
}

// A storm of connections is served, one and all, while one who was there
// before is served too.
func TestConnectionStorm(t *testing.T) {
	s := plain(t, brokertest.Options{})
	old := s.Open(t, quiet)
	old.Send("SUB beat 1\r\n")
	wantSync(t, old)
	n := heavy(8_000, 2_000)
	began := time.Now()
	done := make(chan struct{})
	go func() { // ends when all are open; waited for below
		defer close(done)
		var all sync.WaitGroup
		for w := range 64 {
			all.Go(func() {
				for i := w; i < n; i += 64 {
					c, err := s.TryOpen(quiet)
					if err == nil {
						err = c.TrySync("")
					}
					if err != nil {
						t.Errorf("connection %d: %v", i, err)
						return
					}
					c.Net().Close()
				}
			})
		}
		all.Wait()
	}()
	for beats := 0; ; beats++ {
		old.Send("PUB beat 1\r\nx\r\n")
		if f := old.Next(); f != "MSG beat 1 1\r\nx" {
			t.Fatalf("during the storm: %q", f)
		}
		select {
		case <-done:
			t.Logf("%d connections a second, %d messages of the old connection meanwhile", int(float64(n)/time.Since(began).Seconds()), beats)
			return
		default:
		}
	}
}

// Without descriptors left, those connected are served on, the log says what
// is wrong, and accepting resumes when some are free.
func TestDescriptorsExhausted(t *testing.T) {
	s := plain(t, brokertest.Options{MaxFiles: 200})
	var served []*brokertest.Conn
	for len(served) < 50 {
		served = append(served, s.Open(t, quiet))
		wantSync(t, served[len(served)-1])
	}
	var waiting []*brokertest.Conn // the kernel has taken these, the broker only some
	for range 250 {
		waiting = append(waiting, s.Dial(t))
	}
	s.WaitLog("too many open files")
	for _, c := range served {
		wantSync(t, c)
	}
	for i := 1; i < len(served); i++ {
		served[0].Send(fmt.Sprintf("PUB s.%d 1\r\nx\r\n", i))
	}
	wantSync(t, served[0])
	if n := strings.Count(s.Logs(), "too many open files"); n > 50 {
		t.Errorf("said %d times that descriptors are exhausted", n)
	}
	// Each that goes lets another in, until all were served.
	for _, c := range served[1:] {
		c.Net().Close()
	}
	for i, c := range waiting {
		if f := c.Frame(); !strings.HasPrefix(f, "INFO ") {
			t.Fatalf("connection %d got %.60q when descriptors were free again", i, f)
		}
		wantSync(t, c)
		c.Net().Close()
	}
	wantSync(t, served[0])
}

// Subscriptions by the hundred thousand: each found, each gone when told.
func TestManySubscriptions(t *testing.T) {
	s := plain(t, brokertest.Options{})
	n := heavy(1_000_000, 100_000)
	const conns = 10
	before := s.Memory("RssAnon")
	var subs []*brokertest.Conn
	for c := range conns {
		sub := s.Open(t, quiet)
		var lines strings.Builder
		for i := c; i < n; i += conns {
			fmt.Fprintf(&lines, "SUB load.%d.of.%d %d\r\n", i, c, i)
		}
		sub.Send(lines.String())
		wantSync(t, sub)
		subs = append(subs, sub)
	}
	each := (s.Memory("RssAnon") - before) / int64(n)
	t.Logf("%d subscriptions: %d bytes each", n, each)
	if each > 1000 {
		t.Errorf("%d bytes a subscription", each)
	}
	pub := s.Open(t, asking)
	for i := 0; i < n; i += 97 {
		pub.Send(fmt.Sprintf("PUB load.%d.of.%d 1\r\nx\r\n", i, i%conns))
	}
	wantSync(t, pub)
	for i := 0; i < n; i += 97 {
		c := i % conns
		if got, want := subs[c].Next(), fmt.Sprintf("MSG load.%d.of.%d %d 1\r\nx", i, c, i); got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
	for _, c := range subs {
		c.Net().Close()
	}
	last := n - 1
	waitFor(t, "interest of closed connections to go", func() bool {
		pub.Send(fmt.Sprintf("SUB inbox 1\r\nPUB load.%d.of.%d inbox 0\r\n\r\n", last, last%conns))
		return strings.Contains(strings.Join(pub.Sync(), ""), "503")
	})
}

// Subjects never seen before, by the hundred thousand, through caches of
// bounded size.
func TestDistinctSubjects(t *testing.T) {
	s := plain(t, brokertest.Options{})
	sub := s.Open(t, quiet)
	sub.Send("SUB fresh.> 1\r\n")
	wantSync(t, sub)
	pub := s.Open(t, quiet)
	const block = 1000
	n := heavy(2_000_000, 200_000)
	for i := 0; i < n; i += block {
		var lines strings.Builder
		for j := range block {
			fmt.Fprintf(&lines, "PUB fresh.a%d.b 1\r\nx\r\n", i+j)
		}
		pub.Send(lines.String())
		for j := range block {
			if got, want := sub.Next(), fmt.Sprintf("MSG fresh.a%d.b 1 1\r\nx", i+j); got != want {
				t.Fatalf("got %q, want %q", got, want)
			}
		}
	}
	if peak := s.Memory("VmHWM"); peak > 100<<20 {
		t.Errorf("%d subjects left %d MiB", n, peak>>20)
	}
}
