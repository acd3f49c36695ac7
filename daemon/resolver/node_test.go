package resolver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"github.com/nats-broker/nats-broker/daemon/logging"
)

// line is a bus of one server, on which nobody else is.
type line struct {
	handlers map[string]func(*Request)
	peers    int
	silent   func() // called when somebody asks, and nobody answers; nil: all do
	sent     []string
}

func (l *line) Handle(pattern, _ string, f func(*Request)) error {
	l.handlers[pattern] = f
	return nil
}

func (l *line) Ask(ctx context.Context, subject string, _ []byte, each func([]byte) bool) error {
	l.sent = append(l.sent, subject)
	for more := true; more; { // all say that they do not have it
		if l.silent != nil {
			l.silent()
			<-ctx.Done()
			return ctx.Err()
		}
		more = each(nil)
	}
	return nil
}

func (l *line) Publish(subject, _ string, _ []byte) { l.sent = append(l.sent, subject) }

func (l *line) Inbox() string { return "inbox" }
func (l *line) Peers() int    { return l.peers }

// ledger is accounts in use.
type ledger struct {
	known   map[string]bool
	updated []string
	removed []string
}

func (l *ledger) Known(id string) bool { return l.known[id] }
func (l *ledger) Validate(text string) error {
	if strings.Contains(text, "\x00") {
		return errors.New("no")
	}
	return nil
}
func (l *ledger) Update(id, _ string) error { l.updated = append(l.updated, id); return nil }
func (l *ledger) Remove(id string)          { l.removed = append(l.removed, id) }

// ask gives a request to the node and returns the answer.
func (l *line) ask(pattern, subject string, body []byte) string {
	var said []string
	l.handlers[pattern](&Request{
		Subject: subject, Reply: "r", Body: body,
		Answer:  func(b []byte) { said = append(said, string(b)) },
		Respond: func(data, err any) { said = append(said, fmt.Sprint(data, err)) },
	})
	return strings.Join(said, "\n")
}

// TestFetch: an account that is not here is asked for, and that nobody has it is known as soon as all have said so.
func TestFetch(t *testing.T) {
	m := newMaker(t)
	bus, users := &line{handlers: map[string]func(*Request){}}, &ledger{}
	n := NewNode(open(t, Options{}), bus, users, NodeOptions{Interval: time.Hour}, logging.Discard())
	if err := n.Start(); err != nil {
		t.Fatal(err)
	}
	defer n.Stop()
	id := m.account()
	if _, err := n.Fetch(t.Context(), id); !errors.Is(err, ErrMissing) || len(bus.sent) > 0 {
		t.Errorf("alone: %v, asked %v", err, bus.sent)
	}
	bus.peers = 1
	if _, err := n.Fetch(t.Context(), id); !errors.Is(err, ErrNotFound) || len(bus.sent) != 1 {
		t.Errorf("with another: %v, asked %v", err, bus.sent)
	}
	n.Preload(map[string]string{id: m.jwt(id, "x", time.Time{})})
	if _, err := n.Fetch(t.Context(), id); err != nil {
		t.Error(err)
	}
	other := m.account()
	n.Change(NodeOptions{Interval: time.Hour, Timeout: time.Millisecond})
	bus.silent = func() {}
	if _, err := n.Fetch(t.Context(), other); !errors.Is(err, ErrTimeout) {
		t.Errorf("nobody answers: %v", err)
	}
	n.Change(NodeOptions{Interval: time.Hour, Timeout: time.Hour})
	bus.silent = func() { n.end() }
	if _, err := n.Fetch(t.Context(), other); !errors.Is(err, errShutdown) {
		t.Errorf("the node ends: %v", err)
	}
}

// TestUsersFollow: an account in use follows what is pushed, merged or read again, and ends when it is deleted.
func TestUsersFollow(t *testing.T) {
	m := newMaker(t)
	opID, err := m.op.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	id, idle := m.account(), m.account()
	bus, users := &line{handlers: map[string]func(*Request){}}, &ledger{known: map[string]bool{id: true}}
	d := open(t, Options{Delete: Unlink})
	n := NewNode(d, bus, users, NodeOptions{Operator: opID, Keys: []string{opID}, Interval: time.Hour}, logging.Discard())
	if err := n.Start(); err != nil {
		t.Fatal(err)
	}
	defer n.Stop()
	for _, x := range []string{id, idle} {
		if got := bus.ask(updateSubject, updateSubject, []byte(m.jwt(x, "pushed", time.Time{}))); !strings.Contains(got, "jwt updated") {
			t.Error(got)
		}
	}
	merged := id + "|" + m.jwt(id, "merged", time.Time{})
	bus.ask("inbox", "inbox", []byte(merged))
	if err := os.WriteFile(filepath.Join(d.Path(), id+".jwt"), []byte(m.jwt(id, "copied", time.Time{})), 0o600); err != nil {
		t.Fatal(err)
	}
	n.Reload()
	if want := fmt.Sprint([]string{id, id, id}); fmt.Sprint(users.updated) != want {
		t.Errorf("updated %v, want %v", users.updated, want)
	}
	c := jwt.NewGenericClaims(opID)
	c.Data["accounts"] = []string{id, idle}
	text, err := c.Encode(m.op)
	if err != nil {
		t.Fatal(err)
	}
	if got := bus.ask(deleteSubject, deleteSubject, []byte(text)); !strings.Contains(got, "deleted 2 accounts") {
		t.Error(got)
	}
	if fmt.Sprint(users.removed) != fmt.Sprint([]string{id, idle}) {
		t.Errorf("removed %v", users.removed)
	}
}

// FuzzRequests gives a node any body for each of its requests. What is stored afterwards is a JWT of its account.
func FuzzRequests(f *testing.F) {
	raw := make([]byte, 32)
	raw[0] = 1
	op, err := nkeys.FromRawSeed(nkeys.PrefixByteOperator, raw)
	if err != nil {
		f.Fatal(err)
	}
	acc, err := nkeys.FromRawSeed(nkeys.PrefixByteAccount, raw)
	if err != nil {
		f.Fatal(err)
	}
	id, err := acc.PublicKey()
	if err != nil {
		f.Fatal(err)
	}
	opID, err := op.PublicKey()
	if err != nil {
		f.Fatal(err)
	}
	text, err := jwt.NewAccountClaims(id).Encode(op)
	if err != nil {
		f.Fatal(err)
	}
	g := jwt.NewGenericClaims(opID)
	g.Data["accounts"] = []any{id, 5, nil}
	deletion, err := g.Encode(op)
	if err != nil {
		f.Fatal(err)
	}
	for _, body := range []string{"", "x", text, id + "|" + text, deletion, "|\n|", strings.Repeat("a.", 100)} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		bus := &line{handlers: map[string]func(*Request){}}
		d, err := Open(Options{Path: t.TempDir(), Delete: Unlink}, logging.Discard())
		if err != nil {
			t.Fatal(err)
		}
		n := NewNode(d, bus, &ledger{known: map[string]bool{id: true}}, NodeOptions{Keys: []string{opID}, Interval: time.Hour}, logging.Discard())
		if err := n.Start(); err != nil {
			t.Fatal(err)
		}
		defer n.Stop()
		for pattern := range bus.handlers {
			bus.ask(pattern, strings.Replace(pattern, "*", id, 1), body)
		}
		for _, id := range d.Accounts() {
			if _, err := d.read(id); err != nil {
				t.Errorf("%s: %v", id, err)
			}
		}
	})
}
