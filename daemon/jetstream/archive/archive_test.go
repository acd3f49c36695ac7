package archive

import (
	"bytes"
	"errors"
	"io"
	"math"
	"testing"
)

type written struct {
	name            string
	time            int64
	seq             uint64
	header, payload string
}

var some = []written{
	{"state.json", 1, 0, "", "{}"}, {"consumers/c", math.MaxInt64, 0, "", `{"config":{}}`}, {"a.b", -5, 1, "NATS/1.0\r\n\r\n", "body"},
	{"a", 0, math.MaxUint64, "", ""}, {"a.c", math.MinInt64, 300, "", string(bytes.Repeat([]byte("x"), 100_000))},
}

func write(t *testing.T, list []written) []byte {
	t.Helper()
	var b bytes.Buffer
	w := NewWriter(&b)
	for _, e := range list {
		if err := w.Write(e.name, e.time, e.seq, []byte(e.header), []byte(e.payload)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.End(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func read(b []byte) (list []written, err error) {
	r := NewReader(bytes.NewReader(b))
	for {
		e, err := r.Next()
		if err != nil {
			return list, err
		}
		h, p, err := r.Body()
		if err != nil {
			return list, err
		}
		list = append(list, written{e.Name, e.Time, e.Seq, string(h), string(p)})
	}
}

func TestRoundTrip(t *testing.T) {
	got, err := read(write(t, some))
	if err != io.EOF || len(got) != len(some) {
		t.Fatal(len(got), err)
	}
	for i := range got {
		if got[i] != some[i] {
			t.Errorf("%+v; want %+v", got[i], some[i])
		}
	}
}

// A reader that does not look at a body gets to the next entry all the same.
func TestPassedOver(t *testing.T) {
	r := NewReader(bytes.NewReader(write(t, some)))
	for _, e := range some {
		got, err := r.Next()
		if err != nil || got.Name != e.name {
			t.Fatal(got, err)
		}
	}
	if _, err := r.Next(); err != io.EOF {
		t.Error(err)
	}
}

// Whatever is missing at the end is noticed.
func TestCutOff(t *testing.T) {
	whole := write(t, some[:4])
	for n := range whole {
		if got, err := read(whole[:n]); !errors.Is(err, ErrCut) {
			t.Fatalf("%d of %d bytes: %d entries, %v", n, len(whole), len(got), err)
		}
	}
}

func TestDamaged(t *testing.T) {
	if _, err := read([]byte("NATSARC2\x00")); !errors.Is(err, ErrForm) {
		t.Error(err)
	}
	for _, b := range []string{"NATSARC1\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", Magic + "\xff\xff\xff\x7f\x00\x00\x00\x00", Magic + "\x00\x00\x01\xff\xff\xff\xff\xff\xff\xff\x01\x00"} {
		if _, err := read([]byte(b)); !errors.Is(err, ErrDamaged) {
			t.Errorf("%q: %v", b, err)
		}
	}
}

func FuzzReader(f *testing.F) {
	for _, e := range some {
		if len(e.payload) < 1000 {
			var b bytes.Buffer
			_ = NewWriter(&b).Write(e.name, e.time, e.seq, []byte(e.header), []byte(e.payload)) // it cannot fail
			f.Add(b.Bytes())
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := read(b)
		if err == nil {
			t.Fatal("it never ends")
		}
		total := 0
		for _, e := range list {
			total += len(e.name) + len(e.header) + len(e.payload)
		}
		if total > len(b) {
			t.Fatalf("%d bytes came of %d", total, len(b))
		}
	})
}
