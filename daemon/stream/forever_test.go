package stream_test

import (
	"math"
	"testing"
	"time"

	"github.com/nats-broker/nats-broker/daemon/stream"
	"github.com/nats-broker/nats-broker/daemon/stream/memlog"
)

// The longest duration there is means for ever: nothing is due before.
func TestForEver(t *testing.T) {
	now := time.Now().UnixNano()
	s, err := stream.Open(stream.Config{Name: "S", MaxAge: math.MaxInt64, Window: math.MaxInt64}, memlog.New(), key, now)
	if err != nil {
		t.Fatal(err)
	}
	r := stream.Record{Subject: []byte("a"), Header: []byte("NATS/1.0\r\nNats-Msg-Id: 1\r\n\r\n")}
	if v := s.Accept(&r, nil, now); v.Reason != stream.Accepted {
		t.Fatal(v)
	}
	if _, _, err := s.Apply(); err != nil {
		t.Fatal(err)
	}
	if due := s.Due(); due != math.MaxInt64 {
		t.Errorf("a message is too old at %d", due)
	}
	if due := s.NextForget(); due != math.MaxInt64 {
		t.Errorf("an id is forgotten at %d", due)
	}
	if _, ok := s.Expire(now + int64(time.Hour)); ok {
		t.Error("something is too old")
	}
}
