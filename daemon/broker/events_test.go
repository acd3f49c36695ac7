package broker

import (
	"fmt"
	"slices"
	"sync"
	"testing"
)

// diary is an observer of everything.
type diary struct {
	mu   sync.Mutex
	more chan struct{} // has room for one
	all  []string
}

func newDiary() *diary { return &diary{more: make(chan struct{}, 1)} }

func (d *diary) note(format string, args ...any) {
	d.mu.Lock()
	d.all = append(d.all, fmt.Sprintf(format, args...))
	d.mu.Unlock()
	select {
	case d.more <- struct{}{}:
	default:
	}
}

func (d *diary) Joined(c *Client)            { d.note("joined") }
func (d *diary) Left(*Client, *ConnInfo)     { d.note("left") }
func (d *diary) Refused(_ *Client, r Reason) { d.note("refused") }
func (d *diary) Counted(a *Account)          { d.note("%s has %d", a.Name(), a.Clients()) }
func (d *diary) Came(a *Account)             { d.note("%s came", a.Name()) }
func (d *diary) Went(a *Account)             { d.note("%s went", a.Name()) }

// await waits until something was noted so often.
func (d *diary) await(what string, times int) {
	for {
		d.mu.Lock()
		n := 0
		for _, e := range d.all {
			if e == what {
				n++
			}
		}
		d.mu.Unlock()
		if n >= times {
			return
		}
		<-d.more
	}
}

func (d *diary) take() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := d.all
	d.all = nil
	return all
}

// Several observe connections, and each ends when it likes.
func TestSeveralObservers(t *testing.T) {
	b, addr := start(t, Options{})
	one, two := newDiary(), newDiary()
	stopOne, stopTwo := b.Observe(one), b.Observe(two)
	b.Observe(one)() // twice, and once no more
	want := []string{"$G has 1", "joined", "left", "$G has 0"}
	visit := func(all ...*diary) {
		p := connect(t, addr)
		p.nc.Close()
		for _, d := range all {
			d.await("left", 1)
			d.await("$G has 0", 1)
			got := d.take()
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("told %q, want %q", got, want)
			}
		}
	}
	visit(one, two)
	stopOne()
	visit(two)
	if got := one.take(); len(got) > 0 {
		t.Errorf("told after the end: %q", got)
	}
	stopTwo()
	stopTwo()
}

// Observers of accounts know all that there are, from whatever time on.
func TestAccountsComeAndGo(t *testing.T) {
	b, _ := start(t, Options{})
	early, late := newDiary(), newDiary()
	stop := b.ObserveAccounts(early)
	b.AddAccount("A")
	b.AddAccount("A")
	commit, err := b.PrepareAccounts([]AccountOptions{{Name: "A"}, {Name: "B"}})
	if err != nil {
		t.Fatal(err)
	}
	commit()
	b.ObserveAccounts(late)
	b.RemoveAccount("A")
	b.RemoveAccount("A")
	b.RemoveAccount(GlobalAccount)
	stop()
	b.AddAccount("A")
	got := early.take()
	slices.Sort(got[:2]) // what was there comes in any order
	if want := []string{"$G came", "$SYS came", "A came", "B came", "A went"}; !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
	got = late.take()
	slices.Sort(got[:4])
	if want := []string{"$G came", "$SYS came", "A came", "B came", "A went", "A came"}; !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
}

// Interest in a subject comes with the first who would get a message on it, and goes with
// the last.
func TestInterestComesAndGoes(t *testing.T) {
	b, addr := start(t, Options{})
	a := b.Account("")
	c := connect(t, addr)
	got := map[string][]bool{}
	var stops []func()
	for _, s := range []string{"in.a.1", "in.a.2", "one", "in.b"} {
		stops = append(stops, a.WatchInterest(s, func(now bool) { got[s] = append(got[s], now) }))
	}
	expect := func(what, subject string, want ...bool) {
		t.Helper()
		c.sync()
		a.index.Settled(func() {
			if !slices.Equal(got[subject], want) {
				t.Errorf("%s: of %s told %v, want %v", what, subject, got[subject], want)
			}
		})
	}
	expect("at first", "in.a.1", false)
	c.send("SUB in.a.* 1\r\nSUB in.a.1 2\r\n")
	expect("two subscribe", "in.a.1", false, true)
	expect("one of them", "in.a.2", false, true)
	c.send("UNSUB 1\r\n")
	expect("one stays", "in.a.1", false, true)
	expect("and goes", "in.a.2", false, true, false)
	c.send("UNSUB 2\r\nSUB > 3\r\nUNSUB 3\r\nSUB *.a.> q 4\r\n")
	expect("wildcards", "in.a.1", false, true, false, true, false, true)
	expect("one token", "one", false, true, false)
	far := &farServer{}
	i, err := a.AddRemote(far, []byte("in.*"), "", Members{All: 1, Own: 1})
	if err != nil {
		t.Fatal(err)
	}
	expect("on another server", "in.b", false, true, false, true)
	i.Remove()
	expect("no more there", "in.b", false, true, false, true, false)
	heard := len(got["in.a.1"])
	stops[0]()
	stops[0]()
	c.nc.Close()
	late := make(chan bool, 1)
	stops[1]()
	stop := a.WatchInterest("in.a.2", func(now bool) {
		if !now {
			late <- true
		}
	})
	<-late // the connection that has ended has no interest any more
	stop()
	stops[2]()
	stops[3]()
	if len(got["in.a.1"]) != heard {
		t.Error("told after the end")
	}
	a.index.Settled(func() {
		if len(a.interest.byHead) > 0 || a.interest.notice != nil {
			t.Error("something is left of who watched")
		}
	})
}

// Interest that another account has by an import of a stream counts, and its own.
func TestInterestOfImports(t *testing.T) {
	b, addr := shared(t, AccountOptions{Name: "A"},
		AccountOptions{Name: "B", Streams: []StreamImport{{Account: "A", Subject: "to.*", Local: "from.*"}}})
	var got []bool
	stop := b.Account("A").WatchInterest("to.x", func(now bool) { got = append(got, now) })
	defer stop()
	nc := connectAs(t, addr, "B")
	sub, err := nc.SubscribeSync("from.*")
	if err != nil {
		t.Fatal(err)
	}
	flush(t, nc)
	if err := sub.Unsubscribe(); err != nil {
		t.Fatal(err)
	}
	flush(t, nc)
	b.Account("A").index.Settled(func() {
		if want := []bool{false, true, false}; !slices.Equal(got, want) {
			t.Errorf("told %v, want %v", got, want)
		}
	})
}

// Several watch what an account's clients want, and each ends when it likes.
func TestSeveralWatchers(t *testing.T) {
	b, addr := start(t, Options{})
	a := b.Account("")
	c := connect(t, addr)
	c.send("SUB a 1\r\n")
	c.sync()
	var one, two []string
	stopOne := a.Watch(func(c Change) { one = append(one, fmt.Sprint(c.Subject, c.Count)) })
	c.send("SUB b 2\r\n")
	c.sync()
	stopTwo := a.Watch(func(c Change) { two = append(two, fmt.Sprint(c.Subject, c.Count)) })
	c.send("UNSUB 1\r\n")
	c.sync()
	stopOne()
	c.send("UNSUB 2\r\n")
	c.sync()
	stopTwo()
	slices.Sort(two[:2])
	if want := []string{"a1", "b1", "a0"}; !slices.Equal(one, want) {
		t.Errorf("one was told %q, want %q", one, want)
	}
	if want := []string{"a1", "b1", "a0", "b0"}; !slices.Equal(two, want) {
		t.Errorf("two was told %q, want %q", two, want)
	}
}
