package leafs_test

import (
	"fmt"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// ofDomain is a server with JetStream: its name, where the store is, its domain, and of whom it is a leaf node.
const ofDomain = `
server_name: %s
jetstream { store_dir: %q, domain: %s }
accounts { A { jetstream: enabled, users: [{user: a, password: p}] }, SYS { users: [{user: sys, password: p}] } }
system_account: SYS
leafnodes { listen: LEAF, remotes: [%s] }
`

// TestDomains: each side has its own JetStream; a client of the leaf node uses that of the hub by its domain, and the other
// way round, and the API without a domain does not cross.
func TestDomains(t *testing.T) {
	for _, m := range mixes[:3] {
		t.Run(m.name, func(t *testing.T) {
			hub := start(t, m.hubTheirs, fmt.Sprintf(ofDomain, "hub", t.TempDir(), "dhub", ""))
			leaf := start(t, m.theirs, fmt.Sprintf(ofDomain, "leaf", t.TempDir(), "dleaf", fmt.Sprintf("{url: %q, account: A}", hub.url("a"))))
			leaf.WaitLog(`JetStream using domains: local "dleaf", remote "dhub"`)
			hub.WaitLog(`JetStream using domains: local "dhub", remote "dleaf"`)
			crosses(t, leaf.as("a"), hub.as("a"))
			for _, c := range []struct {
				name, domain string
				at, by       *server
			}{{"hub", "dhub", hub, leaf}, {"leaf", "dleaf", leaf, hub}} {
				js, err := c.by.as("a").JetStream(nats.Domain(c.domain), nats.MaxWait(brokertest.Patience))
				if err != nil {
					t.Fatal(err)
				}
				info, err := js.AccountInfo()
				if err != nil || info.Domain != c.domain {
					t.Fatalf("%s: %+v %v", c.name, info, err)
				}
				subject := "ev." + c.name
				if _, err := js.AddStream(&nats.StreamConfig{Name: "S" + c.name, Subjects: []string{subject}, Storage: nats.MemoryStorage}); err != nil {
					t.Fatalf("%s: %v", c.name, err)
				}
				eventually(t, "the stream's interest", func() bool { // it has one message more then, or some
					_, err := c.by.as("a").Request(subject, []byte("x"), brokertest.Patience/10)
					return err == nil
				})
				for i := range 10 {
					if _, err := js.Publish(subject, fmt.Append(nil, i)); err != nil {
						t.Fatalf("%s: %v", c.name, err)
					}
				}
				sub, err := js.PullSubscribe(subject, "d")
				if err != nil {
					t.Fatalf("%s: %v", c.name, err)
				}
				got := 0
				eventually(t, "ten messages", func() bool {
					msgs, err := sub.Fetch(10, nats.MaxWait(brokertest.Patience/10))
					if err != nil {
						return false
					}
					for _, m := range msgs {
						if err := m.AckSync(nats.AckWait(brokertest.Patience)); err != nil {
							t.Errorf("%s: %v", c.name, err)
						}
						if m.Subject != subject {
							t.Errorf("%s: shown as %s", c.name, m.Subject)
						}
					}
					got += len(msgs)
					return got >= 10
				})
				here, err := c.at.as("a").JetStream(nats.MaxWait(brokertest.Patience))
				if err != nil {
					t.Fatal(err)
				}
				if s, err := here.StreamInfo("S" + c.name); err != nil || s.State.Msgs < 10 {
					t.Errorf("%s: %+v %v", c.name, s, err)
				}
				other, err := c.by.as("a").JetStream(nats.MaxWait(brokertest.Patience))
				if err != nil {
					t.Fatal(err)
				}
				if _, err := other.StreamInfo("S" + c.name); err != nats.ErrStreamNotFound {
					t.Errorf("%s: the API without a domain has crossed: %v", c.name, err)
				}
			}
		})
	}
}
