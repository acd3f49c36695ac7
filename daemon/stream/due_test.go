package stream_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/nats-broker/nats-broker/daemon/stream"
	"github.com/nats-broker/nats-broker/daemon/stream/memlog"
)

// lived is a message of a stream in which messages say how long they live.
type lived struct {
	seq     uint64
	subject string
	at      int64
	ttl     string
	mark    bool // of a subject that has nothing any more
}

func (m *lived) due() int64 {
	switch {
	case m.ttl == "" || m.ttl == "never":
		return 0
	default:
		d, err := time.ParseDuration(m.ttl)
		if err != nil {
			panic(err)
		}
		return m.at + int64(d)
	}
}

// lives is such a stream, written down as the rules read: it looks at every message.
type lives struct {
	cfg  stream.Config
	list []lived
	last uint64
}

func (n *lives) of(subj string) (count int) {
	for _, m := range n.list {
		if m.subject == subj {
			count++
		}
	}
	return count
}

func (n *lives) add(m lived) {
	n.last++
	m.seq = n.last
	n.list = append(n.list, m)
	if most := int(n.cfg.MaxMsgsPerSubject); most > 0 && n.of(m.subject) > most {
		i := slices.IndexFunc(n.list, func(o lived) bool { return o.subject == m.subject })
		n.list = slices.Delete(n.list, i, i+1)
	}
}

func (n *lives) fire(now int64) {
	gone, taken := map[uint64]bool{}, map[string]int{}
	var marks []string
	expire := func(m lived) {
		if gone[m.seq] {
			return
		}
		gone[m.seq] = true
		taken[m.subject]++
		if n.cfg.MarkerTTL > 0 && taken[m.subject] == n.of(m.subject) && !m.mark {
			marks = append(marks, m.subject)
		}
	}
	for _, m := range n.list {
		if n.cfg.MaxAge > 0 && m.at <= now-int64(n.cfg.MaxAge) && m.ttl != "never" {
			expire(m)
		}
	}
	for _, m := range n.list {
		if d := m.due(); d != 0 && d <= now {
			expire(m)
		}
	}
	n.list = slices.DeleteFunc(n.list, func(m lived) bool { return gone[m.seq] })
	for _, subj := range marks {
		n.add(lived{subject: subj, at: now, ttl: n.cfg.MarkerTTL.String(), mark: true})
	}
}

// next is when the first message is due; 0: none is.
func (n *lives) next() (due int64) {
	for _, m := range n.list {
		d := m.due()
		if n.cfg.MaxAge > 0 && m.ttl != "never" && (d == 0 || m.at+int64(n.cfg.MaxAge) < d) {
			d = m.at + int64(n.cfg.MaxAge)
		}
		if d != 0 && (due == 0 || d < due) {
			due = d
		}
	}
	return due
}

func (n *lives) String() string {
	var b strings.Builder
	for _, m := range n.list {
		fmt.Fprintf(&b, "%d %s %s %v %d\n", m.seq, m.subject, m.ttl, m.mark, m.at)
	}
	return fmt.Sprintf("%slast %d", b.String(), n.last)
}

// TestLives changes a stream in which messages say how long they live at random, and compares it with the rules.
func TestLives(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := &lives{cfg: stream.Config{Name: "S", AllowTTL: true, AllowRollup: true}}
		n.cfg.MaxAge = rapid.SampledFrom([]time.Duration{0, 0, 3 * time.Second}).Draw(t, "age")
		n.cfg.MarkerTTL = rapid.SampledFrom([]time.Duration{0, 2 * time.Second}).Draw(t, "marker")
		n.cfg.MaxMsgsPerSubject = uint64(rapid.SampledFrom([]int{0, 1, 3}).Draw(t, "per subject"))
		now := int64(time.Hour)
		s := open(t, n.cfg, memlog.New(), now)
		s.Track()
		apply := func() {
			for s.Pending() > 0 {
				if _, _, err := s.Apply(); err != nil {
					t.Fatal(err)
				}
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"publish": func(t *rapid.T) {
				for range rapid.IntRange(1, 5).Draw(t, "messages") {
					m := lived{subject: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "subject"), at: now}
					m.ttl = rapid.SampledFrom([]string{"", "1s", "2s", "4s", "never"}).Draw(t, "life")
					r := stream.Record{Subject: []byte(m.subject)}
					if m.ttl != "" {
						r.Header = []byte("NATS/1.0\r\nNats-TTL: " + m.ttl + "\r\n\r\n")
					}
					if m.ttl == "1s" && n.cfg.MarkerTTL > 0 && n.cfg.MaxMsgsPerSubject != 1 {
						m.ttl = "2s"
					}
					if v := s.Accept(&r, nil, now); v.Reason != stream.Accepted {
						t.Fatal(v)
					}
					n.add(m)
				}
				apply()
			},
			"delete": func(t *rapid.T) {
				seq := rapid.Uint64Range(1, n.last+1).Draw(t, "sequence")
				s.Delete(seq)
				apply()
				n.list = slices.DeleteFunc(n.list, func(m lived) bool { return m.seq == seq })
			},
			"reopen": func(t *rapid.T) {
				s = open(t, n.cfg, s.Log(), now)
				s.Track()
				for s.Behind() {
					s.Look(rapid.IntRange(1, 3).Draw(t, "messages"), now)
				}
			},
			"fire": func(t *rapid.T) {
				now += int64(time.Second/2) * rapid.Int64Range(0, 5).Draw(t, "later")
				s.Fire(nil, now, now)
				apply()
				n.fire(now)
			},
			"": func(t *rapid.T) {
				got := &lives{last: s.Last()}
				var r stream.Record
				for seq, ok := s.Log().Next(0, nil); ok; seq, ok = s.Log().Next(seq+1, nil) {
					if err := s.Log().Load(seq, &r); err != nil {
						t.Fatal(err)
					}
					got.list = append(got.list, lived{seq, string(r.Subject), r.Time, strings.Replace(headerOf(r.Header, "Nats-TTL"), "\r", "", 1), strings.Contains(string(r.Header), "Nats-Marker-Reason: MaxAge\r\n")})
				}
				for i, m := range got.list {
					if m.ttl == "2" {
						got.list[i].ttl = "2s" // as it is written when it was less
					}
				}
				if got.String() != n.String() {
					t.Fatalf("the stream has\n%s\nwant\n%s", got, n)
				}
				if due, want := s.Due(), n.next(); want != 0 && (due == 0 || due > want) {
					t.Fatalf("it looks at %d; want %d", due, want)
				}
			},
		})
	})
}

// What is known of when messages are due grows with those that there are, not with those that there were.
func TestTimetableIsSmall(t *testing.T) {
	s, err := stream.Open(stream.Config{Name: "S", AllowTTL: true, MaxMsgsPerSubject: 1}, memlog.New(), key, 0)
	if err != nil {
		t.Fatal(err)
	}
	s.Track()
	header := []byte("NATS/1.0\r\nNats-TTL: 1h\r\n\r\n")
	publish := func(subj string, h []byte, at int64) {
		r := stream.Record{Subject: []byte(subj), Header: h}
		if v := s.Accept(&r, nil, at); v.Reason != stream.Accepted {
			t.Fatal(v)
		}
		if _, _, err := s.Apply(); err != nil {
			t.Fatal(err)
		}
	}
	for i := range int64(100_000) { // each on one subject
		publish("a", header, i)
	}
	if n := s.IDBytes(); n > 100_000 {
		t.Errorf("%d bytes for one message", n)
	}
	for i := range int64(100_000) {
		publish(fmt.Sprint("b", i), header, 100_000+i)
	}
	if n := s.IDBytes(); n > 100_000 {
		t.Errorf("%d bytes for 100,000 messages", n)
	}
	for first := int64(0); s.Log().State().Msgs > 0; first++ {
		if first > 100 {
			t.Fatal("messages stay")
		}
		due := s.Due()
		s.Fire(nil, due+int64(time.Second), due)
		for s.Pending() > 0 {
			if _, _, err := s.Apply(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if due := s.Due(); due != 0 {
		t.Errorf("an empty stream looks at %d", due)
	}
}
