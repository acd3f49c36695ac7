package streams

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// backup is a stream as it was carried away.
type backup struct {
	Config json.RawMessage `json:"config"`
	State  json.RawMessage `json:"state"`
	bytes  []byte
	status string // of the end
	pieces int
}

// takeAway has a broker send a stream.
func (p *peer) takeAway(name, more string) *backup {
	p.t.Helper()
	inbox := nats.NewInbox()
	sub, err := p.nc.SubscribeSync(inbox)
	p.must(err)
	r, err := p.nc.Request("$JS.API.STREAM.SNAPSHOT."+name, fmt.Appendf(nil, `{"deliver_subject":%q%s}`, inbox, more), patience)
	p.must(err)
	b := new(backup)
	p.must(json.Unmarshal(r.Data, b))
	if b.Config == nil {
		p.t.Fatalf("%s", r.Data)
	}
	for {
		m, err := sub.NextMsg(patience)
		p.must(err)
		if len(m.Data) == 0 {
			b.status = m.Header.Get("Status") + " " + m.Header.Get("Description")
			break
		}
		b.pieces++
		b.bytes = append(b.bytes, m.Data...)
		if m.Reply != "" {
			p.must(m.Respond(nil))
		}
	}
	p.must(sub.Unsubscribe())
	return b
}

// bring has a broker make a stream of a backup, and returns what it says.
func (p *peer) bring(name string, config json.RawMessage, b *backup, size int) string {
	p.t.Helper()
	r, err := p.nc.Request("$JS.API.STREAM.RESTORE."+name, fmt.Appendf(nil, `{"config":%s,"state":%s}`, config, b.State), patience)
	p.must(err)
	var to struct {
		Subject string `json:"deliver_subject"`
	}
	p.must(json.Unmarshal(r.Data, &to))
	if to.Subject == "" {
		return string(r.Data)
	}
	for rest := b.bytes; ; {
		n := min(size, len(rest))
		r, err := p.nc.Request(to.Subject, rest[:n], patience)
		p.must(err)
		if len(r.Data) > 0 {
			return string(r.Data)
		}
		if n == 0 {
			return "" // an answer was due
		}
		rest = rest[n:]
	}
}

// carried is what makes the stream that is carried from one to the other.
var carried = map[string][]string{
	"limits": append(append([]string(nil), filled...),
		`req $JS.API.CONSUMER.CREATE.S.c {"stream_name":"S","config":{"durable_name":"c","ack_policy":"explicit","max_deliver":5,"ack_wait":3600000000000}}`,
		`get $JS.API.CONSUMER.MSG.NEXT.S.c {"batch":4,"expires":20000000000,"max_bytes":100000}`,
		`req $JS.ACK.S.c.1.1.1.0.0`, `req $JS.ACK.S.c.1.3.3.0.0`, `req $JS.ACK.S.c.1.2.2.0.0 -NAK`,
		`get $JS.API.CONSUMER.MSG.NEXT.S.c {"batch":1,"expires":20000000000,"max_bytes":100000}`,
		`req $JS.API.CONSUMER.CREATE.S.d {"stream_name":"S","config":{"durable_name":"d","ack_policy":"all","filter_subject":"a.x","description":"text"}}`,
		`get $JS.API.CONSUMER.MSG.NEXT.S.d {"batch":2,"expires":20000000000,"max_bytes":100000}`, `req $JS.ACK.S.d.1.1.1.0.0`,
		`req $JS.API.CONSUMER.CREATE.S.e {"stream_name":"S","config":{"durable_name":"e","ack_policy":"none","deliver_policy":"new"}}`,
	),
	"queue": {
		`req $JS.API.STREAM.CREATE.S {"name":"S","subjects":["a.>"],"storage":"%kind","retention":"workqueue","first_seq":100}`,
		`req $JS.API.CONSUMER.CREATE.S.c {"stream_name":"S","config":{"durable_name":"c","ack_policy":"explicit","ack_wait":3600000000000}}`,
		`req a.1 one`, `req a.2 two`, `req a.3 three`, `req a.4 four`,
		`get $JS.API.CONSUMER.MSG.NEXT.S.c {"batch":3,"expires":20000000000,"max_bytes":100000}`, `req $JS.ACK.S.c.1.101.2.0.0`,
	},
	"empty": {`req $JS.API.STREAM.CREATE.S {"name":"S","subjects":["a.>"],"storage":"%kind","description":"nothing in it"}`},
	"purged": append(append([]string(nil), filled...), `req $JS.API.STREAM.PURGE.S`,
		`req $JS.API.CONSUMER.CREATE.S.c {"stream_name":"S","config":{"durable_name":"c","ack_policy":"explicit"}}`),
	"last gone": append(append([]string(nil), filled...), `req $JS.API.STREAM.MSG.DELETE.S {"seq":6}`),
	"large": {
		`req $JS.API.STREAM.CREATE.S {"name":"S","subjects":["a.>"],"storage":"%kind"}`,
		`req a.1 ` + strings.Repeat("0123456789", 30_000), `req a.2 ` + strings.Repeat("abcdefghij", 30_000), `fill a 300`,
	},
}

// What differs between what was and what was restored: consumers are made anew, and have not been active; without messages it is not
// known when the last one came, and nats-server has a stream that never had one begin at 1.
var (
	actives = regexp.MustCompile(`,"last_active":"<time>"`)
	empties = regexp.MustCompile(`("messages":0,"bytes":0,"first_seq":)[01],(.*?"last_ts":)"[^"]*"`)
	cleared = regexp.MustCompile(`("messages":0,.*?"last_ts":)"[^"]*"`)
)

func (p *peer) held() string {
	out := p.holdings()
	for _, name := range p.streams() {
		r, err := p.nc.Request("$JS.API.CONSUMER.LIST."+name, nil, patience)
		p.must(err)
		out += mask(string(r.Data)) + "\n"
	}
	out = empties.ReplaceAllString(actives.ReplaceAllString(out, ""), `${1}0,${2}"<time>"`)
	return cleared.ReplaceAllString(out, `$1"<time>"`)
}

// TestArchives carries streams from each broker to each, and looks whether what comes is what was.
func TestArchives(t *testing.T) {
	theirs, ours := pair(t, "")
	peers := map[string]*peer{"nats-server": theirs, "nats-broker": ours}
	for _, p := range peers {
		p.t = t
	}
	for what, steps := range carried {
		for _, storage := range storages {
			for from, a := range peers {
				n := int(talks.Add(1))
				name := fmt.Sprint("S", n)
				a.play(talk{name: what, steps: steps}, storage, n)
				want := a.held()
				more := ""
				if what == "large" {
					more = `,"chunk_size":20000,"window_size":60000`
				}
				b := a.takeAway(name, more)
				if b.pieces > 1 && b.status != "204 " || b.pieces == 1 && b.status != " " {
					t.Errorf("%s of %s: it ends with %q after %d pieces", what, from, b.status, b.pieces)
				}
				a.tidy()
				for to, c := range peers {
					said := c.bring(name, b.Config, b, 1000+40_000*(n%2))
					if !strings.Contains(said, `"stream_create_response"`) && !strings.Contains(said, `stream_create_response","config"`) {
						t.Errorf("%s, %s, %s to %s: %s", what, storage, from, to, said)
					}
					if got := c.held(); got != want {
						t.Errorf("%s, %s, %s to %s:\n%s", what, storage, from, to, diff(want, got))
					}
					if what == "limits" {
						m := &nats.Msg{Subject: "a.y", Header: nats.Header{"Nats-Msg-Id": {"id6"}}, Data: []byte("again")}
						r, err := c.nc.RequestMsg(m, patience)
						c.must(err)
						if !strings.Contains(string(r.Data), `"duplicate": true`) {
							t.Errorf("%s to %s: an id is forgotten: %s", from, to, r.Data)
						}
					}
					c.tidy()
				}
			}
		}
	}
}

// TestDamagedArchives brings what is no archive, or part of one, to both.
func TestDamagedArchives(t *testing.T) {
	theirs, ours := pair(t, "")
	theirs.t, ours.t = t, t
	theirs.play(talk{steps: carried["limits"]}, "file", 1)
	b := theirs.takeAway("S1", "")
	theirs.tidy()
	for name, data := range map[string][]byte{
		"cut off": b.bytes[:len(b.bytes)-20], "nothing": nil, "text": bytes.Repeat([]byte("no archive "), 50), "a byte turned": turned(b.bytes),
	} {
		x := *b
		x.bytes = data
		for who, p := range map[string]*peer{"nats-server": theirs, "nats-broker": ours} {
			said := p.bring("S1", b.Config, &x, 1000)
			if !strings.Contains(said, `"err_code":10062`) {
				t.Errorf("%s, %s: %s", name, who, said)
			}
			if who == "nats-broker" && len(p.streams()) > 0 {
				t.Errorf("%s: a stream is there", name)
			}
			p.tidy()
		}
	}
}

func turned(b []byte) []byte {
	b = bytes.Clone(b)
	b[len(b)/2] ^= 0x10
	return b
}

// TestArchiveOutlives restores a stream, kills the broker, and looks whether it is there.
func TestArchiveOutlives(t *testing.T) {
	s := brokertest.Start(t, brokertest.Options{Config: config(t, "")})
	p := newPeer(t, s)
	p.play(talk{steps: carried["limits"]}, "file", 1)
	b := p.takeAway("S1", "")
	p.tidy()
	if said := p.bring("S1", b.Config, b, 1000); strings.Contains(said, "error") {
		t.Fatal(said)
	}
	want := p.held()
	s.Kill()
	s.Restart()
	p = newPeer(t, s)
	if got := p.held(); got != want {
		t.Error(diff(want, got))
	}
}

// TestSnapshotWithoutAcks listens for a snapshot and never says that a piece has come.
func TestSnapshotWithoutAcks(t *testing.T) {
	theirs, ours := pair(t, "")
	said := inBoth(theirs, ours, func(p *peer) (said string) {
		p.play(talk{steps: carried["large"]}, "memory", 1)
		sub, err := p.nc.SubscribeSync("deaf")
		p.must(err)
		_, err = p.nc.Request("$JS.API.STREAM.SNAPSHOT.S1", []byte(`{"deliver_subject":"deaf","chunk_size":1024,"window_size":2048}`), patience)
		p.must(err)
		for {
			m, err := sub.NextMsg(patience)
			p.must(err)
			reply := strings.Split(m.Reply, ".")
			said += fmt.Sprintf("%d bytes, %v, %s\n", len(m.Data), m.Header, strings.Join(reply[max(0, len(reply)-2):], "."))
			if len(m.Data) == 0 {
				return said
			}
		}
	})
	if said[0] != said[1] || strings.Count(said[0], "\n") != 3 {
		t.Error(diff(said[0], said[1]))
	}
}

// TestRestoreStalls begins a restore and sends a part of the archive only.
func TestRestoreStalls(t *testing.T) {
	ours := newPeer(t, brokertest.Start(t, brokertest.Options{Config: config(t, "")}))
	ours.play(talk{steps: carried["limits"]}, "file", 1)
	b := ours.takeAway("S1", "")
	ours.tidy()
	over, err := ours.nc.SubscribeSync("$JS.EVENT.ADVISORY.STREAM.RESTORE_COMPLETE.S1")
	ours.must(err)
	ours.must(ours.nc.Flush())
	r, err := ours.nc.Request("$JS.API.STREAM.RESTORE.S1", fmt.Appendf(nil, `{"config":%s,"state":%s}`, b.Config, b.State), patience)
	ours.must(err)
	var to struct {
		Subject string `json:"deliver_subject"`
	}
	ours.must(json.Unmarshal(r.Data, &to))
	_, err = ours.nc.Request(to.Subject, b.bytes[:100], patience)
	ours.must(err)
	m, err := over.NextMsg(patience)
	ours.must(err)
	if !strings.Contains(string(m.Data), `"bytes":100`) {
		t.Errorf("%s", m.Data)
	}
	if len(ours.streams()) > 0 {
		t.Error("half a stream is there")
	}
	if _, err := ours.nc.Request(to.Subject, b.bytes[100:], patience); !errors.Is(err, nats.ErrNoResponders) {
		t.Error(err)
	}
}

// TestSnapshotHeardLate subscribes when it has the answer, as the command-line client does; its inbox is among those that a wildcard
// takes from the beginning.
func TestSnapshotHeardLate(t *testing.T) {
	theirs, ours := pair(t, "")
	for who, p := range map[string]*peer{"nats-server": theirs, "nats-broker": ours} {
		p.t = t
		p.play(talk{steps: carried["limits"]}, "file", 1)
		to := p.nc.NewRespInbox()
		_, err := p.nc.Request("$JS.API.STREAM.SNAPSHOT.S1", fmt.Appendf(nil, `{"deliver_subject":%q}`, to), patience)
		p.must(err)
		sub, err := p.nc.SubscribeSync(to)
		p.must(err)
		if m, err := sub.NextMsg(patience); err != nil || len(m.Data) == 0 {
			t.Errorf("%s: %v", who, err)
		}
	}
}
