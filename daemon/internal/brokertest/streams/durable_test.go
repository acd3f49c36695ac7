package streams

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// TestKilledUnderLoad kills the broker while clients publish, and looks for everything that it has acknowledged.
func TestKilledUnderLoad(t *testing.T) {
	s := brokertest.Start(t, brokertest.Options{Config: config(t, "")})
	var mu sync.Mutex
	acked := map[string]map[uint64]string{} // by stream
	for i := range 3 {
		name := fmt.Sprintf("S%d", i)
		acked[name] = map[uint64]string{}
		create(t, s, fmt.Sprintf(`{"name":%q,"subjects":["%s.>"]}`, name, name))
	}
	for round := range 3 {
		var work sync.WaitGroup
		ctx, cancel := context.WithCancel(t.Context())
		for i := range 6 {
			nc, err := nats.Connect(s.URL(), nats.MaxReconnects(0), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			work.Go(func() {
				name := fmt.Sprintf("S%d", i%3)
				for n := 0; ; n++ {
					body := fmt.Sprintf("%d %d %d", round, i, n)
					r, err := nc.RequestWithContext(ctx, fmt.Sprintf("%s.%d", name, n%10), []byte(body))
					if err != nil {
						return
					}
					var a struct{ Seq uint64 }
					if json.Unmarshal(r.Data, &a) != nil || a.Seq == 0 {
						t.Errorf("%s", r.Data)
						return
					}
					mu.Lock()
					acked[name][a.Seq] = body
					mu.Unlock()
				}
			})
		}
		before := count(&mu, acked)
		for end := time.Now().Add(brokertest.Patience); count(&mu, acked) < before+300; {
			if t.Failed() || time.Now().After(end) {
				t.Fatalf("%d messages were acknowledged", count(&mu, acked)-before)
			}
			time.Sleep(time.Millisecond) // until enough has happened to be killed in
		}
		s.Kill()
		cancel()
		work.Wait()
		s.Restart()
	}
	p := newPeer(t, s)
	mu.Lock()
	defer mu.Unlock()
	for name, list := range acked {
		for seq, body := range list {
			r, err := p.nc.Request("$JS.API.STREAM.MSG.GET."+name, fmt.Appendf(nil, `{"seq":%d}`, seq), patience)
			if err != nil {
				t.Fatal(err)
			}
			var m struct {
				Message struct{ Data []byte } `json:"message"`
			}
			if err := json.Unmarshal(r.Data, &m); err != nil || string(m.Message.Data) != body {
				t.Fatalf("%s %d: %s; want %s", name, seq, r.Data, body)
			}
		}
	}
	t.Logf("%d acknowledged messages", count(nil, acked))
}

func count(mu *sync.Mutex, acked map[string]map[uint64]string) (n int) {
	if mu != nil {
		mu.Lock()
		defer mu.Unlock()
	}
	for _, l := range acked {
		n += len(l)
	}
	return n
}

func create(t *testing.T, s *brokertest.Server, config string) {
	t.Helper()
	nc, err := nats.Connect(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	var c struct{ Name string }
	if err := json.Unmarshal([]byte(config), &c); err != nil {
		t.Fatal(err)
	}
	r, err := nc.Request("$JS.API.STREAM.CREATE."+c.Name, []byte(config), patience)
	if err != nil {
		t.Fatal(err)
	}
	var a struct {
		DidCreate bool `json:"did_create"`
	}
	if json.Unmarshal(r.Data, &a) != nil || !a.DidCreate {
		t.Fatalf("%s", r.Data)
	}
}
