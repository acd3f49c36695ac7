package system

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// picky lets some into the account they name, and nobody else in.
type picky struct{}

func (picky) Requires() broker.AuthRequirements { return broker.AuthRequirements{Auth: true} }

func (picky) Authenticate(_ context.Context, r *broker.AuthRequest) (*broker.Identity, error) {
	if r.Connect.Pass != "good" {
		return nil, &broker.Denied{Err: errors.New("no")}
	}
	return &broker.Identity{Account: r.Connect.User, User: r.Connect.User}, nil
}

// serve lets clients in.
func (b *bench) serve(a broker.Authenticator) (addr string) {
	b.t.Helper()
	o := b.broker.Options()
	o.Authenticator = a
	commit, err := b.broker.Prepare(o)
	if err != nil {
		b.t.Fatal(err)
	}
	commit()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.broker.Serve(l); err != nil {
		b.t.Fatal(err)
	}
	return l.Addr().String()
}

// connect sends a CONNECT and returns the connection.
func (b *bench) connect(addr, connect string) net.Conn {
	b.t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { c.Close() })
	fmt.Fprintf(c, "CONNECT %s\r\nPING\r\n", connect)
	return c
}

// TestEventsKeepSecrets has clients come, go and be refused who say all that can be
// said in CONNECT, and looks for it in what is told of them.
func TestEventsKeepSecrets(t *testing.T) {
	b := newBench(t, Options{})
	b.broker.AddAccount("A")
	b.start()
	events := b.listen("$SYS.>")
	scoped := make(chan got, 64)
	sub, err := b.broker.Global().SubscribeInternal("$SYS.ACCOUNT.CLIENT.AUTH.ERR", "", func(m *broker.Message) {
		scoped <- got{subject: string(m.Subject), body: append([]byte(nil), m.Payload...)}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Unsubscribe()
	addr := b.serve(picky{})
	const secrets = `"auth_token":"sesame1","jwt":"sesame2","sig":"sesame3","proxy_sig":"sesame4"`
	c := b.connect(addr, `{"user":"A","pass":"good","name":"me",`+secrets+`}`)
	var early []got // an account's count and its client's event are told by two goroutines
	seen := func(suffix string) got {
		t.Helper()
		wanted := func(m got) bool { return strings.HasSuffix(m.subject, suffix) }
		if i := slices.IndexFunc(early, wanted); i >= 0 {
			m := early[i]
			early = slices.Delete(early, i, i+1)
			return m
		}
		patience := time.After(brokertest.Patience)
		for {
			var m got
			select {
			case m = <-events:
			case <-patience:
				t.Fatalf("nothing is told on %s", suffix)
			}
			if strings.Contains(string(m.body), "sesame") {
				t.Errorf("%s tells a secret: %s", m.subject, m.body)
			}
			if wanted(m) {
				return m
			}
			early = append(early, m)
		}
	}
	var e struct {
		Type   string
		Client broker.ClientInfo
		Reason string
	}
	if m := seen(".A.CONNECT"); json.Unmarshal(m.body, &e) != nil || e.Type != connectSchema || e.Client.User != "A" || e.Client.Name != "me" {
		t.Errorf("event is %s", m.body)
	}
	seen(".A.SERVER.CONNS")
	c.Close()
	seen(".A.DISCONNECT")
	b.connect(addr, `{"pass":"sesame5","name":"you",`+strings.Replace(secrets, `"jwt":"sesame2",`, "", 1)+`}`)
	m := seen(".CLIENT.AUTH.ERR")
	if json.Unmarshal(m.body, &e) != nil || e.Client.User != "[REDACTED]" || e.Reason != "Authentication Failure" {
		t.Errorf("event is %s", m.body)
	}
	if m := <-scoped; strings.Contains(string(m.body), "sesame") || !strings.Contains(string(m.body), `"reason":"Authentication Failure"`) {
		t.Errorf("the account is told %s", m.body)
	}
	seen(".$G.DISCONNECT")
}

// TestEventsNeverWait fills the outbox: who has news goes on, and what is lost is
// counted.
func TestEventsNeverWait(t *testing.T) {
	b := newBench(t, Options{})
	b.listen("busy")
	busy, free := make(chan bool), make(chan bool)
	b.start()
	b.service.Emit("busy", func(ServerInfo) any { busy <- true; <-free; return "" })
	<-busy
	b.listen("more")
	for i := range maxEvents + 50 {
		if sent := b.service.Emit("more", func(ServerInfo) any { return "" }); sent != (i < maxEvents) {
			t.Fatalf("event %d is taken: %v", i, sent)
		}
	}
	if n := b.service.lanes.DroppedEvents(); n != 50 {
		t.Errorf("%d dropped, want 50", n)
	}
	close(free)
}

// TestUnheardEventsAreNotMade: nothing is made for nobody, our own ears not counted.
func TestUnheardEventsAreNotMade(t *testing.T) {
	b := newBench(t, Options{})
	b.start()
	made := func(ServerInfo) any { t.Error("made for nobody"); return "" }
	b.service.Emit("$SYS.ACCOUNT.A.CONNECT", made)
	b.service.Emit("$SYS.SERVER.x.STATSZ", made) // we listen to those of others
	b.ask("$SYS.REQ.SERVER.PING.IDZ", "", "")
	b.service.Stop()
}

// TestClock looks at when the server tells of itself, and when silent servers are
// forgotten.
func TestClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Options{})
		told := b.listen("$SYS.SERVER.*.STATSZ")
		began := time.Now()
		b.start()
		b.service.heard(&ServerInfo{ID: "other", Seq: 1})
		b.service.servers.set("other", "A", 7)
		var at []time.Duration
		for len(at) < 10 {
			<-told
			at = append(at, time.Since(began).Truncate(time.Millisecond))
		}
		// At once, for the server that was heard, and then ever more rarely.
		want := "[0s 250ms 750ms 1.75s 3.75s 7.75s 15.75s 25.75s 35.75s 45.75s]"
		if fmt.Sprint(at) != want {
			t.Errorf("told at %v, want %s", at, want)
		}
		for b.service.servers.count() > 0 {
			time.Sleep(time.Second)
		}
		if gone := time.Since(began); gone < 150*time.Second || gone > 250*time.Second {
			t.Errorf("a silent server is forgotten after %v", gone)
		}
		b.service.Stop()
		b.broker.Stop()
	})
}

// TestNewsAreInOrder: what is older than what was heard does not count.
func TestNewsAreInOrder(t *testing.T) {
	var v servers
	now := time.Now()
	if v.hear(&ServerInfo{ID: "x", Seq: 5}, now) != unknown || v.hear(&ServerInfo{ID: "x", Seq: 5}, now) != stale || v.hear(&ServerInfo{ID: "x", Seq: 6}, now) != known {
		t.Error("the order is not looked at")
	}
	v.hear(&ServerInfo{ID: "y", Seq: 1}, now)
	if v.set("x", "A", 3) != 3 || v.set("y", "A", 4) != 7 || v.set("x", "A", 1) != 5 || v.set("nobody", "A", 9) != 5 {
		t.Error("connections are not added up")
	}
	if left := v.forget("y"); left["A"] != 1 || v.forget("y") != nil || v.with("A") != 1 {
		t.Errorf("left: %v", left)
	}
}
