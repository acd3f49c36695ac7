package endure

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// A peer that falls silent without a word (a stopped process, a pulled cable)
// is found by PING, and its interest goes.
func TestSilentPeer(t *testing.T) {
	s := plain(t, brokertest.Options{Config: "ping_interval: \"300ms\"\nping_max: 1\n"})
	// Who is kept from answering for so long is taken for silent, and comes again.
	waitFor(t, "interest of a peer that will be silent", func() bool {
		silent := s.Open(t, quiet)
		silent.Send("SUB foo 1\r\nSUB foo q 2\r\n")
		return len(without(silent.Sync(), "INFO ")) == 0
	})
	var asker *brokertest.Conn
	waitFor(t, "interest of a silent peer to go", func() bool {
		if asker == nil {
			asker = s.Open(t, asking)
			asker.Send("SUB inbox 1\r\n")
		}
		asker.Send("PONG\r\nPUB foo inbox 0\r\n\r\n") // it answers, and asks
		got := asker.Sync()
		if slices.Contains(got, brokertest.EOF) {
			asker = nil
		}
		return strings.Contains(strings.Join(got, ""), "503")
	})
}

// A publisher that dies within a message publishes nothing of it.
func TestDeathWithinAMessage(t *testing.T) {
	s := brokertest.Start(t, brokertest.Options{})
	sub := s.Open(t, quiet)
	sub.Send("SUB > 1\r\n")
	wantSync(t, sub)
	message := "PUB foo.bar 10\r\n0123456789\r\n"
	for cut := 1; cut < len(message); cut++ {
		c := s.Open(t, quiet)
		c.Send(message[:cut])
		if err := c.Net().CloseWrite(); err != nil {
			t.Fatal(err)
		}
		for f := c.Frame(); f != brokertest.EOF; f = c.Frame() {
			if strings.HasPrefix(f, "MSG") {
				t.Errorf("message cut at %d: %q", cut, f)
			}
		}
	}
	// the last two cuts hold the whole payload but not the whole frame
	wantSync(t, sub)
}

// Bytes without sense close at most the connection they came on.
func TestGarbage(t *testing.T) {
	s := brokertest.Start(t, brokertest.Options{})
	witness := s.Open(t, quiet)
	witness.Send("SUB witness 1\r\n")
	wantSync(t, witness)
	files := s.OpenFiles()
	rnd := rand.New(rand.NewPCG(7, 9))
	for range heavy(3000, 300) {
		c := s.Dial(t)
		c.Send(nonsense(rnd))
		if err := c.Net().CloseWrite(); err != nil {
			t.Fatal(err)
		}
		for f := c.Frame(); f != brokertest.EOF; f = c.Frame() {
		}
		c.Net().Close()
	}
	witness.Send("PUB witness 2\r\nok\r\n")
	wantSync(t, witness, "MSG witness 1 2\r\nok")
	waitFor(t, "descriptors to be closed", func() bool { return s.OpenFiles() <= files })
}

// nonsense makes a broken conversation out of sensible parts.
func nonsense(rnd *rand.Rand) string {
	parts := []string{
		"CONNECT {\"verbose\":true,\"headers\":true}\r\n", "CONNECT {", "PUB a 5\r\nhello\r\n", "PUB a 18446744073709551615\r\n",
		"HPUB a 12 14\r\nNATS/1.0\r\n\r\nhi\r\n", "HPUB a 99999999999 1\r\n", "SUB a.* 1\r\n", "SUB > q 2\r\n", "UNSUB 1 2\r\n", "PING\r\n", "PONG\r\n",
		"INFO {}\r\n", "+OK\r\n", "-ERR 'x'\r\n", "\x00", "\r", "\n", "  \t", "SUB", "PUB a", "PUB " + strings.Repeat("x", 300), "RMSG $G a 1\r\nx\r\n",
	}
	var b strings.Builder
	for range 1 + rnd.IntN(8) {
		part := []byte(parts[rnd.IntN(len(parts))])
		if rnd.IntN(3) == 0 {
			part[rnd.IntN(len(part))] = byte(rnd.Uint32())
		}
		b.Write(part[:1+rnd.IntN(len(part))])
	}
	return b.String()
}

// A control line that never ends is cut off near the limit, whatever is still
// to come of it, and takes no memory.
func TestEndlessControlLine(t *testing.T) {
	s := plain(t, brokertest.Options{})
	for _, verb := range []string{"PUB ", "SUB ", "CONNECT {\"name\":\"", "HPUB ", "INFO {", "PING ", "-ERR '"} {
		c := s.Open(t, quiet)
		c.Send(verb)
		block := strings.Repeat("x", 1<<20)
		for range heavy(1024, 64) { // up to 1 GiB
			c.Send(block) // after the close, the kernel refuses
		}
		var last string
		for f := c.Frame(); f != brokertest.EOF; f = c.Frame() {
			last = f
		}
		t.Logf("%q: %q", verb, last)
	}
	if peak := s.Memory("VmHWM"); peak > 64<<20 {
		t.Errorf("endless lines took %d MiB", peak>>20)
	}
	wantSync(t, s.Open(t, quiet))
}

// A payload of an announced size that never comes takes no memory up front.
func TestAnnouncedPayloads(t *testing.T) {
	s := plain(t, brokertest.Options{})
	var conns []*brokertest.Conn
	for i := range heavy(2000, 500) {
		c := s.Open(t, quiet)
		c.Send(fmt.Sprintf("PUB foo.%d 1048576\r\nx", i))
		conns = append(conns, c)
	}
	wantSync(t, s.Open(t, quiet))
	if used := s.Memory("RssAnon"); used > 200<<20 {
		t.Errorf("%d announced payloads took %d MiB", len(conns), used>>20)
	}
}
