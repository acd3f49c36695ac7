package auth

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"github.com/nats-broker/nats-broker/daemon/logging"
)

// post is a Delegate whose service is a function.
type post struct {
	identity, curve nkeys.KeyPair
	answer          func(account, key string, request []byte) ([]byte, error)
}

func newPost(t testing.TB) *post {
	p := &post{}
	var err error
	if p.identity, err = nkeys.CreateServer(); err != nil {
		t.Fatal(err)
	}
	if p.curve, err = nkeys.CreateCurveKeys(); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *post) Server() Server {
	id, _ := p.identity.PublicKey()
	return Server{ID: id, Name: "here"}
}
func (p *post) Keys() (identity, curve nkeys.KeyPair) { return p.identity, p.curve }
func (p *post) Ask(_ context.Context, account, key string, request []byte) ([]byte, error) {
	return p.answer(account, key, request)
}

// approving lets everybody into account APP and counts how often it is asked.
func approving(t testing.TB, issuer nkeys.KeyPair, asked *int) func(string, string, []byte) ([]byte, error) {
	return func(_, _ string, request []byte) ([]byte, error) {
		*asked++
		q, err := jwt.DecodeAuthorizationRequestClaims(string(request))
		if err != nil {
			t.Error(err)
			return nil, err
		}
		u := jwt.NewUserClaims(q.UserNkey)
		u.Audience = "APP"
		u.Src.Add("10.0.0.0/8")
		u.Limits.Payload, u.Limits.Subs = 100, 7
		r := jwt.NewAuthorizationResponseClaims(q.UserNkey)
		r.Audience = q.Server.ID
		if r.Jwt, err = u.Encode(issuer); err != nil {
			t.Error(err)
		}
		text, err := r.Encode(issuer)
		return []byte(text), err
	}
}

func accountKey(t testing.TB) (nkeys.KeyPair, string) {
	kp, err := nkeys.CreateAccount()
	if err != nil {
		t.Fatal(err)
	}
	key, err := kp.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	return kp, key
}

func TestCalloutReview(t *testing.T) {
	issuer, key := accountKey(t)
	other, otherKey := accountKey(t)
	asked := 0
	p := newPost(t)
	p.answer = approving(t, issuer, &asked)
	options := func(change func(*Callout)) Options {
		c := &Callout{Issuer: key, Account: "AUTH", Users: []string{"s"}, Accounts: map[string]bool{"AUTH": true, "APP": true}}
		if change != nil {
			change(c)
		}
		return Options{Users: []User{{Name: "s", Password: "s", Account: "AUTH"}}, Callout: c}
	}
	a, err := New(options(nil), logging.Discard())
	if err != nil {
		t.Fatal(err)
	}
	a.SetDelegate(p)
	ctx := t.Context()
	r := &Request{User: "who", Password: "x", Remote: &net.TCPAddr{IP: net.IPv4(10, 1, 2, 3), Port: 1}}
	id, err := a.Authenticate(ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	if id.Account != "APP" || id.MaxPayload != 100 || id.MaxSubscriptions != 7 || id.Permissions != nil {
		t.Errorf("let in as %+v", id)
	}
	if _, err := a.Authenticate(ctx, &Request{User: "who", Remote: &net.TCPAddr{IP: net.IPv4(11, 1, 2, 3), Port: 1}}); !errors.Is(err, ErrCredentials) {
		t.Errorf("from a network that is not allowed: %v", err)
	}
	service, err := a.Authenticate(ctx, &Request{User: "s", Password: "s"})
	if err != nil || service.Permissions == nil || service.Permissions.CanPublish(CalloutSubject) || !service.Permissions.CanPublish("x") {
		t.Errorf("the service may ask itself, or nothing at all: %v", err)
	}
	var told string
	yes := p.answer
	p.answer = func(account, key string, request []byte) ([]byte, error) {
		q, err := jwt.DecodeAuthorizationRequestClaims(string(request))
		if err != nil {
			return nil, err
		}
		told = q.ConnectOptions.Username + "/" + q.ClientInformation.User + "/" + q.ConnectOptions.Password
		return yes(account, key, request)
	}
	guests := options(nil)
	guests.Users, guests.NoAuthUser = append(guests.Users, User{Name: "guest", Password: "secret"}), "guest"
	b, err := New(guests, logging.Discard())
	if err != nil {
		t.Fatal(err)
	}
	b.SetDelegate(p)
	guest, err := b.Authenticate(ctx, &Request{Remote: r.Remote})
	if err != nil || guest.User != "guest" || told != "guest/guest/" {
		t.Errorf("a connection without a name is %+v, the service was told %q: %v", guest, told, err)
	}
	p.answer = yes
	review := func(change func(*Callout)) (*Identity, error) {
		t.Helper()
		commit, err := a.Prepare(options(change))
		if err != nil {
			t.Fatal(err)
		}
		commit()
		return a.Review(ctx, id, r)
	}
	asked = 0
	now, err := review(nil)
	if err != nil || now.Account != "APP" || asked != 0 {
		t.Errorf("nothing has changed, but %v, asked %d times", err, asked)
	}
	if now, err = review(func(c *Callout) { c.Issuer = otherKey }); !errors.Is(err, ErrCredentials) || asked != 1 {
		t.Errorf("answers of another issuer count now, but %v, %v, asked %d times", now, err, asked)
	}
	p.answer = approving(t, other, &asked)
	if _, err = review(func(c *Callout) { c.Issuer = otherKey }); err != nil || asked != 2 {
		t.Errorf("the other issuer says yes, but %v, asked %d times", err, asked)
	}
	if _, err = review(func(c *Callout) { delete(c.Accounts, "APP") }); err == nil {
		t.Error("the account is gone, but the user stays")
	}
}

// FuzzCalloutAnswer has a service answer anything: nobody is let in by what is not signed for the request.
func FuzzCalloutAnswer(f *testing.F) {
	issuer, key := accountKey(f)
	p := newPost(f)
	curve, err := nkeys.CreateCurveKeys()
	if err != nil {
		f.Fatal(err)
	}
	x, _ := curve.PublicKey()
	var asked int
	yes := approving(f, issuer, &asked)
	r := &Request{User: "who", Password: "x"}
	for _, xkey := range []string{"", x} {
		c := &Callout{Issuer: key, Account: "AUTH", XKey: xkey, Accounts: map[string]bool{"APP": true}}
		q, err := newQuestion(context.Background(), p, c.service(), r)
		if err != nil {
			f.Fatal(err)
		}
		request := q.text
		if xkey != "" {
			server, _ := p.curve.PublicKey()
			if request, err = curve.Open(request, server); err != nil {
				f.Fatal(err)
			}
		}
		old, err := yes("", "", request) // right, for another request
		if err != nil {
			f.Fatal(err)
		}
		f.Add(old, xkey != "")
	}
	f.Add([]byte("eyJ0eXAiOiJKV1QifQ.e30.AA"), false)
	f.Add([]byte{}, true)
	f.Add([]byte("xkv1 and something"), true)
	questions := map[bool]*question{}
	for _, sealed := range []bool{false, true} {
		c := &Callout{Issuer: key, Account: "AUTH", Accounts: map[string]bool{"APP": true}}
		if sealed {
			c.XKey = x
		}
		q, err := newQuestion(context.Background(), p, c.service(), r)
		if err != nil {
			f.Fatal(err)
		}
		questions[sealed] = q
	}
	f.Fuzz(func(t *testing.T, answer []byte, sealed bool) {
		if id, err := questions[sealed].read(t.Context(), answer, r, false, time.Now()); err == nil {
			t.Errorf("let in as %+v", id)
		}
	})
}
