package broker

import (
	"bytes"
	"crypto/tls"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nats-broker/nats-broker/daemon/transport"
)

// BenchmarkHandover is what a connection with two subscriptions costs on its way to
// another process: until it is at rest, written down, taken over, and served again.
func BenchmarkHandover(b *testing.B) {
	b.Run("plain", func(b *testing.B) {
		benchmarkHandover(b, Options{}, func(addr string) *peer { return connect(b, addr) })
	})
	b.Run("TLS", func(b *testing.B) {
		benchmarkHandover(b, Options{TLS: loaded(b, transport.TLSOptions{})}, func(addr string) *peer {
			p, _ := dialTLS(b, addr, &tls.Config{})
			p.send(`CONNECT {"verbose":false}` + "\r\n")
			p.sync()
			return p
		})
	})
}

func benchmarkHandover(b *testing.B, o Options, connect func(addr string) *peer) {
	const n = 1000
	o.NoShortFirstPing = true
	steps := [...]string{"rest", "write", "restore", "resume"}
	var took [len(steps)]time.Duration
	for range b.N {
		from, addr := start(b, o)
		next := o
		next.Port = from.Options().Port
		to := successor(b, next)
		peers := make([]*peer, n)
		for i := range peers {
			peers[i] = connect(addr)
			peers[i].send("SUB carry.%d 1\r\nSUB _INBOX.%d.* 2\r\n", i, i)
			peers[i].sync()
		}
		var h *Handover
		var state bytes.Buffer
		var fds []int
		for i, step := range [len(steps)]func() error{
			func() error { from.Freeze(10 * time.Second); h = from.Park(); return nil },
			func() error { _, err := h.WriteTo(&state); return err },
			func() error { _, err := to.Restore(state.Bytes(), fds); return err },
			func() error { to.Resume(); return nil },
		} {
			began := time.Now()
			if err := step(); err != nil {
				b.Fatal(err)
			}
			took[i] += time.Since(began)
			if steps[i] == "write" {
				fds = copied(b, h.FDs())
				h.Release()
				from.Stop()
			}
		}
		for _, p := range peers {
			p.sync()
			p.nc.Close()
		}
		to.Stop()
	}
	for i, what := range steps {
		b.ReportMetric(float64(took[i].Nanoseconds())/float64(b.N*n), what+"-ns/conn")
	}
	b.ReportMetric(0, "ns/op")
}

// copied are other descriptors of the same connections.
func copied(t testing.TB, fds []int) (list []int) {
	t.Helper()
	for _, fd := range fds {
		n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, n)
	}
	return list
}
