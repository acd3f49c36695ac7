package jetstream

import (
	"bytes"
	"testing"

	"github.com/nats-broker/nats-broker/daemon/stream"
)

// FuzzRecord reads any bytes as a record of the journal, whose bytes are summed, but may be of another version.
func FuzzRecord(f *testing.F) {
	r := stream.Record{Subject: []byte("a.b"), Header: []byte("NATS/1.0\r\n\r\n"), Payload: []byte("payload")}
	f.Add(appendRecord(nil, &r))
	f.Add([]byte{1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 'a'})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, rest, err := parseRecord(b)
		if err != nil {
			return
		}
		if n := recordHead + len(r.subject) + len(r.reply) + len(r.header) + len(r.payload) + len(rest); n != len(b) {
			t.Fatalf("%d of %d bytes", n, len(b))
		}
	})
}

func TestInfoIsNotStored(t *testing.T) {
	for _, c := range [][2]string{
		{"NATS/1.0\r\nNats-Request-Info: {}\r\n\r\n", ""},
		{"NATS/1.0\r\nA: b\r\nNats-Request-Info: {}\r\n\r\n", "NATS/1.0\r\nA: b\r\n\r\n"},
		{"NATS/1.0\r\nNats-Request-Info: {}\r\nA: b\r\n\r\n", "NATS/1.0\r\nA: b\r\n\r\n"},
		{"NATS/1.0\r\nA: Nats-Request-Info: {}\r\n\r\n", "NATS/1.0\r\nA: Nats-Request-Info: {}\r\n\r\n"},
	} {
		if got := withoutInfo([]byte(c[0])); !bytes.Equal(got, []byte(c[1])) {
			t.Errorf("%q: %q; want %q", c[0], got, c[1])
		}
	}
}
