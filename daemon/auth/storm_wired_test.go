package auth_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"golang.org/x/crypto/bcrypt"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// TestLoginInAStorm: thirty loops at one address connect with wrong passwords as fast as they are refused, naming nobody,
// another user or him with one wrong password. A user who was not there before gets in from the same address all the same; and after a reload that has
// nothing to do with him, who was in before is in at once, whatever goes on.
func TestLoginInAStorm(t *testing.T) {
	var hashes []any
	for range 2 {
		h, err := bcrypt.GenerateFromPassword([]byte("pw"), 11)
		if err != nil {
			t.Fatal(err)
		}
		hashes = append(hashes, string(h))
	}
	for name, user := range map[string]string{"nobody": "x%d", "another": "other", "himself": "me"} {
		t.Run(name, func(t *testing.T) {
			config := fmt.Sprintf("authorization { users: [ {user: me, password: %q}, {user: other, password: %q} ] }", hashes...)
			s := brokertest.Start(t, brokertest.Options{Binary: brokertest.OursPlain(t), Config: config})
			var stop atomic.Bool
			var tried atomic.Int64
			var storm sync.WaitGroup
			for range 30 {
				storm.Go(func() {
					for !stop.Load() {
						u := user
						if n := tried.Add(1); strings.Contains(u, "%") {
							u = fmt.Sprintf(u, n)
						}
						if nc, err := nats.Connect(s.URL(), nats.UserInfo(u, "wrong"), nats.Timeout(brokertest.Patience)); err == nil {
							nc.Close()
							t.Error("a wrong password is let in")
							return
						}
					}
				})
			}
			defer func() {
				stop.Store(true)
				storm.Wait()
			}()
			for until := time.Now().Add(brokertest.Patience); tried.Load() < 60 && time.Now().Before(until); {
				time.Sleep(10 * time.Millisecond) // between looks, until the storm is at its height
			}
			in := 0
			for range 5 {
				if nc, err := nats.Connect(s.URL(), nats.UserInfo("me", "pw"), nats.Timeout(brokertest.Patience)); err == nil {
					nc.Close()
					in++
				} else {
					t.Log(err)
				}
			}
			if in < 4 { // the first may be late on a machine that does much else
				t.Errorf("in %d times of 5", in)
			}
			from := s.LogLen()
			s.SetConfig(config + "\nmax_subscriptions: 1000")
			s.Signal(syscall.SIGHUP)
			s.WaitLogFrom("Reloaded server configuration", from)
			nc, err := nats.Connect(s.URL(), nats.UserInfo("me", "pw"), nats.Timeout(brokertest.Patience))
			if err != nil {
				t.Fatal("after a reload:", err)
			}
			nc.Close()
		})
	}
}
