// Package leafs_test runs hubs and leaf nodes as processes, in all four mixes of ours and nats-server.
package leafs_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// mixes are who is the hub and who the leaf node.
var mixes = []struct {
	name              string
	hubTheirs, theirs bool
}{{"ours to ours", false, false}, {"ours to nats-server", true, false}, {"nats-server to ours", false, true}, {"nats-server to nats-server", true, true}}

// binary is the server to start; empty is ours.
func binary(t testing.TB, theirs bool) string {
	if theirs {
		return brokertest.NATSServer(t)
	}
	return ""
}

// server is a process with its ports.
type server struct {
	*brokertest.Server
	t      testing.TB
	theirs bool
	http   int
	leaf   int // where leaf nodes connect
	conns  map[string]*nats.Conn
}

// start starts a server. In config, HTTP and LEAF stand for ports.
func start(t testing.TB, theirs bool, config string) *server {
	t.Helper()
	s := &server{t: t, theirs: theirs, http: brokertest.FreePort(t), leaf: brokertest.FreePort(t), conns: map[string]*nats.Conn{}}
	s.Server = brokertest.Start(t, brokertest.Options{Binary: binary(t, theirs), Config: s.fill(config), Args: []string{"-D"}})
	t.Cleanup(func() { s.drop() })
	return s
}

func (s *server) fill(config string) string {
	config = "http: '127.0.0.1:" + fmt.Sprint(s.http) + "'\n" + config
	return strings.ReplaceAll(config, "LEAF", fmt.Sprintf("'127.0.0.1:%d'", s.leaf))
}

// drop closes the clients.
func (s *server) drop() {
	for _, nc := range s.conns {
		nc.Close()
	}
	clear(s.conns)
}

// url is where a leaf node connects as a user.
func (s *server) url(user string) string {
	return fmt.Sprintf("nats://%s:p@127.0.0.1:%d", user, s.leaf)
}

// as is a client of a user, one for all rows.
func (s *server) as(user string) *nats.Conn {
	s.t.Helper()
	if nc := s.conns[user]; nc != nil {
		return nc
	}
	nc, err := nats.Connect(s.URL(), nats.Timeout(brokertest.Patience), nats.UserInfo(user, "p"), nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond),
		nats.IgnoreAuthErrorAbort(), // a test may refuse a user for a while
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err != nil {
		s.t.Fatal(err)
	}
	s.conns[user] = nc
	return nc
}

// get asks the monitor.
func (s *server) get(path string, into any) {
	s.t.Helper()
	res, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d%s", s.http, path))
	if err != nil {
		s.t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(into); err != nil {
		s.t.Fatal(err)
	}
}

type leafRow struct {
	Name        string   `json:"name"`
	Spoke       bool     `json:"is_spoke"`
	Isolated    bool     `json:"is_isolated"`
	Account     string   `json:"account"`
	Subs        int      `json:"subscriptions"`
	List        []string `json:"subscriptions_list"`
	Compression string   `json:"compression"`
	RTT         string   `json:"rtt"`
	InMsgs      int      `json:"in_msgs"`
	OutMsgs     int      `json:"out_msgs"`
}

// leafs lists the leaf node connections of an account.
func (s *server) leafs(account string) []leafRow {
	z := struct {
		Leafs []leafRow `json:"leafs"`
	}{}
	s.get("/leafz?subs=1&acc="+account, &z)
	return z.Leafs
}

// wanted is what the only peer of an account wants, without what each server wants of each.
func (s *server) wanted(account string) []string {
	list := []string{}
	for _, l := range s.leafs(account) {
		for _, w := range l.List {
			if !strings.HasPrefix(w, "$") && !strings.HasPrefix(w, "_") {
				list = append(list, w)
			}
		}
	}
	slices.Sort(list)
	return list
}

var lastSubject atomic.Int64

// fresh is a subject that nobody has used.
func fresh(prefix string) string { return fmt.Sprintf("%s.%d", prefix, lastSubject.Add(1)) }

// eventually waits for a condition that processes bring about; it fails after brokertest.Patience.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(brokertest.Patience); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v", what, brokertest.Patience)
		}
		time.Sleep(5 * time.Millisecond) // between looks, not before one
	}
}

func subscribe(t testing.TB, nc *nats.Conn, subject string) *nats.Subscription {
	t.Helper()
	sub, err := nc.SubscribeSync(subject)
	if err != nil {
		t.Fatal(err)
	}
	flush(t, nc)
	t.Cleanup(func() { _ = sub.Unsubscribe() })
	return sub
}

func group(t testing.TB, nc *nats.Conn, subject, queue string) *nats.Subscription {
	t.Helper()
	sub, err := nc.QueueSubscribeSync(subject, queue)
	if err != nil {
		t.Fatal(err)
	}
	flush(t, nc)
	t.Cleanup(func() { _ = sub.Unsubscribe() })
	return sub
}

// reach waits until what one client publishes reaches the other: so does all interest that was told before.
func reach(t testing.TB, from, to *nats.Conn, prefix string) {
	t.Helper()
	subject := fresh(prefix)
	sub := subscribe(t, to, subject)
	eventually(t, "a message on "+subject, func() bool {
		publish(t, from, subject, "")
		_, err := sub.NextMsg(50 * time.Millisecond)
		return err == nil
	})
	_ = sub.Unsubscribe()
}

// flush waits until the server has everything that a client said. A flush ends without that if the connection is lost
// meanwhile, of which the client may learn late.
func flush(t testing.TB, nc *nats.Conn) {
	t.Helper()
	eventually(t, "a flush", func() bool { return nc.FlushTimeout(brokertest.Patience/4) == nil })
}

func publish(t testing.TB, nc *nats.Conn, subject, data string) {
	t.Helper()
	if err := nc.Publish(subject, []byte(data)); err != nil {
		t.Fatal(err)
	}
	flush(t, nc)
}

// next is the next message of a subscription.
func next(t testing.TB, sub *nats.Subscription) *nats.Msg {
	t.Helper()
	m, err := sub.NextMsg(brokertest.Patience)
	if err != nil {
		t.Fatalf("%s: %v", sub.Subject, err)
	}
	return m
}

// none holds that nothing is waiting: what could have come has come.
func none(t testing.TB, sub *nats.Subscription) {
	t.Helper()
	if n, _, err := sub.Pending(); err != nil || n != 0 {
		m, _ := sub.NextMsg(time.Second)
		t.Errorf("%s got %v, %d messages (%v)", sub.Subject, m, n, err)
	}
}
