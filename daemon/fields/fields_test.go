package fields_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/nats-broker/nats-broker/daemon/fields"
	"github.com/nats-broker/nats-broker/daemon/internal/fieldstest"
)

// all has a field of each kind.
type all struct {
	number  int64
	small   uint8
	wait    time.Duration
	flag    bool
	text    string
	bytes   []byte
	texts   []string
	blocks  [][]byte
	always  part
	perhaps *part
	list    []part
}

type part struct {
	name string
	n    int32
}

func (p *part) Fields(c *fields.Codec) {
	c.Text(1, &p.name)
	fields.Number(c, 7, &p.n)
}

func (a *all) Fields(c *fields.Codec) {
	fields.Number(c, 1, &a.number)
	fields.Number(c, 2, &a.small)
	fields.Number(c, 3, &a.wait)
	c.Flag(4, &a.flag)
	c.Text(5, &a.text)
	c.Bytes(6, &a.bytes)
	c.Texts(7, &a.texts)
	c.Blocks(8, &a.blocks)
	c.Group(9, &a.always)
	fields.Optional(c, 10, &a.perhaps)
	fields.List(c, 300, &a.list)
}

func sample() *all {
	return &all{
		number: -5, small: 200, wait: time.Hour, flag: true, text: "té\x00xt", bytes: []byte{0, 1}, texts: []string{"a", "", "b"},
		blocks: [][]byte{{}, {1}}, always: part{"always", -1}, perhaps: &part{}, list: []part{{"one", 1}, {}, {"three", 1 << 30}},
	}
}

func TestEveryKindIsCarried(t *testing.T) {
	fieldstest.Complete[all](t)
	var got all
	if err := fields.Read(fields.Append(nil, sample()), &got); err != nil || !reflect.DeepEqual(&got, sample()) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, sample())
	}
	if b := fields.Append(nil, &all{}); len(b) != 0 {
		t.Errorf("nothing is written as % x", b)
	}
}

func TestGoldenForm(t *testing.T) {
	fieldstest.Golden(t, "testdata/form", "v1", fields.Append(nil, sample()), func(b []byte) (any, error) {
		var a all
		return &a, fields.Read(b, &a)
	})
}

// later is part as a later version has it, former as one before knew it.
type (
	later struct {
		first, name, last string
		n                 int32
		more              []part
	}
	moved part // whose list had a tag put in the middle
)

func (l *later) Fields(c *fields.Codec) {
	c.Text(1, &l.name)
	c.Text(3, &l.first)
	fields.Number(c, 7, &l.n)
	fields.List(c, 8, &l.more)
	c.Text(9, &l.last)
}

func (m *moved) Fields(c *fields.Codec) {
	c.Text(1, &m.name)
	fields.Number(c, 8, &m.n)
}

// Versions that know more or fewer fields read each other's state; one that gave tags
// another meaning reads something else, which is what golden states are there for.
func TestVersions(t *testing.T) {
	var old part
	b := fields.Append(nil, &later{first: "f", name: "n", last: "l", n: 4, more: []part{{"x", 1}}})
	if err := fields.Read(b, &old); err != nil || old != (part{"n", 4}) {
		t.Errorf("the version before reads %+v, %v", old, err)
	}
	var next later
	if err := fields.Read(fields.Append(nil, &part{"n", 4}), &next); err != nil || !reflect.DeepEqual(next, later{name: "n", n: 4}) {
		t.Errorf("the version after reads %+v, %v", next, err)
	}
	var m moved
	if err := fields.Read(fields.Append(nil, &part{"n", 4}), &m); err != nil || m.n == 4 {
		t.Errorf("a list with another tag reads %+v, %v: then golden states show nothing", m, err)
	}
}

// What was written in another order is read too: an earlier form was.
func TestAnyOrder(t *testing.T) {
	want := sample()
	var parts [][]byte
	b := fields.Append(nil, want)
	before := len(b)
	if err := fields.Each(b, func(tag int, n uint64, data []byte) {
		var one []byte
		if data == nil {
			one = binary.AppendUvarint(binary.AppendUvarint(nil, uint64(tag)<<1), n)
		} else {
			one = append(fields.Announce(nil, tag, len(data)), data...)
		}
		parts = append(parts, one)
	}); err != nil {
		t.Fatal(err)
	}
	// Halves exchanged, so that lists keep their order.
	shuffled := bytes.Join(append(append([][]byte{}, parts[9:]...), parts[:9]...), nil)
	if len(shuffled) != before {
		t.Fatal("the parts are not the whole")
	}
	var got all
	if err := fields.Read(shuffled, &got); err != nil || !reflect.DeepEqual(&got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestDamage(t *testing.T) {
	for name, b := range map[string][]byte{
		"a key without a value":           {1 << 1},
		"a key that does not end":         {0x80},
		"tag 0":                           {0, 1},
		"more bytes announced than there": fields.Announce(nil, 6, 1<<40),
		"one byte missing":                append(fields.Announce(nil, 6, 2), 1),
		"a length beyond 64 bits":         {6<<1 | 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1},
		"a number that does not fit":      {2 << 1, 0x80, 2},
		"a number where bytes belong":     {6 << 1, 1},
		"bytes where a number belongs":    {1<<1 | 1, 0},
		"damage in a record inside":       {9<<1 | 1, 1, 0x80},
		"a tag beyond all":                binary.AppendUvarint(nil, 1<<40),
	} {
		var a all
		if err := fields.Read(b, &a); !errors.Is(err, fields.ErrDamaged) {
			t.Errorf("%s: %v, %+v", name, err, a)
		}
	}
}

// What is announced is not believed: nothing is made for it.
func TestNothingIsMadeForAnnouncements(t *testing.T) {
	b := fields.Announce(nil, 6, 1<<40)
	var a all
	if n := testing.AllocsPerRun(10, func() { _ = fields.Read(b, &a) }); n > 1 { // the codec
		t.Errorf("%v allocations", n)
	}
}

type descending struct{ a, b int }

func (d *descending) Fields(c *fields.Codec) {
	fields.Number(c, 2, &d.a)
	fields.Number(c, 1, &d.b)
}

type twice struct{ a, b int }

func (d *twice) Fields(c *fields.Codec) {
	fields.Number(c, 2, &d.a)
	fields.Number(c, 2, &d.b)
}

func TestTagsMustAscend(t *testing.T) {
	for _, r := range []fields.Record{&descending{}, &twice{}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%T is taken", r)
				}
			}()
			fields.Append(nil, r)
		}()
	}
}

// gapped has a field that is written in pieces by somebody else.
type gapped struct {
	before string
	body   []byte
	size   int // if body is elsewhere
	inner  *gapped
	after  string
}

func (g *gapped) Fields(c *fields.Codec) {
	c.Text(1, &g.before)
	c.Gap(2, &g.body, g.size)
	fields.Optional(c, 3, &g.inner)
	c.Text(4, &g.after)
}

func TestGap(t *testing.T) {
	body := bytes.Repeat([]byte("x"), 300) // its length takes two bytes, so does that of what is around it
	for _, g := range []*gapped{
		{before: "b", size: len(body), after: "a"},
		{before: "b", inner: &gapped{before: "ib", size: len(body), after: "ia"}, after: "a"},
		{inner: &gapped{inner: &gapped{size: len(body)}}},
		{before: "none"},
	} {
		b, gap, away := fields.AppendGap([]byte("head"), g)
		if away > 0 {
			b = append(b[:gap:gap], append(bytes.Clone(body), b[gap:]...)...)
		}
		var got gapped
		if err := fields.Read(b[len("head"):], &got); err != nil {
			t.Errorf("%+v: %v", g, err)
			continue
		}
		want := *g
		for w := &want; w != nil; w = w.inner {
			if w.size > 0 {
				w.body, w.size = body, 0
			}
			if w.inner != nil {
				in := *w.inner
				w.inner = &in
			}
		}
		if fieldstest.Dump(&got) != fieldstest.Dump(&want) {
			t.Errorf("got %s want %s", fieldstest.Dump(&got), fieldstest.Dump(&want))
		}
	}
}

// FuzzRead: foreign bytes are read or refused, what was read is the same when it is
// written and read again, and there is no more of it than there were bytes for.
func FuzzRead(f *testing.F) {
	f.Add(fields.Append(nil, sample()))
	f.Add(append(fields.Append(nil, &part{"x", 1}), fields.Append(nil, sample())...))
	f.Add([]byte{2 << 1, 0x80, 2})
	f.Fuzz(func(t *testing.T, b []byte) {
		var a, again all
		if fields.Read(b, &a) != nil {
			return
		}
		if n := len(a.list) + len(a.texts) + len(a.blocks); n > len(b)/2 {
			t.Errorf("%d things of %d bytes", n, len(b))
		}
		if err := fields.Read(fields.Append(nil, &a), &again); err != nil || fieldstest.Dump(&a) != fieldstest.Dump(&again) {
			t.Errorf("%v\n%s\n%s", err, fieldstest.Dump(&a), fieldstest.Dump(&again))
		}
	})
}
