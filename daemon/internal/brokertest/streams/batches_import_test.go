package streams

import (
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// shared are F, which has a stream, M, which publishes into it by imports, and C, which does by those of M. Exports say how many
// answers there are.
const shared = `
accounts {
  F { jetstream: enabled, users [{user: F, password: p}], exports [{service: "a.>"}, {service: "b.>", response_type: stream}] }
  M {
    users [{user: M, password: p}]
    imports [{service: {account: F, subject: "a.>"}}, {service: {account: F, subject: "b.>"}, to: "in.>"}]
    exports [{service: "a.>"}, {service: "in.>", response_type: stream}]
  }
  C { users [{user: C, password: p}], imports [{service: {account: M, subject: "a.>"}}, {service: {account: M, subject: "in.>"}, to: "far.>"}] }
}
`

// TestFastBatchesOverImports publishes fast batches into a stream of another account.
func TestFastBatchesOverImports(t *testing.T) {
	create := talk{steps: []string{`req $JS.API.STREAM.CREATE.S {"name":"S","subjects":["a.>","b.>"],"storage":"%kind","allow_batched":true}`}}
	batches := func(subj string) talk {
		text := `join x R.>
fast SUBJ.x R.b.10.fail.1.0.$FI body
fast SUBJ.x R.b.10.fail.2.1.$FI body
fast SUBJ.y R.b.10.fail.2.4.$FI
head Nats-Expected-Stream: none
fast SUBJ.x R.b.10.fail.3.1.$FI body
fast SUBJ.x R.c.2.ok.1.0.$FI body
fast SUBJ.x R.c.2.ok.2.1.$FI body
fast SUBJ.x R.c.2.ok.5.1.$FI body
head X: y
fast SUBJ.x R.c.2.ok.6.2.$FI body
fast SUBJ.x R.d.2.bad.6.2.$FI body
fast SUBJ.x R.e.2.ok.1.2.$FI body
req SUBJ.x plain
head Nats-Request-Info: {"reply":"R.f.10.ok.1.2.$FI"}
req SUBJ.x said by a client
all x`
		return talk{steps: strings.Split(strings.ReplaceAll(text, "SUBJ", subj), "\n")}
	}
	theirs := brokertest.Start(t, brokertest.Options{Binary: brokertest.NATSServer(t), Config: config(t, "") + shared})
	ours := brokertest.Start(t, brokertest.Options{Config: config(t, "") + shared})
	for _, storage := range storages {
		n := int(talks.Add(1))
		var said [2]string
		var both sync.WaitGroup
		for i, srv := range []*brokertest.Server{theirs, ours} {
			both.Go(func() {
				f := newPeer(t, srv, nats.UserInfo("F", "p"))
				said[i] = f.play(create, storage, n)
				for _, way := range [][2]string{{"F", "a"}, {"M", "a"}, {"M", "in"}, {"C", "a"}, {"C", "far"}} {
					p := newPeer(t, srv, nats.UserInfo(way[0], "p"))
					said[i] += way[0] + "\n" + p.play(batches(way[1]), storage, n)
				}
				said[i] += f.holdings()
				f.tidy()
			})
		}
		both.Wait()
		if said[0] != said[1] {
			t.Errorf("%s:\n%s", storage, diff(said[0], said[1]))
		}
		if n := strings.Count(said[1], `"batch":"c","count":6`); n != 5 {
			t.Errorf("%d batches were stored:\n%s", n, said[1])
		}
	}
}
