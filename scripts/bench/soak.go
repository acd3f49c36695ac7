package main

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// A soak runs nats-broker for long under traffic and change: connections and
// subscriptions come and go, the configuration is reloaded, messages flow and are
// checked. Its memory must not grow over the last two thirds, and when everybody has
// left, goroutines and descriptors must be as many as before.

// soakTolerance is how much more memory the last third may take than the one before.
const soakTolerance = 0.02

// soakPeriod is the time between two looks at the process, soakRate how many messages a
// second flow.
const (
	soakPeriod = 500 * time.Millisecond
	soakRate   = 5000
)

// soakConf is the configuration of the n-th reload. Few closed connections are
// remembered, so that what they take does not grow for minutes.
func soakConf(n int) string { return reloadConf(n) + "max_closed_clients: 500\n" }

type soak struct {
	srv     *server
	conf    string
	profile int // port of the profiler, which knows the number of goroutines
	stop    chan struct{}
	work    sync.WaitGroup
	fail    chan error

	conns, subs, reloads atomic.Int64
}

// sample is one look at the process.
type sample struct {
	memory     int64
	goroutines int
	files      int
}

// runSoak soaks the binary for d and prints what it saw; ok is false if something grew.
// The memory of a race detector grows by itself and is not judged.
func runSoak(binary string, d time.Duration, race bool) (ok bool, err error) {
	dir, err := os.MkdirTemp("", "nats-broker-soak-")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	k := &soak{conf: filepath.Join(dir, "nats.conf"), stop: make(chan struct{}), fail: make(chan error, 16)}
	if k.profile, err = freePort(); err != nil {
		return false, err
	}
	if err := os.WriteFile(k.conf, []byte(soakConf(0)), 0o600); err != nil {
		return false, err
	}
	if k.srv, _, err = startServer(binary, "-c", k.conf, "--profile", strconv.Itoa(k.profile)); err != nil {
		return false, err
	}
	defer k.srv.stop()
	before, err := k.begin()
	if err != nil {
		return false, err
	}
	memory, err := k.load(d)
	if err != nil {
		return false, err
	}
	after, err := k.settle(before)
	if err != nil {
		return false, err
	}
	k.srv.stop()
	if log := k.srv.log.String(); strings.Contains(log, "DATA RACE") || strings.Contains(log, "panic") {
		return false, fmt.Errorf("the log tells of a race or a panic:\n%s", tail(log))
	}
	return k.judge(d, memory, before, after, race), nil
}

// begin has a handful of connections arrive at once and leave, which is when a broker
// begins what it keeps for the next ones, and returns how it is then.
func (k *soak) begin() (s sample, err error) {
	var conns [16]net.Conn
	for i := range conns {
		if conns[i], err = net.Dial("tcp", "127.0.0.1:"+strconv.Itoa(k.srv.port)); err != nil {
			return s, err
		}
		defer conns[i].Close()
		if _, err := conns[i].Read(make([]byte, 1)); err != nil { // of INFO
			return s, err
		}
	}
	for _, c := range conns {
		c.Close()
	}
	for still := 0; still < 5; time.Sleep(200 * time.Millisecond) {
		last := s
		if s, err = k.look(); err != nil {
			return s, err
		}
		if still++; s.goroutines != last.goroutines || s.files != last.files {
			still = 0
		}
	}
	return s, nil
}

// load keeps the broker busy for d and returns its memory over that time.
func (k *soak) load(d time.Duration) ([]int64, error) {
	f, err := newFlow(k.srv, pairs(4, 128)(1))
	if err != nil {
		return nil, err
	}
	for _, worker := range []func() error{k.connections, k.subscriptions, k.reload} {
		k.work.Go(func() { // ends when stop is closed; waited for below
			if err := worker(); err != nil {
				k.fail <- err
			}
		})
	}
	memory, err := k.watch(f, d)
	close(k.stop)
	k.work.Wait()
	if err != nil {
		f.close()
		return nil, err
	}
	return memory, f.finish()
}

// watch sends messages at a fixed rate, round by round, and looks at the memory between.
func (k *soak) watch(f *flow, d time.Duration) ([]int64, error) {
	var memory []int64
	for until := time.Now().Add(d); time.Now().Before(until); {
		if _, err := f.paced(soakRate/float64(len(f.pubs)), soakPeriod); err != nil {
			return nil, err
		}
		select {
		case err := <-k.fail:
			return nil, err
		default:
		}
		m, err := k.srv.memory("RssAnon")
		if err != nil {
			return nil, err
		}
		memory = append(memory, m)
	}
	return memory, nil
}

func (k *soak) stopped() bool {
	select {
	case <-k.stop:
		return true
	default:
		return false
	}
}

// connections opens and closes connections, some of them in the middle of a frame.
func (k *soak) connections() error {
	const open = 50
	var conns [open]*net.TCPConn
	defer func() {
		for _, c := range conns {
			if c != nil {
				c.Close()
			}
		}
	}()
	for !k.stopped() {
		i := rand.IntN(open)
		if c := conns[i]; c != nil {
			if rand.IntN(4) == 0 {
				_, _ = c.Write([]byte("PUB soak.torn 100\r\nhalf a mess"))
			}
			c.Close()
		}
		c, err := k.srv.connect()
		if err != nil {
			return err
		}
		conns[i] = c
		if _, err := c.Write([]byte("SUB soak.> 1\r\nSUB soak.q workers 2\r\nPUB soak.hello 2\r\nhi\r\n")); err != nil {
			return err
		}
		k.conns.Add(1)
		time.Sleep(2 * time.Millisecond)
	}
	return nil
}

// subscriptions subscribes and unsubscribes.
func (k *soak) subscriptions() error {
	conn, err := k.srv.connect()
	if err != nil {
		return err
	}
	defer conn.Close()
	c := &churner{conn: conn}
	for !k.stopped() {
		if err := c.churn(time.Millisecond); err != nil {
			return err
		}
		k.subs.Store(int64(c.pairs))
		time.Sleep(10 * time.Millisecond)
	}
	return nil
}

// reload reloads the configuration, with a change.
func (k *soak) reload() error {
	for n := 1; !k.stopped(); n++ {
		next := k.conf + ".next"
		if err := errors.Join(os.WriteFile(next, []byte(soakConf(n)), 0o600), os.Rename(next, k.conf)); err != nil {
			return err
		}
		if err := k.srv.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			return err
		}
		k.reloads.Add(1)
		time.Sleep(time.Second)
	}
	return nil
}

// look counts what the process has.
func (k *soak) look() (s sample, err error) {
	if s.memory, err = k.srv.memory("RssAnon"); err != nil {
		return s, err
	}
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", k.srv.cmd.Process.Pid))
	if err != nil {
		return s, err
	}
	s.files = len(files)
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	answer, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d/debug/pprof/goroutine?debug=1", k.profile))
	if err != nil {
		return s, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return s, err
	}
	_, err = fmt.Sscanf(string(text), "goroutine profile: total %d", &s.goroutines)
	return s, err
}

// settle waits until the process has as little as before, or for patience.
func (k *soak) settle(before sample) (s sample, err error) {
	for until := time.Now().Add(patience); time.Now().Before(until); time.Sleep(200 * time.Millisecond) {
		if s, err = k.look(); err != nil || s.goroutines <= before.goroutines && s.files <= before.files {
			return s, err
		}
	}
	return s, nil
}

// judge prints what was seen.
func (k *soak) judge(d time.Duration, memory []int64, before, after sample, race bool) bool {
	third := len(memory) / 3
	if third == 0 {
		fmt.Println("too short to tell")
		return false
	}
	middle, last := median(memory[third:2*third]), median(memory[2*third:])
	growth := float64(last)/float64(middle) - 1
	fmt.Printf("soak of %s: %d connections, %d pairs of SUB and UNSUB, %d reloads\n", d, k.conns.Load(), k.subs.Load(), k.reloads.Load())
	fmt.Printf("memory: %s in the first third, %s in the second, %s in the last (%+.1f %%)\n",
		bytesText(median(memory[:third])), bytesText(middle), bytesText(last), 100*growth)
	fmt.Printf("goroutines: %d before, %d after; descriptors: %d before, %d after\n", before.goroutines, after.goroutines, before.files, after.files)
	ok := (race || growth <= soakTolerance) && after.goroutines <= before.goroutines && after.files <= before.files
	if !ok {
		fmt.Println("FAILED: something grew")
	}
	return ok
}

func median(list []int64) float64 {
	sorted := slices.Sorted(slices.Values(list))
	return float64(sorted[len(sorted)/2])
}
