package daemon_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// activation makes a token: exporter lets an account import a subject.
func activation(t *testing.T, by nkeys.KeyPair, exporter, to *realmAccount, subject string, kind jwt.ExportType, edit func(*jwt.ActivationClaims)) string {
	t.Helper()
	c := jwt.NewActivationClaims(to.id)
	c.ImportSubject, c.ImportType = jwt.Subject(subject), kind
	if by != exporter.key {
		c.IssuerAccount = exporter.id
	}
	if edit != nil {
		edit(c)
	}
	return must2(t)(c.Encode(by))
}

// TestOperatorShares gives accounts imports of all kinds, granted and not, and compares what reaches them with what does
// at nats-server.
func TestOperatorShares(t *testing.T) {
	r := newRealm(t, nil)
	signer, signerID := newKey(t, nkeys.CreateAccount)
	x := r.account("X", func(c *jwt.AccountClaims) {
		c.SigningKeys.Add(signerID)
		c.Exports = jwt.Exports{
			{Subject: "pub.>", Type: jwt.Stream},
			{Subject: "priv.>", Type: jwt.Stream, TokenReq: true},
			{Subject: "own.*.news", Type: jwt.Stream, AccountTokenPosition: 2},
			{Subject: "svc.pub.*", Type: jwt.Service},
			{Subject: "svc.priv", Type: jwt.Service, TokenReq: true},
			{Subject: "svc.many", Type: jwt.Service, ResponseType: jwt.ResponseTypeStream},
		}
		c.Mappings = jwt.Mapping{"mapped.in": {{Subject: "pub.mapped"}}}
	})
	revoked := r.account("revoked", nil)
	x.claims.Exports[1].Revoke(revoked.id)
	x.sign()
	y := r.account("Y", nil)
	var readers []*realmAccount
	reader := func(name string, imports func(a *realmAccount) []*jwt.Import) {
		a := r.account(name, nil)
		for _, i := range imports(a) {
			i.Account = x.id
			a.claims.Imports.Add(i)
		}
		a.sign()
		readers = append(readers, a)
	}
	private := func(by nkeys.KeyPair, exporter *realmAccount, edit func(*jwt.ActivationClaims)) func(a *realmAccount) []*jwt.Import {
		return func(a *realmAccount) []*jwt.Import {
			return []*jwt.Import{{Subject: "priv.>", Type: jwt.Stream, Token: activation(t, by, exporter, a, "priv.>", jwt.Stream, edit)}}
		}
	}
	stream := func(i jwt.Import) func(*realmAccount) []*jwt.Import {
		return func(*realmAccount) []*jwt.Import { i := i; i.Type = jwt.Stream; return []*jwt.Import{&i} }
	}
	service := func(i jwt.Import) func(*realmAccount) []*jwt.Import {
		return func(*realmAccount) []*jwt.Import { i := i; i.Type = jwt.Service; return []*jwt.Import{&i} }
	}
	reader("public", stream(jwt.Import{Subject: "pub.>"}))
	reader("public, one subject", stream(jwt.Import{Subject: "pub.a"}))
	reader("public, more than is exported", stream(jwt.Import{Subject: ">"}))
	//lint:ignore SA1019 the old form is still in use
	reader("prefixed", stream(jwt.Import{Subject: "pub.>", To: "from.x"}))
	reader("renamed", stream(jwt.Import{Subject: "pub.*.*", LocalSubject: "here.$2.$1"}))
	reader("private without a token", stream(jwt.Import{Subject: "priv.>"}))
	reader("private", private(x.key, x, nil))
	reader("private by the signing key", private(signer, x, nil))
	reader("private by another account", private(y.key, y, nil))
	reader("private by another account that lies", private(y.key, x, func(c *jwt.ActivationClaims) { c.IssuerAccount = x.id }))
	reader("private, expired", private(x.key, x, func(c *jwt.ActivationClaims) { c.Expires = in(-time.Minute) }))
	reader("own", func(a *realmAccount) []*jwt.Import {
		return []*jwt.Import{{Subject: jwt.Subject("own." + a.id + ".news"), Type: jwt.Stream}}
	})
	reader("another's own", stream(jwt.Import{Subject: jwt.Subject("own." + y.id + ".news")}))
	revoked.claims.Imports.Add(&jwt.Import{Account: x.id, Subject: "priv.>", Type: jwt.Stream,
		Token: activation(t, x.key, x, revoked, "priv.>", jwt.Stream, nil)})
	revoked.sign()
	readers = append(readers, revoked)

	reader("service", service(jwt.Import{Subject: "svc.pub.a"}))
	reader("service, wildcard", service(jwt.Import{Subject: "svc.pub.*"}))
	reader("service, local subject", service(jwt.Import{Subject: "svc.pub.*", LocalSubject: "ask.*"}))
	//lint:ignore SA1019 the old form is still in use
	reader("service, old form", service(jwt.Import{Subject: "ask.it", To: "svc.pub.b"}))
	reader("service that is private", service(jwt.Import{Subject: "svc.priv"}))
	reader("service with a token", func(a *realmAccount) []*jwt.Import {
		return []*jwt.Import{{Subject: "svc.priv", Type: jwt.Service, Token: activation(t, x.key, x, a, "svc.priv", jwt.Service, nil)}}
	})
	reader("streamed service", service(jwt.Import{Subject: "svc.many"}))
	reader("service that is not exported", service(jwt.Import{Subject: "svc.none"}))

	both(t, func(t *testing.T, binary string) string {
		s := brokertest.Start(t, brokertest.Options{Binary: binary, Config: r.memory()})
		var out strings.Builder
		serving := login(t, s, x.user("s", nil), nil)
		serving.Send("SUB svc.> 1\r\n")
		serving.Sync()
		from := login(t, s, x.user("p", nil), nil)
		from.Sync()
		publish := []string{"pub.a", "pub.a.b", "priv.a", "mapped.in", "own." + y.id + ".news", "other"}
		for _, a := range readers {
			c := login(t, s, a.user("r", nil), nil)
			c.Send("SUB > 1\r\n")
			c.Sync()
			subjects := append(publish, "own."+a.id+".news")
			for _, subj := range subjects {
				from.Send("PUB " + subj + " 0\r\n\r\n")
			}
			from.Sync()
			fmt.Fprintf(&out, "%s:\n", a.claims.Name)
			for _, f := range c.Sync() {
				if !strings.HasPrefix(f, "INFO ") {
					fmt.Fprintf(&out, "  < %q\n", strings.ReplaceAll(f, a.id, "(self)"))
				}
			}
			asker := login(t, s, a.user("q", nil), nil)
			asker.Send("SUB answers 1\r\n")
			for _, subj := range []string{"svc.pub.a", "svc.pub.b", "ask.it", "ask.x", "svc.priv", "svc.many", "svc.none"} {
				asker.Send("PUB " + subj + " answers 2\r\nhi\r\n")
				asker.Sync()
				asked := 0
				for _, f := range serving.Sync() {
					line, _, _ := strings.Cut(f, "\r\n")
					fields := strings.Fields(line)
					if len(fields) < 5 || strings.HasPrefix(f, "INFO") {
						continue
					}
					fmt.Fprintf(&out, "  %s is asked as %s\n", subj, fields[1])
					serving.Send(fmt.Sprintf("PUB %s 1\r\na\r\nPUB %s 1\r\nb\r\n", fields[3], fields[3]))
					asked++
				}
				if asked > 0 {
					serving.Sync()
					for _, f := range asker.Sync() {
						if !strings.HasPrefix(f, "INFO ") {
							fmt.Fprintf(&out, "    < %q\n", f)
						}
					}
				}
			}
			c.Net().Close()
			asker.Net().Close()
		}
		return out.String()
	})
}

// TestOperatorActivationEnds: an import ends with its activation, under a subscription that is there, and an update of
// the exporter that takes an activation back ends it at once.
func TestOperatorActivationEnds(t *testing.T) {
	r := newRealm(t, nil)
	x := r.account("X", func(c *jwt.AccountClaims) {
		c.Exports = jwt.Exports{{Subject: "priv.>", Type: jwt.Stream, TokenReq: true}}
	})
	short, long := r.account("short", nil), r.account("long", nil)
	end := time.Now().Add(3 * time.Second)
	for a, edit := range map[*realmAccount]func(*jwt.ActivationClaims){
		short: func(c *jwt.ActivationClaims) { c.Expires = end.Unix() }, long: nil,
	} {
		a.claims.Imports.Add(&jwt.Import{Account: x.id, Subject: "priv.>", Type: jwt.Stream, Token: activation(t, x.key, x, a, "priv.>", jwt.Stream, edit)})
		a.sign()
	}
	o := openOffice(t, r, "", r.memory())
	from := login(t, o.s, x.user("p", nil), nil)
	from.Sync()
	open := func(a *realmAccount) *brokertest.Conn {
		c := login(t, o.s, a.user("s", nil), nil)
		c.Send("SUB priv.> 1\r\n")
		c.Sync()
		return c
	}
	arrives := func(c *brokertest.Conn) bool {
		from.Send("PUB priv.x 0\r\n\r\n")
		from.Sync()
		return len(c.Sync()) > 0
	}
	a, b := open(short), open(long)
	if !arrives(a) && time.Now().Unix() < end.Unix() {
		t.Error("nothing arrives while the activation lasts")
	}
	b.Sync()
	waitUntil(t, "the activation to end", func() bool { return !arrives(a) })
	b.Sync()
	if !arrives(b) {
		t.Error("another account's import has ended too")
	}
	x.claims.Exports[0].Revoke(long.id)
	if err := o.nc.Publish("$SYS.REQ.ACCOUNT."+x.id+".CLAIMS.UPDATE", []byte(x.sign())); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, "the activation to be revoked", func() bool { return !arrives(b) })
}

// waitUntil asks until something holds.
func waitUntil(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(brokertest.Patience); time.Now().Before(deadline); {
		if holds() {
			return
		}
	}
	t.Fatalf("%s: not within %s", what, brokertest.Patience)
}
