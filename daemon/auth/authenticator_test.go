package auth

import (
	"context"
	"encoding/base64"
	"errors"
	"net"
	"reflect"
	"strings"
	"testing"

	"github.com/nats-io/nkeys"
	"golang.org/x/crypto/bcrypt"

	"github.com/nats-broker/nats-broker/daemon/logging"
)

func newAuthenticator(t testing.TB, o Options) *Authenticator {
	t.Helper()
	a, err := New(o, logging.Discard())
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func hashed(t testing.TB, password string) string {
	t.Helper()
	h, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return string(h)
}

// newKey returns a user key and what signs a nonce with it.
func newKey(t testing.TB) (public string, sign func(nonce string, e *base64.Encoding) string) {
	t.Helper()
	kp, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	if public, err = kp.PublicKey(); err != nil {
		t.Fatal(err)
	}
	return public, func(nonce string, e *base64.Encoding) string {
		sig, err := kp.Sign([]byte(nonce))
		if err != nil {
			t.Fatal(err)
		}
		return e.EncodeToString(sig)
	}
}

func TestDecisions(t *testing.T) {
	key, sign := newKey(t)
	other, _ := newKey(t)
	sig := sign("nonce", base64.RawURLEncoding)
	users := []User{
		{Name: "plain", Password: "secret", Account: "A"},
		{Name: "hashed", Password: hashed(t, "secret")},
		{Name: "web", Password: "secret", ConnectionTypes: []string{TypeWebsocket}},
		{Name: "both", Password: "secret", ConnectionTypes: []string{TypeWebsocket, TypeStandard}},
		{Name: "proxied", Password: "secret", ProxyRequired: true},
		{Name: "open"},
		{Nkey: key, Account: "B"},
	}
	list := Options{Users: users}
	guest := Options{Users: users, NoAuthUser: "hashed"}
	keyGuest := Options{Users: users, NoAuthUser: key}
	single := Options{User: "me", Password: "secret"}
	nobody := Request{}
	for _, c := range []struct {
		name string
		o    Options
		r    Request
		want string // "account/user", or empty for a refusal
	}{
		{"nothing is asked", Options{}, Request{User: "x", Password: "y"}, "$G/x"},
		{"nothing is asked or said", Options{}, nobody, "$G/"},
		{"plain password", list, Request{User: "plain", Password: "secret"}, "A/plain"},
		{"wrong password", list, Request{User: "plain", Password: "secret2"}, ""},
		{"no password", list, Request{User: "plain"}, ""},
		{"bcrypt", list, Request{User: "hashed", Password: "secret"}, "$G/hashed"},
		{"bcrypt, wrong", list, Request{User: "hashed", Password: "Secret"}, ""},
		{"bcrypt, the hash as password", list, Request{User: "hashed", Password: users[1].Password}, ""},
		{"unknown user", list, Request{User: "x", Password: "secret"}, ""},
		{"no credentials", list, nobody, ""},
		{"password alone", list, Request{Password: "secret"}, ""},
		{"token among users", list, Request{Token: "secret"}, ""},
		{"user without password", list, Request{User: "open"}, "$G/open"},
		{"user without password, with one", list, Request{User: "open", Password: "x"}, ""},

		{"wrong type", list, Request{User: "web", Password: "secret"}, ""},
		{"right type", list, Request{User: "web", Password: "secret", Type: TypeWebsocket}, "$G/web"},
		{"one of the types", list, Request{User: "both", Password: "secret"}, "$G/both"},
		{"proxy missing", list, Request{User: "proxied", Password: "secret"}, ""},
		{"proxy there", list, Request{User: "proxied", Password: "secret", TrustedProxy: true}, "$G/proxied"},

		{"nkey", list, Request{Nkey: key, Signature: sig, Nonce: "nonce"}, "B/" + key},
		{"nkey, padded base64", list, Request{Nkey: key, Signature: sign("nonce", base64.StdEncoding), Nonce: "nonce"}, "B/" + key},
		{"nkey, another nonce", list, Request{Nkey: key, Signature: sig, Nonce: "nonce2"}, ""},
		{"nkey, no nonce was sent", list, Request{Nkey: key, Signature: sign("", base64.RawURLEncoding)}, ""},
		{"nkey, unsigned", list, Request{Nkey: key, Nonce: "nonce"}, ""},
		{"nkey, garbage", list, Request{Nkey: key, Nonce: "nonce", Signature: "%%"}, ""},
		{"nkey, unknown", list, Request{Nkey: other, Nonce: "nonce", Signature: sig}, ""},
		{"nkey counts before a user", list, Request{Nkey: other, User: "plain", Password: "secret"}, ""},
		{"nkey where there are none", Options{Users: users[:1]}, Request{Nkey: key, User: "plain", Password: "secret"}, "A/plain"},

		{"guest", guest, nobody, "$G/hashed"},
		{"guest with a name must prove it", guest, Request{User: "hashed"}, ""},
		{"guest, another user", guest, Request{User: "plain", Password: "secret"}, "A/plain"},
		{"guest by nkey", keyGuest, nobody, "B/" + key},
		{"anonymous beside system users", Options{Users: users[:1], Anonymous: true}, nobody, "$G/"},
		{"system user beside anonymous", Options{Users: users[:1], Anonymous: true}, Request{User: "plain", Password: "secret"}, "A/plain"},

		{"single", single, Request{User: "me", Password: "secret"}, "$G/me"},
		{"single, wrong name", single, Request{User: "you", Password: "secret"}, ""},
		{"single, wrong password", single, Request{User: "me", Password: "x"}, ""},
		{"single, nobody", single, nobody, ""},
		{"single, bcrypt", Options{User: "me", Password: hashed(t, "pw")}, Request{User: "me", Password: "pw"}, "$G/me"},
		{"token", Options{Token: "tok"}, Request{Token: "tok"}, "$G/[REDACTED]"},
		{"token, wrong", Options{Token: "tok"}, Request{Token: "to"}, ""},
		{"token, bcrypt", Options{Token: hashed(t, "tok")}, Request{Token: "tok"}, "$G/[REDACTED]"},
		{"token, missing", Options{Token: "tok"}, Request{User: "tok", Password: "tok"}, ""},
		{"empty list", Options{Users: []User{}}, Request{User: "a", Password: "b"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			id, err := newAuthenticator(t, c.o).Authenticate(t.Context(), &c.r)
			got := ""
			if err == nil {
				got = id.Account + "/" + id.User
			}
			if got != c.want {
				t.Errorf("got %q (%v), want %q", got, err, c.want)
			}
			if err != nil && id != nil {
				t.Error("a refusal comes with an identity")
			}
		})
	}
}

func TestRequirements(t *testing.T) {
	key, _ := newKey(t)
	users := []User{{Name: "a", Password: "x"}}
	keys := append(users, User{Nkey: key})
	for _, c := range []struct {
		o    Options
		want Requirements
	}{
		{Options{}, Requirements{}},
		{Options{User: "a"}, Requirements{Auth: true, Told: true}},
		{Options{Token: "a"}, Requirements{Auth: true, Told: true}},
		{Options{Users: users}, Requirements{Auth: true, Told: true}},
		{Options{Users: keys}, Requirements{Auth: true, Told: true, Nonce: true}},
		{Options{Users: users, NoAuthUser: "a"}, Requirements{Auth: true}},
		{Options{Users: users, Anonymous: true}, Requirements{Auth: true, Told: true}},
	} {
		if got := newAuthenticator(t, c.o).Requires(); got != c.want {
			t.Errorf("%+v: %+v, want %+v", c.o, got, c.want)
		}
	}
}

func TestUnusableOptions(t *testing.T) {
	for _, c := range []struct {
		o    Options
		want string
	}{
		{Options{Users: []User{{Name: "a"}, {Name: "a"}}}, `duplicate user "a"`},
		{Options{Users: []User{{Name: "a"}}, NoAuthUser: "b"}, `no_auth_user: "b" not present`},
		{Options{Users: []User{{Name: "a", Permissions: &Rules{PublishAllow: []string{"x..y"}}}}}, `invalid permissions for user "a"`},
		{Options{Users: []User{{Name: "a", Password: "$2a$99$aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}}}, ""},
	} {
		_, err := New(c.o, logging.Discard())
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%+v: %v", c.o, err)
		}
	}
}

func tcp(ip string) net.Addr { return &net.TCPAddr{IP: net.ParseIP(ip), Port: 4242} }

// TestReview follows connections through changes of the configuration.
func TestReview(t *testing.T) {
	key, sign := newKey(t)
	rules := &Rules{PublishAllow: []string{"x"}}
	before := Options{Users: []User{{Name: "a", Password: "pw"}, {Nkey: key}, {Name: "guest", Password: "g"}}, NoAuthUser: "guest"}
	user := Request{User: "a", Password: "pw"}
	signed := Request{Nkey: key, Nonce: "n", Signature: sign("n", base64.RawURLEncoding)}
	for _, c := range []struct {
		name  string
		after Options
		r     Request
		want  error
		perms bool
	}{
		{"nothing", before, user, nil, false},
		{"tightened", Options{Users: []User{{Name: "a", Password: "pw", Permissions: rules}}}, user, nil, true},
		{"removed", Options{Users: []User{{Name: "b", Password: "pw"}}}, user, ErrMoved, false},
		{"password changed", Options{Users: []User{{Name: "a", Password: "new"}}}, user, ErrCredentials, false},
		{"password hashed", Options{Users: []User{{Name: "a", Password: hashed(t, "pw")}}}, user, nil, false},
		{"moved", Options{Users: []User{{Name: "a", Password: "pw", Account: "A"}}}, user, ErrMoved, false},
		{"type taken away", Options{Users: []User{{Name: "a", Password: "pw", ConnectionTypes: []string{TypeWebsocket}}}}, user, ErrCredentials, false},
		{"everybody is let in", Options{}, user, nil, false},
		{"single user now", Options{User: "a", Password: "pw"}, user, nil, false},
		{"key stays", Options{Users: []User{{Nkey: key, Permissions: rules}}}, signed, nil, true},
		{"key removed", Options{Users: []User{{Name: "a", Password: "pw"}}}, signed, ErrMoved, false},
		{"guest stays", before, Request{}, nil, false},
		{"guest removed", Options{Users: before.Users}, Request{}, ErrCredentials, false},
		{"guest is another", Options{Users: before.Users, NoAuthUser: "a"}, Request{}, nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := newAuthenticator(t, before)
			id, err := a.Authenticate(t.Context(), &c.r)
			if err != nil {
				t.Fatal(err)
			}
			commit, err := a.Prepare(c.after)
			if err != nil {
				t.Fatal(err)
			}
			if again, err := a.Review(t.Context(), id, &c.r); err != nil || !reflect.DeepEqual(again, id) {
				t.Errorf("before commit: %+v, %v", again, err)
			}
			commit()
			now, err := a.Review(t.Context(), id, &c.r)
			if !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			if err == nil && (now.Permissions != nil) != c.perms {
				t.Errorf("permissions %v", now.Permissions)
			}
		})
	}
}

// TestReviewAsksNoHashAgain: ten thousand connections of a user with bcrypt survive a reload without a computation.
func TestReviewAsksNoHashAgain(t *testing.T) {
	o := Options{Users: []User{{Name: "a", Password: hashed(t, "pw")}}}
	a := newAuthenticator(t, o)
	r := Request{User: "a", Password: "pw"}
	id, err := a.Authenticate(t.Context(), &r)
	if err != nil {
		t.Fatal(err)
	}
	commit, err := a.Prepare(o)
	if err != nil {
		t.Fatal(err)
	}
	commit()
	occupy(t, a.pool) // a computation would wait
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := a.Review(ctx, id, &r); err != nil {
		t.Error(err)
	}
}

// TestReviewKeepsEqualPermissions: a reload that changes nothing for a user gives back the same permissions, so that
// nothing is asked again about its subscriptions; and only a verdict of the tables in use is current.
func TestReviewKeepsEqualPermissions(t *testing.T) {
	options := func(subject string) Options {
		return Options{Users: []User{{Name: "a", Password: "pw", Permissions: &Rules{PublishAllow: []string{subject}}}}}
	}
	a := newAuthenticator(t, options("x"))
	r := Request{User: "a", Password: "pw"}
	id, err := a.Authenticate(t.Context(), &r)
	if err != nil || !a.Current(id) {
		t.Fatal(err, "or the verdict is not current")
	}
	for _, c := range []struct {
		subject string
		same    bool
	}{{"x", true}, {"y", false}} {
		commit, err := a.Prepare(options(c.subject))
		if err != nil {
			t.Fatal(err)
		}
		commit()
		if a.Current(id) {
			t.Error("a verdict of tables that are no longer in use is current")
		}
		now, err := a.Review(t.Context(), id, &r)
		if err != nil || !a.Current(now) || (now.Permissions == id.Permissions) != c.same {
			t.Errorf("with %s: %+v, %v", c.subject, now, err)
		}
	}
}
