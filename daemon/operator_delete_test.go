package daemon_test

import (
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// TestOperatorDeletedAccountsLeaveNothing pushes accounts that share with each other, uses and deletes them, again and
// again: no subscription is left, neither of theirs nor of what the server had for them. Accounts that are pushed once
// more work as before, with what the server does for each account.
func TestOperatorDeletedAccountsLeaveNothing(t *testing.T) {
	r := newRealm(t, nil)
	o := openOffice(t, r, "", r.resolved(filepath.Join(t.TempDir(), "jwt"), "full", "allow_delete: true"))
	subscriptions := func() int { // once nobody else is connected
		t.Helper()
		for end := time.Now().Add(brokertest.Patience); ; {
			m, err := o.nc.Request("$SYS.REQ.SERVER.PING.STATSZ", nil, brokertest.Patience)
			if err != nil {
				t.Fatal(err)
			}
			var answer struct {
				Statsz struct{ Connections, Subscriptions int }
			}
			if err := json.Unmarshal(m.Data, &answer); err != nil || answer.Statsz.Subscriptions == 0 || time.Now().After(end) {
				t.Fatalf("%s: %v", m.Data, err)
			}
			if answer.Statsz.Connections == 1 {
				return answer.Statsz.Subscriptions
			}
		}
	}
	done := func(subject string, body []byte) {
		t.Helper()
		m, err := o.nc.Request(subject, body, brokertest.Patience)
		if err != nil {
			t.Fatal(err)
		}
		var answer struct{ Data struct{ Code int } }
		if err := json.Unmarshal(m.Data, &answer); err != nil || answer.Data.Code != 200 {
			t.Fatalf("%s: %s", subject, m.Data)
		}
	}
	made := func() *realmAccount {
		a := &realmAccount{realm: r}
		a.key, a.id = newKey(t, nkeys.CreateAccount)
		a.claims = jwt.NewAccountClaims(a.id)
		return a
	}
	deletion := func(list ...any) []byte {
		c := jwt.NewGenericClaims(r.id)
		c.Data["accounts"] = list
		return []byte(must2(t)(c.Encode(r.key)))
	}
	connect := func(a *realmAccount) *nats.Conn {
		t.Helper()
		nc, err := nats.Connect(o.s.URL(), nats.UserCredentials(a.user("u", nil).creds(t)), nats.NoReconnect())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(nc.Close)
		return nc
	}
	use := func(serves, asks *realmAccount) {
		t.Helper()
		x, i := connect(serves), connect(asks)
		if _, err := x.Subscribe("svc", func(m *nats.Msg) { _ = m.Respond(nil) }); err != nil {
			t.Fatal(err)
		}
		if err := x.Flush(); err != nil {
			t.Fatal(err)
		}
		for _, subject := range []string{"svc", "$SYS.REQ.USER.INFO"} {
			if _, err := i.Request(subject, nil, brokertest.Patience); err != nil {
				t.Fatalf("%s: %v", subject, err)
			}
		}
		if _, err := i.SubscribeSync("ev.>"); err != nil {
			t.Fatal(err)
		}
		if err := i.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	stays := made() // with it comes what the system account has once
	done("$SYS.REQ.CLAIMS.UPDATE", []byte(stays.sign()))
	connect(stays).Close()
	before := subscriptions()
	for round := range 4 {
		serves, asks := made(), made()
		serves.claims.Exports.Add(&jwt.Export{Subject: "svc", Type: jwt.Service}, &jwt.Export{Subject: "ev.>", Type: jwt.Stream})
		asks.claims.Imports.Add(&jwt.Import{Account: serves.id, Subject: "svc", Type: jwt.Service}, &jwt.Import{Account: serves.id, Subject: "ev.>", Type: jwt.Stream})
		both := []*realmAccount{serves, asks}
		for again := range 2 {
			for _, a := range both {
				done("$SYS.REQ.CLAIMS.UPDATE", []byte(a.sign()))
			}
			use(serves, asks)
			if round%2 == 0 {
				both[0], both[1] = both[1], both[0]
			}
			for _, a := range both {
				done("$SYS.REQ.CLAIMS.DELETE", deletion(a.id))
			}
			if n := subscriptions(); n != before {
				t.Errorf("round %d, %d: %d subscriptions, %d before", round, again, n, before)
			}
		}
	}
}
