package auth

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// occupy takes all turns of a pool until the end of the test.
func occupy(t *testing.T, p *pool) {
	t.Helper()
	for p.queue.free > 0 {
		done, err := p.queue.enter(t.Context(), &ticket{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(done)
	}
}

// Comparisons wait for a turn and end with their context; a pair that was right once needs none. Our own slowness is no
// failure of a client.
func TestPoolIsBounded(t *testing.T) {
	p := newPool()
	hash := []byte(hashed(t, "right"))
	if ok, err := p.compare(t.Context(), caller{}, hash, "right"); !ok || err != nil {
		t.Fatal(ok, err)
	}
	occupy(t, p)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.compare(ctx, caller{}, hash, "wrong"); !errors.Is(err, context.Canceled) {
		t.Errorf("a comparison without a turn: %v", err)
	}
	if ok, err := p.compare(ctx, caller{}, hash, "right"); !ok || err != nil {
		t.Errorf("a pair known to be right waits for a turn: %v, %v", ok, err)
	}
	p.forget(func(string) bool { return false })
	a := newAuthenticator(t, Options{Users: []User{{Name: "a", Password: string(hash)}}})
	a.pool = p
	if _, err := a.Authenticate(ctx, &Request{User: "a", Password: "right", Remote: tcp("10.0.0.1")}); !errors.Is(err, ErrTooSlow) {
		t.Errorf("no time to decide: %v", err)
	}
	if len(a.throttle.table) != 0 {
		t.Error("our own slowness is counted as a failure of the client")
	}
}

// A wrong password that comes again from an address that has failed too often costs no comparison, but its time; another
// one costs its own, and what is remembered is bounded.
func TestWrongAgain(t *testing.T) {
	hash := []byte(hashed(t, "right"))
	synctest.Test(t, func(t *testing.T) {
		p := newPool()
		runs := 0
		p.ran = func(int) { runs++ }
		storm := caller{slowed: true}
		for i, c := range []struct {
			password string
			caller
			runs int
		}{
			{"wrong", storm, 1}, {"wrong", storm, 1}, {"wrong", caller{}, 2}, {"other", storm, 3}, {"right", storm, 4}, {"right", storm, 4}, {"wrong", storm, 4},
		} {
			p.pace.Store(int64(time.Hour) << 10) // the clock of the test stands still while it computes
			began := time.Now()
			ok, err := p.compare(t.Context(), c.caller, hash, c.password)
			if ok != (c.password == "right") || err != nil || runs != c.runs {
				t.Errorf("%d: %v, %v after %d comparisons, want %d", i, ok, err, runs, c.runs)
			}
			if again := (i == 1 || i == 6); again != (time.Since(began) > 0) {
				t.Errorf("%d: took %v", i, time.Since(began))
			}
		}
		for i := range maxWrong + 2 {
			p.rememberWrong([32]byte{byte(i), byte(i >> 8)})
		}
		if n := len(p.wrong); n == 0 || n > maxWrong {
			t.Errorf("%d wrong passwords are remembered", n)
		}
	})
}

// A reload forgets the hashes that are gone, and no others.
func TestReloadForgetsWhatIsGone(t *testing.T) {
	stays, goes, token := hashed(t, "pw"), hashed(t, "pw"), hashed(t, "tok")
	o := Options{Users: []User{{Name: "stays", Password: stays}, {Name: "goes", Password: goes}}}
	a := newAuthenticator(t, o)
	for _, u := range o.Users {
		if _, err := a.Authenticate(t.Context(), &Request{User: u.Name, Password: "pw"}); err != nil {
			t.Fatal(err)
		}
	}
	known := func(hash, password string) bool {
		return a.pool.knows([]byte(hash), a.pool.digest([]byte(hash), password))
	}
	if !known(stays, "pw") || !known(goes, "pw") || known(stays, "other") {
		t.Fatal("what was right is not known, or more is")
	}
	o.Users = []User{o.Users[0], {Name: "new", Password: "x"}}
	reload := func(o Options) {
		commit, err := a.Prepare(o)
		if err != nil {
			t.Fatal(err)
		}
		commit()
	}
	reload(o)
	if !known(stays, "pw") || known(goes, "pw") {
		t.Errorf("after an unrelated change: stays %v, goes %v", known(stays, "pw"), known(goes, "pw"))
	}
	reload(Options{Token: token})
	if _, err := a.Authenticate(t.Context(), &Request{Token: "tok"}); err != nil {
		t.Fatal(err)
	}
	reload(Options{Token: token, ProxyRequired: true})
	if !known(token, "tok") || known(stays, "pw") {
		t.Errorf("token %v, user that is gone %v", known(token, "tok"), known(stays, "pw"))
	}
}

// Whatever is wrong, the work is that of the dearest hash: for an unknown user, for one with a cheaper hash, for one with
// a plain password.
func TestRefusalsCostAlike(t *testing.T) {
	h, err := bcrypt.GenerateFromPassword([]byte("x"), 9)
	if err != nil {
		t.Fatal(err)
	}
	a := newAuthenticator(t, Options{Users: []User{
		{Name: "plain", Password: "x"}, {Name: "cheap", Password: hashed(t, "x")}, {Name: "dear", Password: string(h)},
	}})
	for _, name := range []string{"dear", "cheap", "plain", "nobody"} {
		work := 0
		a.pool.ran = func(cost int) { work += 1 << cost }
		if _, err := a.Authenticate(t.Context(), &Request{User: name, Password: "y"}); !errors.Is(err, ErrCredentials) {
			t.Fatal(err)
		}
		if work != 1<<9 {
			t.Errorf("%s: the work of a refusal is %d, want %d", name, work, 1<<9)
		}
		work = 0
		if _, err := a.Authenticate(t.Context(), &Request{User: name, Password: "x"}); err != nil && name != "nobody" {
			t.Fatal(err)
		}
		if name == "plain" && work != 0 || work > 1<<9 {
			t.Errorf("%s: the right password costs %d", name, work)
		}
	}
}

// An address that has failed too often has nothing computed for users that do not exist.
func TestStormOfUnknownNamesCostsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthenticator(t, Options{Users: []User{{Name: "a", Password: hashed(t, "pw")}}})
		ran := 0
		a.pool.ran = func(int) { ran++ }
		for i := range 2 * throttleBurst {
			_, err := a.Authenticate(t.Context(), &Request{User: fmt.Sprint("x", i), Password: "y", Remote: tcp("10.0.0.1")})
			if !errors.Is(err, ErrCredentials) {
				t.Fatal(err)
			}
		}
		if ran < throttleBurst || ran > throttleBurst+3 { // some are forgiven meanwhile
			t.Errorf("%d computations, want %d", ran, throttleBurst)
		}
	})
}

// The order of turns: who waits is given as they come, and the order in which they have their turn is compared.
func TestOrderOfTurns(t *testing.T) {
	for _, c := range []struct {
		name    string
		turns   int
		waiting string // address/user, "?" for a decoy, "!" for a slowed address
		want    string
	}{
		{"who is decided on comes before decoys", 1, "a/? a/? b/? a/x", "a/x b/? a/? a/?"},
		{"addresses take turns", 1, "a/x a/y a/z b/x c/x", "a/z b/x c/x a/y a/x"},
		{"users behind one address take turns, the last to come first", 1, "a/x1 a/x2 a/x3 a/y1 a/x4", "a/x4 a/y1 a/x3 a/x2 a/x1"},
		{"a slowed address has one turn", 2, "!a/x1 !a/x2 b/x !a/y", "!a/y b/x !a/x2 !a/x1"},
		{"others use what nobody wants", 2, "a/x a/y a/z", "a/z a/y a/x"},
		{"a storm with one name and a stranger", 1, "!a/x !a/x !a/x !a/x !a/x b/y", "!a/x b/y !a/x !a/x !a/x !a/x"},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := newQueue(c.turns)
			q.free = 0
			var all []*ticket
			text := map[*ticket]string{}
			for _, w := range strings.Fields(c.waiting) {
				addr, user, _ := strings.Cut(strings.TrimPrefix(w, "!"), "/")
				k := &ticket{caller: caller{netip.MustParsePrefix(fmt.Sprintf("10.0.0.%d/32", addr[0])), w[0] == '!'},
					name: user[:1], decoy: user == "?", turn: make(chan struct{})}
				if l := q.lines[k.from]; l != nil {
					l.here++
				} else {
					q.lines[k.from] = &line{here: 1, names: map[string]uint64{}}
				}
				q.waiting = append(q.waiting, k)
				all = append(all, k)
				text[k] = w
			}
			q.mu.Lock()
			q.free = c.turns
			q.next()
			q.mu.Unlock()
			var got []string
			for had := map[*ticket]bool{}; len(had) < len(all); {
				var begun []*ticket
				for _, k := range all {
					if k.no > 0 && !had[k] {
						begun = append(begun, k)
					}
				}
				if len(begun) == 0 {
					t.Fatalf("nobody's turn after %v", got)
				}
				slowed := 0
				for _, k := range begun {
					if k.slowed {
						slowed++
					}
				}
				if slowed > 1 {
					t.Errorf("%d turns at once for a slowed address", slowed)
				}
				first := begun[0]
				for _, k := range begun { // the one that began first
					if k.no < first.no {
						first = k
					}
				}
				had[first] = true
				got = append(got, text[first])
				q.leave(first)
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("got  %s\nwant %s", strings.Join(got, " "), c.want)
			}
			if len(q.lines)+len(q.waiting) != 0 || q.free != c.turns {
				t.Errorf("%d lines, %d waiting, %d free turns are left", len(q.lines), len(q.waiting), q.free)
			}
		})
	}
}

// Who goes while waiting, or just as the turn comes, takes nothing along.
func TestQueueIsLeft(t *testing.T) {
	q := newQueue(2)
	var ends []func()
	for range 2 {
		done, err := q.enter(t.Context(), &ticket{name: "x"})
		if err != nil {
			t.Fatal(err)
		}
		ends = append(ends, done)
	}
	gone := make(chan error)
	for i := range 50 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*10*time.Microsecond)
		go func() { // received below
			defer cancel()
			done, err := q.enter(ctx, &ticket{name: "y", decoy: i%2 == 0})
			if err == nil {
				done()
			}
			gone <- err
		}()
		if i == 25 {
			for _, end := range ends {
				end()
			}
		}
	}
	for range 50 {
		<-gone
	}
	if len(q.lines)+len(q.waiting) != 0 || q.free != 2 {
		t.Errorf("%d lines, %d waiting, %d free turns are left", len(q.lines), len(q.waiting), q.free)
	}
}
