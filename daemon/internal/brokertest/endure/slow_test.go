package endure

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

const limits = "max_pending: 8MB\nmax_payload: 1MB\n"

// A subscriber that does not read is closed as a slow consumer; a publisher
// and another subscriber do not notice; and ten of them in a row do not take
// more memory than one.
func TestSlowSubscriber(t *testing.T) {
	s := plain(t, brokertest.Options{Config: limits})
	pub := s.Open(t, asking)
	fast := s.Open(t, quiet)
	fast.Send("SUB load 1\r\n")
	wantSync(t, fast)
	const size, count = 100_000, 300 // 30 MB: more than max_pending and all socket buffers
	from := 0
	for round := range 10 {
		slow := s.Open(t, quiet)
		slow.Send(fmt.Sprintf("SUB load 1\r\nSUB slow.%d 2\r\n", round))
		wantSync(t, slow)
		for i := range count {
			pub.Send(fmt.Sprintf("PUB load %d\r\n%s\r\n", size, payload(i, size)))
			if got, want := fast.Next(), fmt.Sprintf("MSG load 1 %d\r\n%s", size, payload(i, size)); got != want {
				t.Fatalf("round %d: message %d came as %.60q", round, i, got)
			}
		}
		wantSync(t, pub)
		from = s.WaitLogFrom("Slow Consumer Detected", from)
		// its interest is gone, though it never said so
		waitFor(t, "interest of the slow consumer to go", func() bool {
			pub.Send(fmt.Sprintf("SUB inbox.%[1]d i%[1]d\r\nPUB slow.%[1]d inbox.%[1]d 0\r\n\r\n", round))
			return strings.Contains(strings.Join(pub.Sync(), ""), "503")
		})
		// what was sent before the close arrives whole, and then the end
		for {
			f := slow.Next()
			if f == brokertest.EOF || strings.HasSuffix(f, "(cut off)") || strings.HasPrefix(f, "-ERR") {
				break
			}
			if !strings.HasPrefix(f, "MSG load 1 100000\r\n") {
				t.Fatalf("the slow consumer got %.60q", f)
			}
		}
	}
	if peak := s.Memory("VmHWM"); peak > 100<<20 {
		t.Errorf("ten slow consumers of 8 MB, one after the other, took %d MiB", peak>>20)
	}
}

// A subscriber that pauses within max_pending loses nothing.
func TestPausedSubscriberCatchesUp(t *testing.T) {
	s := plain(t, brokertest.Options{Config: "write_deadline: \"2m\"\n"})
	pub := s.Open(t, quiet)
	sub := s.Open(t, quiet)
	sub.Send("SUB load 1\r\n")
	wantSync(t, sub)
	const size, count = 50_000, 600 // 30 MB: less than the 64 MB of max_pending, more than socket buffers
	for i := range count {
		pub.Send(fmt.Sprintf("PUB load %d\r\n%s\r\n", size, payload(i, size)))
	}
	wantSync(t, pub)
	for i := range count {
		if got, want := sub.Next(), fmt.Sprintf("MSG load 1 %d\r\n%s", size, payload(i, size)); got != want {
			t.Fatalf("message %d came as %.60q", i, got)
		}
	}
	wantSync(t, sub)
}

// Many who do not read, of one subject, beside one who does.
func TestSlowSubscribersTogether(t *testing.T) {
	s := plain(t, brokertest.Options{Config: limits})
	pub := s.Open(t, quiet)
	fast := s.Open(t, quiet)
	fast.Send("SUB load 1\r\n")
	wantSync(t, fast)
	for range 20 {
		wantSync(t, func() *brokertest.Conn { c := s.Open(t, quiet); c.Send("SUB load 1\r\n"); return c }())
	}
	const size, count = 20_000, 1500
	for i := range count {
		pub.Send(fmt.Sprintf("PUB load %d\r\n%s\r\n", size, payload(i, size)))
		if got, want := fast.Next(), fmt.Sprintf("MSG load 1 %d\r\n%s", size, payload(i, size)); got != want {
			t.Fatalf("message %d came as %.60q", i, got)
		}
	}
	from := 0
	for range 20 {
		from = s.WaitLogFrom("Slow Consumer Detected", from)
	}
	wantSync(t, pub)
}
