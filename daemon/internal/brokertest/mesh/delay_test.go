package mesh

import (
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// lag carries what one node sends to another, late: packets leave the one by a TUN
// device and arrive at the other by another. It does without the kernel's netem,
// which is not everywhere.
type lag struct {
	in, out *os.File
	work    sync.WaitGroup
}

// delay makes packets from one node to another late by d.
func (w *network) delay(from, to int, d time.Duration) {
	w.t.Helper()
	l := &lag{in: openTun(w.t, w.of[from], fmt.Sprintf("late%d", to)), out: openTun(w.t, w.of[to], fmt.Sprintf("from%d", from))}
	w.lags[[2]int{from, to}] = l
	w.ip("-n", w.of[from], "link", "set", fmt.Sprintf("late%d", to), "up")
	w.ip("-n", w.of[to], "link", "set", fmt.Sprintf("from%d", from), "up")
	type late struct {
		at   time.Time
		data []byte
	}
	queue := make(chan late, 4096) // beyond that packets are lost, as in any queue
	l.work.Go(func() {             // ends when stop closes in
		defer close(queue)
		buf := make([]byte, 64<<10)
		for {
			n, err := l.in.Read(buf)
			if err != nil {
				return
			}
			select {
			case queue <- late{time.Now().Add(d), append([]byte(nil), buf[:n]...)}:
			default:
			}
		}
	})
	l.work.Go(func() { // ends with queue
		for p := range queue {
			time.Sleep(time.Until(p.at))
			_, _ = l.out.Write(p.data)
		}
	})
	w.ip("-n", w.of[from], "route", "add", w.addr(to)+"/32", "dev", fmt.Sprintf("late%d", to), "src", w.addr(from))
}

// undelay ends that; what is on its way is lost.
func (w *network) undelay(from, to int) {
	w.t.Helper()
	key := [2]int{from, to}
	w.ip("-n", w.of[from], "route", "del", w.addr(to)+"/32")
	w.lags[key].stop()
	delete(w.lags, key)
}

// stop ends the device and waits for what works on it.
func (l *lag) stop() {
	_ = l.in.Close()
	l.work.Wait()
	_ = l.out.Close()
}

// openTun makes a TUN device in a namespace; it goes with the descriptor.
func openTun(t testing.TB, ns, name string) (f *os.File) {
	t.Helper()
	err := inside(ns, func() error {
		fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
		if err != nil {
			return err
		}
		req, err := unix.NewIfreq(name)
		if err != nil {
			return err
		}
		req.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, req); err != nil {
			_ = unix.Close(fd)
			return err
		}
		f = os.NewFile(uintptr(fd), name)
		return nil
	})
	if err != nil {
		t.Fatal("TUN device:", err)
	}
	return f
}
