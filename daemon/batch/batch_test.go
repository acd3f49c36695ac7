package batch

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// store is a destination that is no socket: it keeps what it is given, by reference.
type store struct {
	Outlet
	name  string
	log   *[]string // of what happened, among all
	kept  []Segment
	puts  int
	msgs  int
	slow  bool
	ended bool // what ended said when it was waited for
}

func newStore(name string, log *[]string) *store {
	s := &store{name: name, log: log}
	s.Leads(s)
	return s
}

func (s *store) Put(l *Lane) bool {
	*s.log = append(*s.log, s.name)
	n := 0
	for _, seg := range l.Segments() {
		n += seg.Len()
	}
	if n != l.Staged() {
		panic(fmt.Sprintf("%d bytes in segments, %d staged", n, l.Staged()))
	}
	s.kept = append(s.kept, l.Segments()...)
	s.puts++
	s.msgs += l.Msgs
	return s.slow
}

func (s *store) AwaitRoom(ended func() bool) {
	*s.log = append(*s.log, "wait for "+s.name)
	s.ended = ended()
}

func (s *store) text() string {
	var b []byte
	for i := range s.kept {
		b = append(b, s.kept[i].Bytes()...)
	}
	return string(b)
}

func (s *store) drop() {
	ReleaseAll(s.kept)
	s.kept = nil
}

func put(l *Lane, text string) {
	copy(l.Reserve(len(text)), text)
	l.Msgs++
}

func TestEachDestinationIsCalledOnceItsOwnLast(t *testing.T) {
	var log []string
	self, a, b := newStore("self", &log), newStore("a", &log), newStore("b", &log)
	x := New(&self.Outlet)
	for i := range 3 {
		put(x.Lane(&self.Outlet), "ok")
		put(x.Lane(&b.Outlet), fmt.Sprintf("b%d", i))
		put(x.Lane(&a.Outlet), fmt.Sprintf("a%d", i))
	}
	x.Flush()
	x.Release()
	if want := []string{"b", "a", "self"}; !slices.Equal(log, want) {
		t.Errorf("order %q, want %q", log, want)
	}
	if a.text() != "a0a1a2" || b.text() != "b0b1b2" || self.text() != "okokok" || a.msgs != 3 {
		t.Errorf("got %q %q %q, %d messages", a.text(), b.text(), self.text(), a.msgs)
	}
}

// Many destinations make the table of lanes grow; each has one lane nevertheless.
func TestManyDestinationsHaveOneLaneEach(t *testing.T) {
	var log []string
	all := make([]*store, 500)
	for i := range all {
		all[i] = newStore(fmt.Sprint(i), &log)
	}
	x := New(nil)
	for round := range 3 {
		for _, s := range all {
			put(x.Lane(&s.Outlet), fmt.Sprintf("%s-%d ", s.name, round))
		}
	}
	x.Flush()
	x.Release()
	for _, s := range all {
		if want := fmt.Sprintf("%s-0 %[1]s-1 %[1]s-2 ", s.name); s.puts != 1 || s.text() != want {
			t.Errorf("destination %s was called %d times and has %q", s.name, s.puts, s.text())
		}
	}
}

// What a destination keeps stays as it is, whatever batches do with their memory later;
// memory is given back when the last who keeps it lets go.
func TestWhatIsKeptBeyondTheFlushStays(t *testing.T) {
	var log []string
	keeps, drops := newStore("keeps", &log), newStore("drops", &log)
	shared := NewBlock(Read)
	copy(shared.Bytes(), "payload")
	x := New(nil)
	for _, s := range []*store{keeps, drops} {
		l := x.Lane(&s.Outlet)
		put(l, "head ")
		l.Share(shared, 0, len("payload"))
		put(l, " tail")
	}
	x.Flush()
	if !shared.Shared() {
		t.Error("a block that destinations keep is not counted as shared")
	}
	drops.drop()
	for i := range 100 { // others use the pools meanwhile
		put(x.Lane(&drops.Outlet), strings.Repeat(string(rune('A'+i%26)), 3000))
		x.Flush()
		drops.drop()
	}
	x.Release()
	if got := keeps.text(); got != "head payload tail" {
		t.Errorf("kept %q", got)
	}
	keeps.drop()
	if shared.Shared() {
		t.Error("a block is still counted after all who kept it let go")
	}
	shared.Release()
}

func TestALaneThatIsFullIsFlushedAndGoesOn(t *testing.T) {
	var log []string
	s := newStore("s", &log)
	x := New(nil)
	var want bytes.Buffer
	for i := range 2000 {
		line := fmt.Sprintf("%06d%s\n", i, strings.Repeat(".", i%300))
		want.WriteString(line)
		put(x.Lane(&s.Outlet), line)
	}
	if s.puts == 0 {
		t.Errorf("%d bytes are staged and none were flushed", want.Len())
	}
	x.Flush()
	x.Release()
	if s.text() != want.String() || s.msgs != 2000 {
		t.Errorf("%d bytes of %d in %d pieces, %d messages", len(s.text()), want.Len(), len(s.kept), s.msgs)
	}
}

type witness struct {
	name string
	log  *[]string
}

func (w *witness) BeforeFlush() { *w.log = append(*w.log, w.name) }

func TestWitnessesSeeTheFlushBeforeTheDestination(t *testing.T) {
	var log []string
	s := newStore("s", &log)
	one, two := &witness{"one", &log}, &witness{"two", &log}
	x := New(nil)
	x.Attach(one)
	x.Attach(two)
	put(x.Lane(&s.Outlet), "1")
	x.Flush()
	x.Detach(one)
	put(x.Lane(&s.Outlet), "2")
	x.Lane(&s.Outlet).Flush()
	x.Detach(two)
	put(x.Lane(&s.Outlet), "3")
	x.Flush()
	x.Release()
	if want := []string{"one", "two", "s", "two", "s", "s"}; !slices.Equal(log, want) {
		t.Errorf("order %q, want %q", log, want)
	}
}

func TestOnlyDestinationsThatAskAreWaitedFor(t *testing.T) {
	var log []string
	self, slow, fast := newStore("self", &log), newStore("slow", &log), newStore("fast", &log)
	self.slow, slow.slow = true, true
	x := New(&self.Outlet)
	for _, s := range []*store{self, slow, fast} {
		put(x.Lane(&s.Outlet), "x")
	}
	x.Flush()
	if !x.Waits() {
		t.Fatal("nobody is waited for")
	}
	x.Await(func() bool { return true })
	if x.Waits() {
		t.Error("somebody is waited for twice")
	}
	x.Release()
	if want := []string{"slow", "fast", "self", "wait for slow"}; !slices.Equal(log, want) || !slow.ended {
		t.Errorf("order %q, want %q; ended %v", log, want, slow.ended)
	}
}

// A stage gives each destination the same frames with a text of its own, in memory that
// is written anew only when nobody keeps it any more.
func TestAStageIsWrittenAnewForEachText(t *testing.T) {
	for _, keep := range []bool{false, true} {
		t.Run(fmt.Sprint("kept ", keep), func(t *testing.T) {
			var log []string
			x := New(nil)
			var s Stage
			s.Begin("1")
			const frames = 100
			body := strings.Repeat("b", 60)
			for n := frames; n > 0; {
				size := len("MSG 1 ") + len(body)
				p, k := s.Reserve(size, len("MSG "), n)
				for range k {
					copy(p, "MSG 1 "+body)
					p = p[size:]
				}
				n -= k
				s.Msgs += k
			}
			texts := []string{"1", "2", "33", "444", "5"}
			stores, got := make([]*store, len(texts)), make([]string, len(texts))
			for i, text := range texts {
				stores[i] = newStore(text, &log)
				s.Put(x.Lane(&stores[i].Outlet), text, i < len(texts)-1)
				if !keep { // what was flushed at once is gone before the next text
					got[i] = stores[i].text()
					stores[i].drop()
				}
			}
			s.End()
			x.Flush()
			x.Release()
			s.Release()
			for i, text := range texts {
				got[i] += stores[i].text()
				if got[i] != strings.Repeat("MSG "+text+" "+body, frames) || stores[i].msgs != frames {
					t.Errorf("%s got %d bytes in %d messages, wrong ones", text, len(got[i]), stores[i].msgs)
				}
			}
		})
	}
}

func TestNothingIsAllocatedPerBatch(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates, and pools forget")
	}
	var log []string
	all := make([]*store, 20)
	for i := range all {
		all[i] = newStore("s", &log)
	}
	w := &witness{"w", &log}
	round := func() {
		x := New(nil)
		x.Attach(w)
		for range 10 {
			for _, s := range all {
				put(x.Lane(&s.Outlet), "message")
			}
		}
		x.Flush()
		x.Detach(w)
		x.Release()
		for _, s := range all {
			ReleaseAll(s.kept)
			s.kept = s.kept[:0]
		}
		log = log[:0]
	}
	if n := testing.AllocsPerRun(200, round); n >= 1 {
		t.Errorf("%v allocations for a batch", n)
	}
}
