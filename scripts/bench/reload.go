package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"slices"
	"syscall"
	"time"
)

// A large configuration, a line for each user, of which one comes new with each reload and some have another password.
const (
	largeUsers   = 5000
	largeChanged = 50
	largeReloads = 8
	largeWindow  = 250 * time.Millisecond // in which messages are looked at, from the signal on
)

// largeConf is the configuration after n reloads.
func largeConf(n int) []byte {
	var b bytes.Buffer
	b.WriteString("authorization { users: [\n{ user: alice, password: a-secret }\n")
	for i := range largeUsers {
		pass := fmt.Sprintf("p-%d", i)
		if i >= n*largeChanged && i < (n+1)*largeChanged {
			pass = fmt.Sprintf("q-%d-%d", i, n)
		}
		fmt.Fprintf(&b, "{ user: \"u%d\", password: %q, permissions: { publish: [\"app.%d.>\", \"shared.%d\"], subscribe: { allow: [\"app.%d.>\", \"_INBOX.>\"], deny: \"app.%d.secret\" } } }\n",
			i, pass, i%100, i%10, i%100, i%100)
	}
	for i := 1; i <= n; i++ {
		fmt.Fprintf(&b, "{ user: %q, password: n-secret }\n", newUser(i))
	}
	b.WriteString("] }\n")
	return b.Bytes()
}

func newUser(n int) string { return fmt.Sprintf("new-%d", n) }

// largeReload measures reloads of a large configuration beside 10,000 messages a second: the time from the signal until
// the new user may log in, the latencies of the messages sent meanwhile, and the processor time of a reload beyond that
// of the messages.
func largeReload(r *run) (result, error) {
	f, err := newFlow(r.srv, pair(128, false)(r.scale))
	if err != nil {
		return nil, err
	}
	res, err := reloadLarge(r, f)
	if err != nil {
		f.close()
		return nil, err
	}
	return res, f.finish()
}

func reloadLarge(r *run, f *flow) (result, error) {
	const perSecond = 10000
	if _, err := f.paced(perSecond, largeWindow); err != nil {
		return nil, err
	}
	still, _, err := r.costs(func() error {
		_, err := f.paced(perSecond, largeReloads*largeWindow)
		return err
	})
	if err != nil {
		return nil, err
	}
	var samples []int64
	var waits []int64
	used, took, err := r.costs(func() error {
		for n := 1; n <= largeReloads; n++ {
			wait, late, err := oneReload(r, f, n, perSecond)
			if err != nil {
				return err
			}
			waits, samples = append(waits, int64(wait)), append(samples, late...)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.Sort(samples)
	slices.Sort(waits)
	res := result{cpu: float64(used-still) / largeReloads, rate: largeReloads / took.Seconds(), wall: float64(waits[len(waits)/2])}
	res.latencies(samples)
	peak, err := r.peak()
	res[rss] = float64(peak)
	return res, err
}

// oneReload has the server read the n-th configuration while messages pass.
func oneReload(r *run, f *flow, n int, perSecond float64) (wait time.Duration, samples []int64, err error) {
	if err := os.WriteFile(r.conf+".next", largeConf(n), 0o600); err != nil {
		return 0, nil, err
	}
	type outcome struct {
		samples []int64
		err     error
	}
	sent := make(chan outcome, 1)
	go func() { // ends with the window; waited for below
		s, err := f.paced(perSecond, largeWindow)
		sent <- outcome{s, err}
	}()
	if err = os.Rename(r.conf+".next", r.conf); err == nil {
		err = r.srv.cmd.Process.Signal(syscall.SIGHUP)
	}
	if err == nil {
		wait, err = untilLogin(r.srv, login{user: newUser(n), pass: "n-secret"}, n)
	}
	end := <-sent
	if err == nil {
		err = end.err
	}
	return wait, end.samples, err
}

// untilLogin tries to log in until it succeeds. Each attempt has an address of its own, as other clients would: a server
// may delay what it says to one that fails again and again.
func untilLogin(s *server, as login, n int) (time.Duration, error) {
	began := time.Now()
	for i := 1; ; i++ {
		from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, byte(n), byte(i/250), byte(1+i%250))}}
		c, err := from.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.port))
		if err != nil {
			return 0, err
		}
		_, err = handshake(c, as)
		c.Close()
		took := time.Since(began)
		if err == nil {
			return took, nil
		}
		if took > patience {
			return 0, fmt.Errorf("the new user is not let in: %w", err)
		}
		time.Sleep(time.Millisecond)
	}
}
