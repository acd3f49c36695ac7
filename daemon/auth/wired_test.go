package auth_test

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
	"golang.org/x/crypto/bcrypt"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// binaries are the broker and the original: what follows holds for both.
func binaries(t *testing.T) map[string]string {
	t.Helper()
	return map[string]string{"nats-broker": brokertest.Ours(t), "nats-server": brokertest.NATSServer(t)}
}

// TestNkeyClient signs in with a real client and a key file, and is refused with another key.
func TestNkeyClient(t *testing.T) {
	for name, bin := range binaries(t) {
		t.Run(name, func(t *testing.T) {
			good, goodKey := seedFile(t)
			bad, _ := seedFile(t)
			s := brokertest.Start(t, brokertest.Options{Binary: bin, Config: fmt.Sprintf(
				"accounts { A { users: [ {nkey: %s, permissions: {publish: a, subscribe: a}} ] } }", goodKey)})
			opt, err := nats.NkeyOptionFromSeed(good)
			if err != nil {
				t.Fatal(err)
			}
			nc, err := nats.Connect(s.URL(), opt)
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			sub, err := nc.SubscribeSync("a")
			if err != nil {
				t.Fatal(err)
			}
			if err := nc.Publish("a", []byte("hello")); err != nil {
				t.Fatal(err)
			}
			if m, err := sub.NextMsg(brokertest.Patience); err != nil || string(m.Data) != "hello" {
				t.Fatal(m, err)
			}
			if opt, err = nats.NkeyOptionFromSeed(bad); err != nil {
				t.Fatal(err)
			}
			if nc, err := nats.Connect(s.URL(), opt); err == nil || !strings.Contains(err.Error(), "Authorization Violation") {
				if nc != nil {
					nc.Close()
				}
				t.Errorf("an unknown key: %v", err)
			}
		})
	}
}

// seedFile writes a new user key and returns its file and its public half.
func seedFile(t *testing.T) (path, public string) {
	t.Helper()
	kp, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	seed, err := kp.Seed()
	if err != nil {
		t.Fatal(err)
	}
	if public, err = kp.PublicKey(); err != nil {
		t.Fatal(err)
	}
	f, err := os.CreateTemp(t.TempDir(), "*.nk")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(seed); err != nil {
		t.Fatal(err)
	}
	return f.Name(), public
}

// TestStormOfHashes connects a fleet at once whose password is hashed at a cost of tenths of a second: all are in, and
// a client that was there before is served meanwhile.
func TestStormOfHashes(t *testing.T) {
	h, err := bcrypt.GenerateFromPassword([]byte("pw"), 11)
	if err != nil {
		t.Fatal(err)
	}
	s := brokertest.Start(t, brokertest.Options{Config: fmt.Sprintf(
		"authorization { timeout: 20, users: [ {user: fleet, password: %q}, {user: a, password: x} ] }", h)})
	steady, err := nats.Connect(s.URL(), nats.UserInfo("a", "x"))
	if err != nil {
		t.Fatal(err)
	}
	defer steady.Close()
	sub, err := steady.SubscribeSync("echo")
	if err != nil {
		t.Fatal(err)
	}
	var fleet sync.WaitGroup
	for range 100 {
		fleet.Go(func() {
			nc, err := nats.Connect(s.URL(), nats.UserInfo("fleet", "pw"), nats.Timeout(brokertest.Patience))
			if err != nil {
				t.Error(err)
				return
			}
			nc.Close()
		})
	}
	for range 1000 {
		if err := steady.Publish("echo", nil); err != nil {
			t.Fatal(err)
		}
		if _, err := sub.NextMsg(brokertest.Patience); err != nil {
			t.Fatal(err)
		}
	}
	fleet.Wait()
}

// TestReloadUnderTraffic reloads users many times while a client publishes: the client, whose rights do not change,
// loses nothing and is not disconnected; another one's rights alternate, and what it may do is what the last reload says.
func TestReloadUnderTraffic(t *testing.T) {
	config := func(subject string) string {
		return fmt.Sprintf("authorization { users: [ {user: steady, password: x, permissions: {publish: s, subscribe: s}}, "+
			"{user: turns, password: x, permissions: {publish: %q}} ] }", subject)
	}
	s := brokertest.Start(t, brokertest.Options{Config: config("a")})
	gone := make(chan error, 1)
	steady, err := nats.Connect(s.URL(), nats.UserInfo("steady", "x"), nats.NoReconnect(),
		nats.ClosedHandler(func(nc *nats.Conn) { gone <- nc.LastError() }))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { steady.Close(); <-gone }()
	sub, err := steady.SubscribeSync("s")
	if err != nil {
		t.Fatal(err)
	}
	turns := s.Open(t, `{"verbose":false,"user":"turns","pass":"x"}`)
	from := s.LogLen()
	for i := range 20 {
		now, before := "a", "b"
		if i%2 == 0 {
			now, before = "b", "a"
		}
		s.SetConfig(config(now))
		s.Signal(syscall.SIGHUP)
		for range 200 {
			if err := steady.Publish("s", nil); err != nil {
				t.Fatal(err)
			}
		}
		from = s.WaitLogFrom("Reloaded server configuration", from)
		turns.Send("PUB " + now + " 0\r\n\r\nPUB " + before + " 0\r\n\r\n")
		want := fmt.Sprintf("-ERR 'Permissions Violation for Publish to %q'", before)
		if got := turns.Sync(); len(got) != 1 || strings.TrimSpace(got[0]) != want {
			t.Fatalf("after reload %d: %q, want %q", i, got, want)
		}
	}
	for i := range 20 * 200 {
		if _, err := sub.NextMsg(brokertest.Patience); err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
	}
}

// TestWeightedMappingNeedsRight: where a mapping leaves the subject to chance, each of the subjects needs the right to
// publish, also for a client that may answer messages.
func TestWeightedMappingNeedsRight(t *testing.T) {
	const messages = 50
	s := brokertest.Start(t, brokertest.Options{Config: `
		mappings { in: [ {destination: out.allowed, weight: 50}, {destination: out.denied, weight: 50} ] }
		authorization { users: [ {user: all, password: x},
			{user: a, password: x, permissions: {publish: [in, out.allowed], allow_responses: true}} ] }`})
	all := s.Open(t, `{"verbose":false,"user":"all","pass":"x"}`)
	all.Send("SUB > 1\r\n")
	all.Sync()
	a := s.Open(t, `{"verbose":false,"user":"a","pass":"x"}`)
	for range messages {
		a.Send("PUB in 0\r\n\r\n")
	}
	refused := 0
	for _, f := range a.Sync() {
		if strings.TrimSpace(f) != `-ERR 'Permissions Violation for Publish to "out.denied"'` {
			t.Errorf("got %q", f)
		}
		refused++
	}
	arrived := 0
	for _, f := range all.Sync() {
		if !strings.HasPrefix(f, "MSG out.allowed ") {
			t.Errorf("arrived: %q", f)
		}
		arrived++
	}
	if refused == 0 || arrived == 0 || refused+arrived != messages {
		t.Errorf("%d refused, %d arrived of %d", refused, arrived, messages)
	}
}

// TestSecondAccountEndsAnonymous: users of the system account alone leave everybody else as they are; with another
// account beside it, nobody gets in without credentials. Both servers.
func TestSecondAccountEndsAnonymous(t *testing.T) {
	for name, bin := range binaries(t) {
		t.Run(name, func(t *testing.T) {
			for config, open := range map[string]bool{
				"accounts { $SYS { users: [ {user: admin, password: x} ] } }":                 true,
				"accounts { $SYS { users: [ {user: admin, password: x} ] }, OTHER { } }":      false,
				"system_account: S\naccounts { S { users: [ {user: admin, password: x} ] } }": true,
			} {
				s := brokertest.Start(t, brokertest.Options{Binary: bin, Config: config})
				nc, err := nats.Connect(s.URL())
				if (err == nil) != open {
					t.Errorf("%s: without credentials: %v", config, err)
				}
				if nc != nil {
					nc.Close()
				}
			}
		})
	}
}
