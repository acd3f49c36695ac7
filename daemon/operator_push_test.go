package daemon_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// office is an administrator's connection to the system account, and the transcript of what happens.
type office struct {
	t   *testing.T
	r   *realm
	s   *brokertest.Server
	nc  *nats.Conn
	out strings.Builder
}

// openOffice starts a server and connects as `nsc push` does, by a credentials file of a user of the system account.
func openOffice(t *testing.T, r *realm, binary, config string) *office {
	t.Helper()
	o := &office{t: t, r: r, s: brokertest.Start(t, brokertest.Options{Binary: binary, Config: config})}
	nc, err := nats.Connect(o.s.URL(), nats.UserCredentials(r.sys.user("push", nil).creds(t)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	o.nc = nc
	return o
}

func (o *office) say(format string, args ...any) { fmt.Fprintf(&o.out, format+"\n", args...) }

// ask sends a request and records the answer, without what is the server's own.
func (o *office) ask(what, subject string, body []byte) {
	o.t.Helper()
	o.say("%s:", what)
	m, err := o.nc.Request(subject, body, brokertest.Patience)
	if err != nil {
		o.t.Fatalf("%s: %v", what, err)
	}
	o.say("  %s", o.masked(m.Data))
}

// masked is an answer without the server, with the names of accounts in place of their keys.
func (o *office) masked(body []byte) string {
	text := string(body)
	var answer map[string]json.RawMessage
	if json.Unmarshal(body, &answer) == nil {
		var server map[string]any
		if err := json.Unmarshal(answer["server"], &server); err != nil || server["id"] == "" {
			o.t.Errorf("answer without a server: %s", body)
		}
		delete(answer, "server")
		var ids []string
		if json.Unmarshal(answer["data"], &ids) == nil {
			for i := range ids {
				ids[i] = o.named(ids[i])
			}
			slices.Sort(ids)
			answer["data"] = json.RawMessage(`"` + strings.Join(ids, " ") + `"`)
		}
		b, err := json.Marshal(answer)
		if err != nil {
			o.t.Fatal(err)
		}
		text = string(b)
	}
	return o.named(text)
}

// named is a text with the names of accounts in place of their keys.
func (o *office) named(text string) string {
	for _, a := range o.r.all {
		text = strings.ReplaceAll(text, a.jwt, "(JWT of "+a.claims.Name+")")
		text = strings.ReplaceAll(text, a.id, "("+a.claims.Name+")")
	}
	return strings.ReplaceAll(text, o.r.id, "(operator)")
}

// push publishes the claims of an account as they are now.
func (o *office) push(what string, a *realmAccount, edit func(*jwt.AccountClaims)) {
	o.t.Helper()
	if edit != nil {
		edit(a.claims)
	}
	o.ask(what, "$SYS.REQ.CLAIMS.UPDATE", []byte(a.sign()))
}

// pull asks for all accounts as `nsc pull` does, and records what comes until the empty message.
func (o *office) pull() {
	o.t.Helper()
	inbox := o.nc.NewInbox()
	sub, err := o.nc.SubscribeSync(inbox)
	if err != nil {
		o.t.Fatal(err)
	}
	if err := o.nc.PublishRequest("$SYS.REQ.CLAIMS.PACK", inbox, nil); err != nil {
		o.t.Fatal(err)
	}
	var lines []string
	for {
		m, err := sub.NextMsg(brokertest.Patience)
		if err != nil {
			o.t.Fatal(err)
		}
		if len(m.Data) == 0 {
			break
		}
		lines = append(lines, "  "+o.masked(m.Data))
	}
	slices.Sort(lines)
	o.say("pull:\n%s", strings.Join(lines, "\n"))
	if err := sub.Unsubscribe(); err != nil {
		o.t.Fatal(err)
	}
}

// left records what a connection reads up to its end.
func (o *office) left(who string, c *brokertest.Conn) {
	o.t.Helper()
	o.say("%s:", who)
	for {
		f := c.Next()
		o.say("  < %q", f)
		if f == brokertest.EOF {
			return
		}
	}
}

// stays records what a connection reads up to an answer to PING.
func (o *office) stays(who string, c *brokertest.Conn) {
	o.t.Helper()
	o.say("%s:", who)
	for _, f := range c.Sync() {
		if !strings.HasPrefix(f, "INFO ") {
			o.say("  < %q", f)
		}
	}
}

// TestOperatorPush plays the life of an account to both servers: pushed, changed under connected users, expired, deleted.
func TestOperatorPush(t *testing.T) {
	r := newRealm(t, nil)
	signer, signerID := newKey(t, nkeys.CreateAccount)
	stranger := newRealm(t, nil)
	foreign := stranger.account("F", nil)
	both(t, func(t *testing.T, binary string) string {
		dir := filepath.Join(t.TempDir(), "jwt")
		a := &realmAccount{realm: r}
		a.key, a.id = newKey(t, nkeys.CreateAccount)
		a.claims = jwt.NewAccountClaims(a.id)
		a.claims.Name = "A"
		a.claims.SigningKeys.Add(signerID)
		a.sign()
		r.all = []*realmAccount{r.sys, a}
		o := openOffice(t, r, binary, r.resolved(dir, "full", "allow_delete: true"))
		user := a.user("u", nil)

		o.stays("before the push", login(t, o.s, user, nil))
		o.push("push", a, nil)
		first := login(t, o.s, user, nil)
		o.stays("after the push", first)
		o.ask("the same again", "$SYS.REQ.CLAIMS.UPDATE", []byte(a.jwt))
		o.ask("by the account's subject", "$SYS.REQ.ACCOUNT."+a.id+".CLAIMS.UPDATE", []byte(a.jwt))
		o.ask("by the old subject", "$SYS.ACCOUNT."+a.id+".CLAIMS.UPDATE", []byte(a.jwt))
		o.ask("by another's subject", "$SYS.REQ.ACCOUNT."+r.sys.id+".CLAIMS.UPDATE", []byte(a.jwt))
		o.ask("garbage", "$SYS.REQ.CLAIMS.UPDATE", []byte("garbage"))
		o.ask("nothing", "$SYS.REQ.CLAIMS.UPDATE", nil)
		o.ask("a user", "$SYS.REQ.CLAIMS.UPDATE", []byte(user.jwt))
		o.ask("list", "$SYS.REQ.CLAIMS.LIST", nil)
		o.ask("look-up", "$SYS.REQ.ACCOUNT."+a.id+".CLAIMS.LOOKUP", nil)
		o.ask("look-up of nobody", "$SYS.REQ.ACCOUNT."+foreign.id+".CLAIMS.LOOKUP", nil)
		o.pull()
		files, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		var names []string // in the order of what they stand for: that of keys made for the run says nothing
		for _, f := range files {
			names = append(names, o.masked([]byte(f.Name())))
		}
		slices.Sort(names)
		o.say("file %s", strings.Join(names, "\nfile "))

		first.Send("SUB keep 1\r\nSUB drop 2\r\n")
		first.Sync()
		o.push("default permissions", a, func(c *jwt.AccountClaims) { c.DefaultPermissions.Sub.Deny.Add("drop") })
		o.stays("with other defaults", first)
		o.push("no default permissions", a, func(c *jwt.AccountClaims) { c.DefaultPermissions = jwt.Permissions{} })

		bearer := login(t, o.s, a.user("b", func(c *jwt.UserClaims) { c.BearerToken = true }), nil)
		o.stays("a bearer", bearer)
		o.push("no bearers", a, func(c *jwt.AccountClaims) { c.Limits.DisallowBearer = true })
		o.left("the bearer", bearer)

		signed := login(t, o.s, a.userBy(signer, "s", nil), nil)
		o.stays("signed by a key", signed)
		o.push("without the key", a, func(c *jwt.AccountClaims) { c.SigningKeys.Remove(signerID) })
		o.left("signed by a key that is gone", signed)

		second := login(t, o.s, a.user("second", nil), nil)
		second.Sync()
		o.push("one connection", a, func(c *jwt.AccountClaims) { c.Limits.Conn = 1 })
		o.left("the second connection", second)
		o.stays("the first connection", first)
		o.push("payload", a, func(c *jwt.AccountClaims) { c.Limits.Conn = -1; c.Limits.Payload = 3 })
		third := login(t, o.s, a.user("third", nil), nil)
		third.Sync()
		third.Send("PUB x 4\r\nabcd\r\n")
		o.left("a large payload", third)

		o.push("revoked", a, func(c *jwt.AccountClaims) { c.Revoke(must2(t)(user.key.PublicKey())) })
		o.left("the revoked user", first)
		o.stays("the revoked user, again", login(t, o.s, user, nil))

		other := login(t, o.s, a.user("other", nil), nil)
		other.Sync()
		inTime(t, func(ends int64) {
			before := o.out.String()
			o.push("account that ends", a, func(c *jwt.AccountClaims) { c.Expires = ends })
			if time.Now().Unix() >= ends { // it may have been refused
				o.out.Reset()
				o.out.WriteString(before)
				other.Net().Close()
				o.push("account that has not ended yet", a, func(c *jwt.AccountClaims) { c.Expires = 0 })
				o.out.Reset()
				o.out.WriteString(before)
				other = login(t, o.s, a.user("other", nil), nil)
				other.Sync()
			}
		})
		o.left("a user of an account that ended", other)
		o.push("account that does not", a, func(c *jwt.AccountClaims) { c.Expires = 0 })
		var soon *brokertest.Conn
		inTime(t, func(ends int64) {
			soon = login(t, o.s, a.user("soon", func(c *jwt.UserClaims) { c.Expires = ends }), nil)
			soon.Sync()
		})
		o.left("a user that ended", soon)

		deletion := func(by nkeys.KeyPair, subject string, accounts ...any) []byte {
			c := jwt.NewGenericClaims(subject)
			c.Data["accounts"] = accounts
			return []byte(must2(t)(c.Encode(by)))
		}
		o.ask("deletion by a stranger", "$SYS.REQ.CLAIMS.DELETE", deletion(stranger.key, stranger.id, a.id))
		o.ask("deletion not signed by itself", "$SYS.REQ.CLAIMS.DELETE", deletion(r.signs, r.id, a.id))
		o.ask("deletion of the system account", "$SYS.REQ.CLAIMS.DELETE", deletion(r.key, r.id, r.sys.id))
		o.ask("deletion of nonsense", "$SYS.REQ.CLAIMS.DELETE", deletion(r.key, r.id, 5))
		last := login(t, o.s, a.user("last", nil), nil)
		last.Sync()
		o.ask("deletion", "$SYS.REQ.CLAIMS.DELETE", deletion(r.key, r.id, a.id))
		o.left("a user of the deleted account", last)
		o.ask("list", "$SYS.REQ.CLAIMS.LIST", nil)
		return o.masked([]byte(o.out.String()))
	})
}

// inTime does something with a time that is soon over, and again with one further off if it was over before it was done.
func inTime(t *testing.T, do func(ends int64)) {
	t.Helper()
	for d := 2 * time.Second; d < brokertest.Patience; d *= 2 {
		ends := in(d)
		if do(ends); time.Now().Unix() < ends {
			return
		}
	}
	t.Fatal("the machine is too slow")
}
