package resolver

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"github.com/nats-broker/nats-broker/daemon/logging"
)

// maker makes JWTs of accounts.
type maker struct {
	t  testing.TB
	op nkeys.KeyPair
}

func newMaker(t testing.TB) *maker {
	op, err := nkeys.CreateOperator()
	if err != nil {
		t.Fatal(err)
	}
	return &maker{t, op}
}

// account returns a new account.
func (m *maker) account() string {
	kp, err := nkeys.CreateAccount()
	if err != nil {
		m.t.Fatal(err)
	}
	id, err := kp.PublicKey()
	if err != nil {
		m.t.Fatal(err)
	}
	return id
}

// jwt makes a JWT of an account; the name makes it another one.
func (m *maker) jwt(id, name string, expires time.Time) string {
	c := jwt.NewAccountClaims(id)
	c.Name = name
	if !expires.IsZero() {
		c.Expires = expires.Unix()
	}
	text, err := c.Encode(m.op)
	if err != nil {
		m.t.Fatal(err)
	}
	return text
}

func open(t testing.TB, o Options) *Directory {
	t.Helper()
	if o.Path == "" {
		o.Path = filepath.Join(t.TempDir(), "jwt")
	}
	d, err := Open(o, logging.Discard())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

func (d *Directory) mustSave(t testing.TB, id, text string) {
	t.Helper()
	if _, err := d.Save(id, text); err != nil {
		t.Fatal(err)
	}
}

// TestDirectoryRemembers: what was saved is there after opening again, in a file that nats-server would read, and the
// hash is the one it would compute.
func TestDirectoryRemembers(t *testing.T) {
	m := newMaker(t)
	d := open(t, Options{})
	var want [sha256.Size]byte
	texts := map[string]string{}
	for i := range 3 {
		id := m.account()
		d.mustSave(t, id, m.jwt(id, "old", time.Time{}))
		texts[id] = m.jwt(id, fmt.Sprint(i), time.Time{})
		d.mustSave(t, id, texts[id])
		for j, b := range sha256.Sum256([]byte(texts[id])) {
			want[j] ^= b
		}
	}
	d.Close()
	d = open(t, Options{Path: d.Path()})
	if d.Hash() != want {
		t.Error("the hash is not the XOR of the hashes of all JWTs")
	}
	for id, text := range texts {
		if got, err := d.Load(id); err != nil || got != text {
			t.Errorf("%q, %v", got, err)
		}
		if b, err := os.ReadFile(filepath.Join(d.Path(), id+".jwt")); err != nil || string(b) != text {
			t.Errorf("the file holds %q, %v", b, err)
		}
	}
	if _, err := d.Load(m.account()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an account that is not there: %v", err)
	}
}

// TestDirectoryRefuses: nothing but the JWT of the account gets into the directory, and no name leads out of it.
func TestDirectoryRefuses(t *testing.T) {
	m := newMaker(t)
	d := open(t, Options{})
	id, other := m.account(), m.account()
	for _, c := range []struct{ id, text string }{
		{id, ""}, {id, "x"}, {id, m.jwt(other, "x", time.Time{})}, {"../" + id, m.jwt(id, "x", time.Time{})}, {"", "x"},
		{id, m.jwt(id, "x", time.Time{}) + "A"}, {id, "\n" + m.jwt(id, "x", time.Time{})},
	} {
		if _, err := d.Save(c.id, c.text); err == nil {
			t.Errorf("%.20q: %.20q was saved", c.id, c.text)
		}
		if _, err := d.SaveNewer(c.id, c.text); err == nil {
			t.Errorf("%.20q: %.20q was saved", c.id, c.text)
		}
	}
	if files, _ := os.ReadDir(d.Path()); len(files) > 0 {
		t.Errorf("%v", files)
	}
	if _, err := d.Delete(id); err == nil {
		t.Error("something could be deleted")
	}
}

// TestDirectoryFull: a directory at its limit refuses what is new and takes what is newer; a cache forgets what was not
// used for longest.
func TestDirectoryFull(t *testing.T) {
	m := newMaker(t)
	a, b, c := m.account(), m.account(), m.account()
	full, cache := open(t, Options{Limit: 2}), open(t, Options{Limit: 2, Evict: true})
	for _, d := range []*Directory{full, cache} {
		d.mustSave(t, a, m.jwt(a, "1", time.Time{}))
		d.mustSave(t, b, m.jwt(b, "1", time.Time{}))
		d.mustSave(t, b, m.jwt(b, "2", time.Time{}))
	}
	if _, err := full.Save(c, m.jwt(c, "1", time.Time{})); !errors.Is(err, errFull) {
		t.Errorf("full: %v", err)
	}
	if _, err := cache.Load(a); err != nil { // now b is the older
		t.Fatal(err)
	}
	cache.mustSave(t, c, m.jwt(c, "1", time.Time{}))
	want := []string{a, c}
	slices.Sort(want)
	if got := cache.Accounts(); !slices.Equal(got, want) {
		t.Errorf("the cache holds %v, want %v", got, want)
	}
}

// TestNewer: what comes from other servers replaces what is older, and nothing else.
func TestNewer(t *testing.T) {
	m := newMaker(t)
	id := m.account()
	at := func(name string, issued int64) string {
		c := jwt.NewAccountClaims(id)
		c.Name = name
		c.IssuedAt = issued // Encode sets the time
		text, err := c.Encode(m.op)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	d := open(t, Options{})
	first := at("first", 0)
	if changed, err := d.SaveNewer(id, first); err != nil || !changed {
		t.Fatal(changed, err)
	}
	if changed, err := d.SaveNewer(id, first); err != nil || changed {
		t.Errorf("the same again: %v, %v", changed, err)
	}
	second := at("second", 0) // in the same second, or a later one
	if changed, err := d.SaveNewer(id, second); err != nil || !changed {
		t.Errorf("a newer one: %v, %v", changed, err)
	}
	if _, err := d.Merge(id + "|" + second + "\n\n" + "nonsense"); err == nil {
		t.Error("nonsense was merged")
	}
}

// TestDelete: a deleted JWT is gone from hash and list, and stays under another name if it is to.
func TestDelete(t *testing.T) {
	m := newMaker(t)
	for _, c := range []struct {
		how  Deletion
		kept bool
	}{{Rename, true}, {Unlink, false}} {
		d := open(t, Options{Delete: c.how})
		id := m.account()
		d.mustSave(t, id, m.jwt(id, "x", time.Time{}))
		if gone, err := d.Delete(id); err != nil || !gone {
			t.Fatal(gone, err)
		}
		if gone, err := d.Delete(id); err != nil || gone {
			t.Errorf("again: %v, %v", gone, err)
		}
		if d.Hash() != [sha256.Size]byte{} || len(d.Accounts()) > 0 {
			t.Error("it is still counted")
		}
		if _, err := os.Stat(filepath.Join(d.Path(), id+".jwt.deleted")); (err == nil) != c.kept {
			t.Errorf("%v: %v", c.how, err)
		}
	}
}

// TestExpiry: what has expired is neither listed nor kept.
func TestExpiry(t *testing.T) {
	m := newMaker(t)
	d := open(t, Options{})
	id, stays := m.account(), m.account()
	d.mustSave(t, id, m.jwt(id, "x", time.Now().Add(-time.Hour)))
	d.mustSave(t, stays, m.jwt(stays, "x", time.Now().Add(time.Hour)))
	if got := d.Accounts(); !slices.Equal(got, []string{stays}) {
		t.Errorf("listed: %v", got)
	}
	d.removeExpired(time.Now())
	if _, err := os.Stat(filepath.Join(d.Path(), id+".jwt")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file: %v", err)
	}
	if _, err := d.Load(stays); err != nil {
		t.Error(err)
	}
}

// TestForeignFiles: what other programs leave in the directory is not taken for a JWT, and what we left half written is
// removed.
func TestForeignFiles(t *testing.T) {
	m := newMaker(t)
	dir := t.TempDir()
	id, cut := m.account(), m.account()
	whole := m.jwt(id, "x", time.Time{})
	for name, text := range map[string]string{
		id + ".jwt": whole, cut + ".jwt": whole[:40], "notes.jwt": "x", "README": "x", partPrefix + "1": "x", m.account() + ".jwt": whole,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d := open(t, Options{Path: dir})
	if got := d.Accounts(); !slices.Equal(got, []string{id}) {
		t.Errorf("%v", got)
	}
	if _, err := os.Stat(filepath.Join(dir, partPrefix+"1")); err == nil {
		t.Error("half a file is left")
	}
	newer := m.jwt(cut, "y", time.Time{})
	if changed, err := d.SaveNewer(cut, newer); err != nil || !changed {
		t.Errorf("a broken file cannot be replaced: %v, %v", changed, err)
	}
	if err := os.WriteFile(filepath.Join(dir, id+".jwt"), []byte(m.jwt(id, "z", time.Time{})), 0o600); err != nil {
		t.Fatal(err)
	}
	if changed, err := d.Reload(); err != nil || !slices.Equal(changed, []string{id}) {
		t.Errorf("reload: %v, %v", changed, err)
	}
}

// killed is how often TestKill kills a writer.
const killed = 60

// TestKill kills a process that updates JWTs, at random moments. Each time, what is there is whole, and holds at least
// what the process said was done.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	m := newMaker(t)
	for range 4 {
		id := m.account()
		if err := os.WriteFile(filepath.Join(dir, id+".jwt"), []byte(m.jwt(id, "0", time.Time{})), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	writes := 0
	for range killed {
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), "RESOLVER_TEST_WRITE="+dir)
		var said strings.Builder
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		budget := 1 + rand.IntN(4000) // bytes of its reports, then it dies
		buf := make([]byte, 512)
		for budget > 0 {
			n, err := out.Read(buf)
			said.Write(buf[:n])
			if budget -= n; err != nil {
				break
			}
		}
		_ = cmd.Process.Kill()
		for {
			n, err := out.Read(buf)
			said.Write(buf[:n])
			if err != nil {
				break
			}
		}
		_ = cmd.Wait()
		writes += verifyKilled(t, dir, said.String())
	}
	if writes < killed {
		t.Errorf("only %d updates in %d lives", writes, killed)
	}
}

// verifyKilled compares a directory with what its writer has said, a line "<account> <name>" for each update that
// was done, and returns their number.
func verifyKilled(t *testing.T, dir, said string) int {
	t.Helper()
	lines := strings.Split(said, "\n")
	last := map[string]int{}
	for _, line := range lines[:len(lines)-1] {
		var id string
		var n int
		if _, err := fmt.Sscan(line, &id, &n); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		last[id] = n
	}
	d, err := Open(Options{Path: dir}, logging.Discard())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if got := len(d.Accounts()); got != 4 {
		t.Fatalf("%d accounts are whole, want 4", got)
	}
	for id, n := range last {
		text, err := d.Fetch(context.Background(), id)
		if err != nil {
			t.Fatal(err)
		}
		c, err := jwt.DecodeAccountClaims(text)
		if err != nil {
			t.Fatal(err)
		}
		var have int
		if _, err := fmt.Sscan(c.Name, &have); err != nil || have < n {
			t.Fatalf("%s is at %q, but %d was reported as done", id, c.Name, n)
		}
	}
	return len(lines) - 1
}

// writeForever updates the accounts of a directory and says each time when it is done.
func writeForever(dir string) {
	d, err := Open(Options{Path: dir}, logging.Discard())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	op, err := nkeys.CreateOperator()
	if err != nil {
		os.Exit(1)
	}
	next := map[string]int{}
	for {
		for _, id := range d.Accounts() {
			if next[id] == 0 {
				text, _ := d.Load(id)
				c, err := jwt.DecodeAccountClaims(text)
				if err != nil {
					os.Exit(1)
				}
				_, _ = fmt.Sscan(c.Name, new(int))
				n := 0
				_, _ = fmt.Sscan(c.Name, &n)
				next[id] = n
			}
			next[id]++
			c := jwt.NewAccountClaims(id)
			c.Name = fmt.Sprint(next[id])
			text, err := c.Encode(op)
			if err != nil {
				os.Exit(1)
			}
			if _, err := d.Save(id, text); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			fmt.Println(id, next[id])
		}
	}
}
