package stream_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/nats-broker/nats-broker/daemon/stream"
	"github.com/nats-broker/nats-broker/daemon/stream/memlog"
)

// TestBatchAgainstOneByOne offers random batches to a stream, and to another the same messages one by one: a batch that is accepted
// stores the same, and one that is refused leaves nothing behind.
func TestBatchAgainstOneByOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := drawConfig(t)
		cfg.MaxAge, cfg.Window = 0, min(cfg.Window, 1)*time.Duration(1e18)
		both := [2]*stream.Stream{open(t, cfg, memlog.New(), 1), open(t, cfg, memlog.New(), 1)}
		now := int64(1)
		for range rapid.IntRange(1, 12).Draw(t, "batches") {
			now += int64(step)
			var list []stream.Record
			for range rapid.IntRange(1, 5).Draw(t, "messages") {
				m := sent{subject: rapid.SampledFrom([]string{"a.x", "a.y", "b"}).Draw(t, "subject"), headers: map[string]string{}}
				if rapid.IntRange(0, 3).Draw(t, "id") == 0 {
					m.headers["Nats-Msg-Id"] = rapid.SampledFrom([]string{"1", "2", "3", "4"}).Draw(t, "id is")
				}
				if rapid.IntRange(0, 5).Draw(t, "rollup") == 0 {
					m.headers["Nats-Rollup"] = rapid.SampledFrom([]string{"sub", "all", "x"}).Draw(t, "rollup is")
				}
				if rapid.IntRange(0, 5).Draw(t, "last") == 0 {
					m.headers["Nats-Expected-Last-Sequence"] = fmt.Sprint(both[0].Last())
				}
				list = append(list, stream.Record{Subject: []byte(m.subject), Header: m.header(), Payload: []byte("x")})
			}
			before := state(both[0])
			v, _, _ := both[0].AcceptBatch(append([]stream.Record(nil), list...), nil, now)
			if v.Reason == stream.Wait {
				t.Fatal("asked to wait for nothing")
			}
			if v.Reason != stream.Accepted {
				if both[0].Pending() != 0 || state(both[0]) != before {
					t.Fatalf("%+v, and the stream has changed", v)
				}
				continue
			}
			if both[0].Pending() != len(list) || v.Seq != both[0].Last() {
				t.Fatalf("%+v: %d pending", v, both[0].Pending())
			}
			for i := range list {
				if v := both[1].Accept(&list[i], nil, now); v.Reason == stream.Wait {
					applyTo(t, both[1])
					v = both[1].Accept(&list[i], nil, now)
					if v.Reason != stream.Accepted {
						t.Fatalf("message %d of a batch that was accepted: %+v", i, v)
					}
				} else if v.Reason != stream.Accepted {
					t.Fatalf("message %d of a batch that was accepted: %+v", i, v)
				}
			}
			for _, s := range both {
				applyTo(t, s)
			}
			if a, b := state(both[0]), state(both[1]); a != b {
				t.Fatalf("%s\n%s", a, b)
			}
		}
	})
}

func applyTo(t *rapid.T, s *stream.Stream) {
	for s.Pending() > 0 {
		if _, _, err := s.Apply(); err != nil {
			t.Fatal(err)
		}
	}
}

func state(s *stream.Stream) string {
	text := fmt.Sprintf("%+v %d %d;", s.Log().State(), s.Last(), s.IDs())
	for seq, ok := s.Log().Next(0, nil); ok; seq, ok = s.Log().Next(seq+1, nil) {
		var r stream.Record
		if err := s.Log().Load(seq, &r); err != nil {
			return err.Error()
		}
		text += fmt.Sprintf(" %d %s %q %d", r.Seq, r.Subject, r.Header, r.Time)
	}
	return text
}
