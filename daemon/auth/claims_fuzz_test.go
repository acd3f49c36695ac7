package auth

import (
	"context"
	"encoding/base64"
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"github.com/nats-broker/nats-broker/daemon/logging"
)

// fixedKey makes a key that is the same in every run, so that a corpus stays what it was.
func fixedKey(t testing.TB, kind nkeys.PrefixByte, n byte) (nkeys.KeyPair, string) {
	t.Helper()
	raw := make([]byte, 32)
	raw[0] = n
	kp, err := nkeys.FromRawSeed(kind, raw)
	if err != nil {
		t.Fatal(err)
	}
	id, err := kp.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	return kp, id
}

// signedBody makes a JWT of whatever bytes.
func signedBody(t testing.TB, by nkeys.KeyPair, body []byte) string {
	t.Helper()
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"typ":"JWT", "alg":"ed25519-nkey"}`)) + "." + base64.RawURLEncoding.EncodeToString(body)
	sig, err := by.Sign([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(sig)
}

// bodyOf is the claims of a JWT.
func bodyOf(t testing.TB, text string, err error) []byte {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	b, err := base64.RawURLEncoding.DecodeString(strings.Split(text, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// listed is a resolver that knows two accounts.
type listed map[string]string

func (l listed) Fetch(_ context.Context, id string) (string, error) {
	if text, ok := l[id]; ok {
		return text, nil
	}
	return "", ErrAccountMissing
}

// quietCore takes what it is told.
type quietCore struct{}

func (quietCore) Share([]*SharedAccount) {}
func (quietCore) Recheck(string)         {}
func (quietCore) Expire(string)          {}
func (quietCore) Clear(string)           {}

// FuzzClaims decides on a user with any claims, of an account with any claims, both signed as they should be. Whatever they
// say: the answer is a refusal or an identity in that account, and a bearer of nothing is never let in.
func FuzzClaims(f *testing.F) {
	op, opID := fixedKey(f, nkeys.PrefixByteOperator, 1)
	acc, accID := fixedKey(f, nkeys.PrefixByteAccount, 2)
	signer, signerID := fixedKey(f, nkeys.PrefixByteAccount, 3)
	_, otherID := fixedKey(f, nkeys.PrefixByteAccount, 4)
	_, userID := fixedKey(f, nkeys.PrefixByteUser, 5)

	a := jwt.NewAccountClaims(accID)
	a.Name = "A"
	scope := jwt.NewUserScope()
	scope.Key = signerID
	scope.Template.Pub.Allow.Add("a.{{name()}}.{{tag(x)}}", "{{account-tag(y)}}")
	scope.Template.Sub.Deny.Add("b.{{subject()}}")
	a.SigningKeys.AddScopedSigner(scope)
	a.Imports.Add(&jwt.Import{Account: otherID, Subject: "s.*", LocalSubject: "t.$1", Type: jwt.Service})
	a.Exports.Add(&jwt.Export{Subject: "e.>", Type: jwt.Stream, TokenReq: true})
	a.Mappings = jwt.Mapping{"m.*": {{Subject: "n.$1", Weight: 10}}}
	a.Revocations = jwt.RevocationList{"*": 1}
	text, err := a.Encode(op)
	accBody := bodyOf(f, text, err)
	u := jwt.NewUserClaims(userID)
	u.Name, u.BearerToken = "u", true
	u.Src.Add("127.0.0.0/8")
	u.Times = []jwt.TimeRange{{Start: "00:00:00", End: "23:59:59"}}
	u.Pub.Allow.Add("x.>")
	u.Resp = &jwt.ResponsePermission{}
	text, err = u.Encode(acc)
	f.Add(bodyOf(f, text, err), accBody, false)
	u.SetScoped(true)
	u.IssuerAccount = accID
	u.Tags.Add("x:1", "x:2")
	text, err = u.Encode(signer)
	f.Add(bodyOf(f, text, err), accBody, true)
	f.Add([]byte(`{}`), []byte(`{}`), false)
	f.Add([]byte(`{"nats":{"type":"user","version":2}}`), []byte(`{"nats":{"type":"account","version":2,"imports":[null]}}`), true)

	remote := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}
	f.Fuzz(func(t *testing.T, user, account []byte, bySigner bool) {
		by := acc
		if bySigner {
			by = signer
		}
		book := NewBook(Trust{Keys: []string{opID}}, listed{accID: signedBody(t, op, account)}, quietCore{}, logging.Discard())
		defer book.Stop()
		d, err := newDirectory(Options{Operator: &Operator{Book: book}})
		if err != nil {
			t.Fatal(err)
		}
		r := &Request{JWT: signedBody(t, by, user), Remote: remote, Nonce: "n"}
		id, err := d.decide(t.Context(), r, nil)
		if err != nil {
			if id != nil {
				t.Error("a refusal with an identity")
			}
			if !errors.Is(err, ErrCredentials) && !errors.Is(err, ErrProxyRequired) {
				t.Errorf("not a refusal: %v", err)
			}
			return
		}
		if id.Account != accID {
			t.Errorf("let into %q", id.Account)
		}
		if !id.claim.bearer {
			t.Error("let in without a signature")
		}
		if now, err := book.Recheck(id); err == nil && now.Account != accID {
			t.Error("moved")
		}
		if id.Permissions != nil {
			id.Permissions.CanPublish("x.y")
			id.Permissions.CanSubscribe("x.*", "q")
		}
	})
}

// FuzzUserJWT decides on any text for a JWT, as CONNECT carries it.
func FuzzUserJWT(f *testing.F) {
	acc, _ := fixedKey(f, nkeys.PrefixByteAccount, 2)
	f.Add("")
	f.Add("a.b.c")
	f.Add(signedBody(f, acc, []byte(`{"nats":{"type":"user","version":1}}`)))
	f.Add(signedBody(f, acc, []byte(`{"type":"user","nats":{}}`)))
	book := NewBook(Trust{}, listed{}, quietCore{}, logging.Discard())
	d, err := newDirectory(Options{Operator: &Operator{Book: book}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if id, err := d.decide(t.Context(), &Request{JWT: text, Nonce: "n", Signature: "c2ln"}, nil); err == nil {
			t.Errorf("let in as %+v", id)
		}
	})
}
