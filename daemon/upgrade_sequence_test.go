package daemon_test

import (
	"encoding/json"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// Other servers take nothing from a server whose numbers fall back: a process that takes over an id goes on above.
func TestUpgradeKeepsTheSequence(t *testing.T) {
	s, socket := controlled(t, "accounts { $SYS { users: [ { user: s, password: p } ] } }\n")
	t.Cleanup(func() { verb(t, socket, "stop") })
	nc := connect(t, s.URL(), nats.UserInfo("s", "p"))
	defer nc.Close()
	ask := func() (id string, seq uint64) {
		t.Helper()
		m, err := nc.Request("$SYS.REQ.SERVER.PING", nil, brokertest.Patience)
		if err != nil {
			t.Fatal(err)
		}
		var answer struct {
			Server struct {
				ID  string `json:"id"`
				Seq uint64 `json:"seq"`
			} `json:"server"`
		}
		if err := json.Unmarshal(m.Data, &answer); err != nil {
			t.Fatal(err)
		}
		return answer.Server.ID, answer.Server.Seq
	}
	var id string
	var last uint64
	for range 30 {
		id, last = ask()
	}
	for range 2 {
		if code, out := verb(t, socket, "upgrade"); code != 0 {
			t.Fatalf("upgrade exits %d: %s", code, out)
		}
		now, seq := ask()
		if now != id || seq <= last {
			t.Errorf("server %s, message %d, after server %s, message %d", now, seq, id, last)
		}
		last = seq
	}
}
