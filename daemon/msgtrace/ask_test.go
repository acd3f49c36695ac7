package msgtrace

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
)

func header(lines ...string) []byte {
	return []byte("NATS/1.0\r\n" + strings.Join(append(lines, ""), "\r\n") + "\r\n")
}

const parent = "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-"

func TestAsks(t *testing.T) {
	for _, tt := range []struct {
		header []byte
		want   Ask
	}{
		{nil, Nothing},
		{header(), Nothing},
		{header("A: b", "Nats-Msg-Id: 1"), Nothing},
		{header("Nats-Trace-Dest: x"), Directly},
		{header("A: b", "Nats-Trace-Dest:x", "c: d"), Directly},
		{header("Nats-Trace-Dest : x"), Nothing},
		{header("nats-trace-dest: x"), Nothing},
		{header("A: Nats-Trace-Dest: x"), Nothing},
		{header("Nats-Trace-Destination: x"), Nothing},
		{header(parent + "01"), ByParent},
		{header("TRACEPARENT:x", "A: b"), ByParent},
		{header("traceparents: x"), Nothing},
		{header(parent+"01", "Nats-Trace-Dest: x"), Directly},
		{[]byte("NATS/1.0\r\nNats-Trace-Dest"), Nothing},
		{[]byte("NATS/1.0\r\nA: bcdefghijkl\r\nN"), Nothing},
	} {
		if got := Asks(tt.header); got != tt.want {
			t.Errorf("%q: %v, want %v", tt.header, got, tt.want)
		}
	}
}

func TestRead(t *testing.T) {
	for _, tt := range []struct {
		header []byte
		want   *Request
	}{
		{header("A: b"), nil},
		{header("Nats-Trace-Only: true"), nil},
		{header("Nats-Trace-Dest:"), nil},
		{header("Nats-Trace-Dest:   "), nil},
		{header("Nats-Trace-Dest: trace disabled"), nil},
		{header(parent+"01", "Nats-Trace-Dest: trace disabled"), nil},
		{header(parent + "00"), nil},
		{header(parent + "zz"), nil},
		{header(parent + "1"), nil},
		{header("traceparent: 01"), nil},
		{[]byte("HTTP/1.0\r\nNats-Trace-Dest: x\r\n\r\n"), nil},
		{header("Nats-Trace-Dest: x \t", "a: 1", "A:2", "a: 3", "empty:", ": none"),
			&Request{Header: map[string][]string{"Nats-Trace-Dest": {"x"}, "a": {"1", "3"}, "A": {"2"}}, Dest: "x"}},
		{header("Nats-Trace-Dest: x", "Nats-Trace-Only: On", "Nats-Trace-Hop: 1.2", "Accept-Encoding: gzip", "Nats-Trace-Origin-Account: o"),
			&Request{Header: map[string][]string{"Nats-Trace-Dest": {"x"}, "Nats-Trace-Only": {"On"}, "Nats-Trace-Hop": {"1.2"},
				"Accept-Encoding": {"gzip"}, "Nats-Trace-Origin-Account": {"o"}}, Dest: "x", Only: true, Hop: "1.2", Encoding: "gzip", Origin: "o"}},
		{header("Nats-Trace-Dest: x", "Nats-Trace-Only: yes"),
			&Request{Header: map[string][]string{"Nats-Trace-Dest": {"x"}, "Nats-Trace-Only": {"yes"}}, Dest: "x"}},
		{header("TraceParent: 00-a-b-81", "Nats-Trace-Only: true"),
			&Request{Header: map[string][]string{"TraceParent": {"00-a-b-81"}, "Nats-Trace-Only": {"true"}}, Parent: true}},
	} {
		if got := Read(tt.header); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%q: %+v, want %+v", tt.header, got, tt.want)
		}
	}
}

func TestWith(t *testing.T) {
	for _, tt := range []struct{ header, want []byte }{
		{nil, header("H: v")},
		{header(), header("H: v")},
		{header("A: b"), header("A: b", "H: v")},
		{header("H: 1", "A: b", "H:2", "Hx: 3", "h: 4"), header("A: b", "Hx: 3", "h: 4", "H: v")},
		{[]byte("NATS/1.0 503\r\n\r\n"), []byte("NATS/1.0 503\r\nH: v\r\n\r\n")},
	} {
		before := bytes.Clone(tt.header)
		if got := With(tt.header, "H", "v"); !bytes.Equal(got, tt.want) {
			t.Errorf("%q: %q, want %q", tt.header, got, tt.want)
		}
		if !bytes.Equal(before, tt.header) {
			t.Errorf("%q has become %q", before, tt.header)
		}
	}
}

// Whatever Read finds must be found by Asks, or messages would not be traced; and what With has written is read.
func FuzzHeaders(f *testing.F) {
	f.Add(header("A: b", "Nats-Trace-Dest: x"))
	f.Add(header(parent+"01", "a: b"))
	f.Add([]byte("NATS/1.0\r\nNats-Trace-Dest:x\r\n"))
	f.Add([]byte("NATS/1.0\r\n\r\nTRACEPARENT:a-b-c-01"))
	f.Fuzz(func(t *testing.T, h []byte) {
		r, a := Read(h), Asks(h)
		if r != nil && a == Nothing {
			t.Fatalf("%q asks, and is not looked at", h)
		}
		if r != nil && r.Parent != (r.Dest == "") {
			t.Fatalf("%q: %+v", h, r)
		}
		made := With(h, DestField, "here")
		if !bytes.HasSuffix(made, []byte("Nats-Trace-Dest: here\r\n\r\n")) || bytes.HasPrefix(h, []byte(firstLine)) && len(h) > 12 && Asks(made) != Directly {
			t.Fatalf("%q became %q", h, made)
		}
	})
}

func TestAsksAllocatesNothing(t *testing.T) {
	h := header("A: b", parent+"01", "Content-Type: text/plain", "Nats-Msg-Id: 12345")
	if n := testing.AllocsPerRun(100, func() { Asks(h) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAsks(b *testing.B) {
	h := header("A: b", "Content-Type: text/plain", "Nats-Msg-Id: 12345")
	for b.Loop() {
		Asks(h)
	}
}

// Of each hundred messages exactly so many are taken, also by many at a time, and not always those in the same places.
func TestSampler(t *testing.T) {
	for percent := 1; percent <= 100; percent++ {
		var s Sampler
		var places [100]int
		for i := range 10_000 {
			if s.Take(percent) {
				places[i%100]++
			}
		}
		total := 0
		for _, n := range places {
			total += n
		}
		if total != percent*100 {
			t.Errorf("%d%%: %d of 10,000", percent, total)
		}
		if percent == 50 {
			for i, n := range places {
				if n < 25 || n > 75 {
					t.Errorf("place %d is taken %d times of a hundred", i, n)
				}
			}
		}
	}
	var s Sampler
	counts := make(chan int)
	for range 4 {
		go func() {
			n := 0
			for range 2500 {
				if s.Take(7) {
					n++
				}
			}
			counts <- n
		}()
	}
	total := 0
	for range 4 {
		total += <-counts
	}
	if total != 700 {
		t.Errorf("four at a time: %d of 10,000", total)
	}
}
