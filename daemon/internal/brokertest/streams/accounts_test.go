package streams

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// accounts are L, which has limits, N, which has no JetStream, M, which has that of F, B, whose streams must say their size, and F, which is free.
const accounts = `
accounts {
  L { jetstream { max_memory: 400, max_store: 1000, max_streams: 2, max_consumers: 3, mem_max_stream_bytes: 300, disk_max_stream_bytes: 500, max_ack_pending: 7 }, users [{user: L, password: p}] }
  B { jetstream { max_bytes_required: true }, users [{user: B, password: p}] }
  N { users [{user: N, password: p}] }
  F { jetstream: enabled, users [{user: F, password: p}], exports [{service: "$JS.API.INFO"}, {service: "$JS.API.STREAM.NAMES"}] }
  M {
    users [{user: M, password: p}]
    imports [{service: {account: F, subject: "$JS.API.INFO"}}, {service: {account: F, subject: "$JS.API.STREAM.NAMES"}}]
  }
  SYS { users [{user: S, password: p}] }
}
system_account: SYS
`

// TestAccounts holds the talks of testdata/accounts, each in the account that its name begins with.
func TestAccounts(t *testing.T) {
	b, err := os.ReadFile("testdata/accounts/limits.talk")
	if err != nil {
		t.Fatal(err)
	}
	theirs := brokertest.Start(t, brokertest.Options{Binary: brokertest.NATSServer(t), Config: config(t, "max_mem: 1M, max_file: 1M") + accounts})
	ours := brokertest.Start(t, brokertest.Options{Config: config(t, "max_mem: 1M, max_file: 1M") + accounts})
	for _, tk := range parseTalks(string(b)) {
		for _, storage := range storages {
			t.Run(tk.name+"/"+storage, func(t *testing.T) {
				user := nats.UserInfo(tk.name[:1], "p")
				a, b := newPeer(t, theirs, user), newPeer(t, ours, user)
				if strings.Contains("NMS", tk.name[:1]) {
					n := int(talks.Add(1))
					if want, got := a.play(tk, storage, n), b.play(tk, storage, n); want != got {
						t.Errorf("%s", diff(want, got))
					}
					return
				}
				hold(t, a, b, tk, storage)
			})
		}
	}
}

const domain = "domain: hub"

// TestDomain holds talks with servers of a domain.
func TestDomain(t *testing.T) {
	theirs, ours := pair(t, domain)
	b, err := os.ReadFile("testdata/accounts/domain.talk")
	if err != nil {
		t.Fatal(err)
	}
	for _, tk := range parseTalks(string(b)) {
		t.Run(tk.name, func(t *testing.T) { hold(t, theirs, ours, tk, "memory") })
	}
}

// TestLenient holds talks with servers that take fields that they do not know.
func TestLenient(t *testing.T) {
	theirs, ours := pair(t, "strict: false, limits { duplicate_window: '1m' }")
	b, err := os.ReadFile("testdata/accounts/lenient.talk")
	if err != nil {
		t.Fatal(err)
	}
	for _, tk := range parseTalks(string(b)) {
		t.Run(tk.name, func(t *testing.T) { hold(t, theirs, ours, tk, "memory") })
	}
}

// TestPushAcrossAccounts has a consumer deliver to those who import its subject: who asks for it by name counts as
// somebody who listens, who asks for more than it does not.
func TestPushAcrossAccounts(t *testing.T) {
	accounts := "accounts {\n" +
		"A { jetstream: enabled, users [{user: A, password: p}], exports [{stream: \"out.>\"}] }\n" +
		"B { users [{user: B, password: p}], imports [{stream: {account: A, subject: \"out.>\"}, prefix: in}] }\n}\n"
	var said [2]string
	for i, binary := range []string{brokertest.NATSServer(t), ""} {
		s := brokertest.Start(t, brokertest.Options{Binary: binary, Config: config(t, "") + accounts})
		a, b := newPeer(t, s, nats.UserInfo("A", "p")), newPeer(t, s, nats.UserInfo("B", "p"))
		listen := func(subject string) *nats.Subscription {
			sub, err := b.nc.SubscribeSync(subject)
			a.must(err)
			a.must(b.nc.Flush())
			return sub
		}
		wild := listen("in.out.*")
		a.play(talk{steps: []string{
			`req $JS.API.STREAM.CREATE.S {"name":"S","subjects":["x"],"storage":"memory"}`, `req x one`,
			`req $JS.API.CONSUMER.CREATE.S.c {"stream_name":"S","config":{"name":"c","ack_policy":"none","deliver_subject":"out.d"}}`,
		}}, "memory", 1)
		_, err := wild.NextMsg(a.quiet)
		said[i] = a.out.String() + fmt.Sprintln(err)
		named := listen("in.out.d")
		for _, sub := range []*nats.Subscription{named, wild} {
			m, err := sub.NextMsg(patience)
			a.must(err)
			said[i] += string(m.Data) + "\n"
		}
		said[i] += a.play(talk{steps: []string{`info`}}, "memory", 1)
	}
	if said[0] != said[1] {
		t.Error(diff(said[0], said[1]))
	}
}
