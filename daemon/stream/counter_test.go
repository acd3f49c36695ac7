package stream_test

import (
	"fmt"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/nats-broker/nats-broker/daemon/stream"
	"github.com/nats-broker/nats-broker/daemon/stream/memlog"
)

func counting(t testing.TB, cfg stream.Config, l stream.Log) *stream.Stream {
	cfg.Name, cfg.Counter = "S", true
	s, err := stream.Open(cfg, l, key, 1)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func apply(t testing.TB, s *stream.Stream) {
	for s.Pending() > 0 {
		if _, _, err := s.Apply(); err != nil {
			t.Fatal(err)
		}
	}
}

func incr(by string) []byte { return []byte("NATS/1.0\r\nNats-Incr: " + by + "\r\n\r\n") }

// TestCountersAgainstSums adds random numbers to several counters, of which some are pending and some stored, and compares with sums.
func TestCountersAgainstSums(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := counting(t, stream.Config{MaxMsgsPerSubject: rapid.SampledFrom([]uint64{0, 1, 2}).Draw(rt, "per subject")}, memlog.New())
		sums := map[string]*big.Int{}
		for range rapid.IntRange(1, 60).Draw(rt, "messages") {
			if rapid.IntRange(0, 3).Draw(rt, "apply") == 0 {
				apply(t, s)
			}
			subj := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "subject")
			by := rapid.StringMatching(`[+-]?[0-9]{1,40}`).Draw(rt, "by")
			if sums[subj] == nil {
				sums[subj] = new(big.Int)
			}
			n, _ := new(big.Int).SetString(by, 10)
			want := sums[subj].Add(sums[subj], n).String()
			r := stream.Record{Subject: []byte(subj), Header: incr(by)}
			if v := s.Accept(&r, nil, 2); v.Reason != stream.Accepted || v.Text != want || !v.Changed || string(r.Payload) != fmt.Sprintf(`{"val":"%s"}`, want) {
				rt.Fatalf("%s + %s: %+v, %s; want %s", subj, by, v, r.Payload, want)
			}
		}
	})
}

// TestCounterOfStored goes on from messages that a stream had from elsewhere.
func TestCounterOfStored(t *testing.T) {
	sources := "Nats-Counter-Sources: {\"T\":{\"a\":\"5\"}}\r\n"
	for _, c := range []struct {
		header, payload string
		want            string // value and header, or the refusal
	}{
		{"", `{"val":"41"}`, "42 NATS/1.0\r\nNats-Incr: 1\r\n\r\n"},
		{"", `{"VAL":"-1","x":1}`, "0 NATS/1.0\r\nNats-Incr: 1\r\n\r\n"},
		{"NATS/1.0\r\n" + sources + "\r\n", `{"val":"5"}`, "6 NATS/1.0\r\nNats-Incr: 1\r\n" + sources + "\r\n"},
		{"NATS/1.0\r\nNats-Counter-Sources: {\r\n\r\n", `{"val":"5"}`, "broken"},
		{"", `junk`, "broken"}, {"", ``, "broken"}, {"", `{}`, "broken"}, {"", `{"val":5}`, "broken"}, {"", `{"val":"x"}`, "broken"}, {"", `{"val":"1e3"}`, "broken"},
	} {
		l := memlog.New()
		if err := l.Append(&stream.Record{Seq: 1, Time: 1, Subject: []byte("a"), Header: []byte(c.header), Payload: []byte(c.payload)}); err != nil {
			t.Fatal(err)
		}
		s := counting(t, stream.Config{}, l)
		r := stream.Record{Subject: []byte("a"), Header: incr("1")}
		v := s.Accept(&r, nil, 2)
		got := v.Text + " " + string(r.Header)
		if v.Reason == stream.CounterBroken {
			got = "broken"
		}
		if got != c.want {
			t.Errorf("%q %s: %+v %q; want %q", c.header, c.payload, v, got, c.want)
		}
	}
}

type room int

func (room) Server() stream.Reason        { return stream.Accepted }
func (room) Account(uint64) stream.Reason { return stream.Accepted }
func (r room) Payload() int               { return int(r) }

// TestCounterGrowsTooLarge has a counter become larger than a message may be.
func TestCounterGrowsTooLarge(t *testing.T) {
	s := counting(t, stream.Config{}, memlog.New())
	offer := func(by string) stream.Verdict {
		r := stream.Record{Subject: []byte("a"), Header: incr(by)}
		return s.Accept(&r, room(130), 2)
	}
	if v := offer(strings.Repeat("9", 40)); v.Reason != stream.Accepted {
		t.Fatalf("%+v", v)
	}
	if v := offer(strings.Repeat("9", 70)); v.Reason != stream.MessageTooLarge {
		t.Fatalf("%+v", v)
	}
	if v := offer("1"); v.Reason != stream.Accepted || v.Text != "1"+strings.Repeat("0", 40) || v.Seq != 2 {
		t.Fatalf("%+v", v)
	}
}
