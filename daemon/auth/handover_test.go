package auth

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/nats-broker/nats-broker/daemon/logging"
)

// What a connection has proved to one process counts for another, as long as the
// configuration says the same of it.
func TestReadmit(t *testing.T) {
	make := func(o Options) *Authenticator {
		a, err := New(o, logging.Discard())
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	users := func(list ...User) Options { return Options{Users: list} }
	const hash = "$2a$04$ReO6GeHlVsGUuzWrCKSe7.8x2Rjjp1LJmaXiYUStDNUr1wc8UnRvq" // of nothing that is given
	for name, c := range map[string]struct {
		before, after Options
		login, later  Request // later has no password that is good: it must not be asked for
		account       string
		err           error
	}{
		"as before":         {users(User{Name: "u", Password: "p"}), users(User{Name: "u", Password: "p"}), Request{User: "u", Password: "p"}, Request{User: "u"}, "$G", nil},
		"another account":   {users(User{Name: "u", Password: "p"}), users(User{Name: "u", Password: "p", Account: "A"}), Request{User: "u", Password: "p"}, Request{User: "u"}, "A", nil},
		"another password":  {users(User{Name: "u", Password: "p"}), users(User{Name: "u", Password: "q"}), Request{User: "u", Password: "p"}, Request{User: "u", Password: "p"}, "", ErrCredentials},
		"now as a hash":     {users(User{Name: "u", Password: "p"}), users(User{Name: "u", Password: hash}), Request{User: "u", Password: "p"}, Request{User: "u", Password: "p"}, "", ErrCredentials},
		"no such user":      {users(User{Name: "u", Password: "p"}), users(User{Name: "v", Password: "p"}), Request{User: "u", Password: "p"}, Request{User: "u", Password: "p"}, "", ErrCredentials},
		"the token":         {Options{Token: "t"}, Options{Token: "t"}, Request{Token: "t"}, Request{}, "$G", nil},
		"another token":     {Options{Token: "t"}, Options{Token: "s"}, Request{Token: "t"}, Request{Token: "t"}, "", ErrCredentials},
		"users at last":     {Options{}, users(User{Name: "u", Password: "p"}), Request{User: "u"}, Request{User: "u"}, "", ErrCredentials},
		"no users any more": {users(User{Name: "u", Password: "p"}), Options{}, Request{User: "u", Password: "p"}, Request{User: "u"}, "$G", nil},
		"a service decides": {users(User{Name: "u", Password: "p"}), Options{Users: []User{{Name: "u", Password: "p"}, {Name: "s", Password: "p"}}, Callout: &Callout{Users: []string{"s"}}}, Request{User: "u", Password: "p"}, Request{User: "u", Password: "p"}, "", ErrMoved},
	} {
		before, err := make(c.before).Authenticate(context.Background(), &c.login)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		id, err := make(c.after).Readmit(context.Background(), before.Carry(), &c.later)
		if !errors.Is(err, c.err) {
			t.Errorf("%s: %v, want %v", name, err, c.err)
		} else if err == nil && id.Account != c.account {
			t.Errorf("%s: in account %s", name, id.Account)
		}
	}
	// What a service has decided it decides again.
	asked := &Identity{User: "u", Account: "$G", by: byCallout}
	if _, err := make(users(User{Name: "u", Password: "p"})).Readmit(context.Background(), asked.Carry(), &Request{User: "u", Password: "p"}); !errors.Is(err, ErrMoved) {
		t.Errorf("decided by a service: %v", err)
	}
	for _, b := range [][]byte{nil, {carried}, {2}, asked.Carry()[:36]} {
		if _, ok := readCarried(b); ok {
			t.Errorf("%q is taken for a proof", b)
		}
	}
}

// What other versions write and read: the numbers of the ways are part of it.
func TestProofsOfOtherVersions(t *testing.T) {
	for i, by := range []proof{byNothing, byPassword, bySingle, byToken, byNkey, byCertificate, byClaims, byCallout} {
		id := &Identity{User: "us", Account: "acc", by: by}
		for k := range id.proof {
			id.proof[k] = byte(k)
		}
		want := []byte{1, byte(i)}
		want = append(want, id.proof[:]...)
		want = append(want, "\x02us\x03acc"...)
		if got := id.Carry(); !bytes.Equal(got, want) {
			t.Errorf("% x, want % x", got, want)
		}
		if got, ok := readCarried(want); !ok || got.by != by || got.proof != id.proof || got.User != "us" || got.Account != "acc" {
			t.Errorf("read as %+v", got)
		}
	}
}
