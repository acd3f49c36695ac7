package daemon_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// Streams go on through upgrades: what clients that publish one message after the other have got acks for has no gap, no
// message is stored twice, no ack is missing, and nobody is disconnected. An upgrade that fails ends the same way.
func TestUpgradeKeepsStreams(t *testing.T) {
	s, socket := controlled(t, fmt.Sprintf("jetstream { store_dir: %q }\n", t.TempDir()))
	t.Cleanup(func() { verb(t, socket, "stop") })
	admin := connect(t, s.URL())
	const publishers = 5
	for i := range publishers {
		request(t, admin, fmt.Sprintf("$JS.API.STREAM.CREATE.S%d", i), fmt.Sprintf(`{"name":"S%d"}`, i))
	}
	stop := make(chan struct{})
	var work sync.WaitGroup
	for i := range publishers {
		nc := connect(t, s.URL(), nats.NoReconnect())
		work.Go(func() {
			for n := uint64(1); ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				r, err := nc.Request(fmt.Sprintf("S%d", i), fmt.Append(nil, n), brokertest.Patience)
				if err != nil {
					t.Errorf("S%d %d: %v", i, n, err)
					return
				}
				var a struct{ Seq uint64 }
				if err := json.Unmarshal(r.Data, &a); err != nil || a.Seq != n {
					t.Errorf("S%d: %s; want %d", i, r.Data, n)
					return
				}
			}
		})
	}
	for range 2 {
		if code, out := verb(t, socket, "upgrade"); code != 0 {
			t.Fatalf("upgrade exits %d: %s", code, out)
		}
	}
	if code, out := verb(t, socket, "upgrade", "--binary", "/bin/false"); code != 1 {
		t.Errorf("an upgrade to what is no broker exits %d: %s", code, out)
	}
	close(stop)
	work.Wait()
	for i := range publishers {
		out := request(t, admin, fmt.Sprintf("$JS.API.STREAM.INFO.S%d", i), "")
		if !strings.Contains(out, `"first_seq":1,`) || strings.Contains(out, "num_deleted") || strings.Contains(out, `"messages":0,`) {
			t.Errorf("%s", out)
		}
	}
}

// request asks and returns the answer, which is no error.
func request(t *testing.T, nc *nats.Conn, subject, body string) string {
	t.Helper()
	r, err := nc.Request(subject, []byte(body), brokertest.Patience)
	if err == nil && strings.Contains(string(r.Data), `"error"`) {
		err = errors.New(string(r.Data))
	}
	if err != nil {
		t.Fatalf("%s: %v", subject, err)
	}
	return string(r.Data)
}

// A process that ends while it takes over, at whatever step, costs streams nothing: whoever goes on has every message
// that was acknowledged, and those whose ack was on its way once, since they carry an id.
func TestUpgradeToOneThatCrashesKeepsStreams(t *testing.T) {
	for _, step := range []string{"ready", "prepared", "found", "taken", "restored", "started", "serving", "resuming", "resumed"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			flag := filepath.Join(t.TempDir(), "crash")
			socket := filepath.Join(t.TempDir(), "control.sock")
			s := brokertest.Start(t, brokertest.Options{
				Binary: brokertest.OursCrashing(t), Env: []string{"NATS_CRASH_FILE=" + flag},
				Config: fmt.Sprintf("listen: \"127.0.0.1:%s\"\nconfig_watch: off\ncontrol_socket: %q\njetstream { store_dir: %q }\n",
					brokertest.PortMark, socket, t.TempDir()),
			})
			t.Cleanup(func() { verb(t, socket, "stop") })
			admin := connect(t, s.URL(), nats.MaxReconnects(-1), nats.ReconnectWait(time.Millisecond))
			const publishers = 3
			var all [publishers]*stubborn
			for i := range all {
				request(t, admin, fmt.Sprintf("$JS.API.STREAM.CREATE.S%d", i), fmt.Sprintf(`{"name":"S%d"}`, i))
				all[i] = startStubborn(t, s.URL(), fmt.Sprintf("S%d", i))
			}
			if err := os.WriteFile(flag, []byte(step), 0o600); err != nil {
				t.Fatal(err)
			}
			if code, out := verb(t, socket, "upgrade"); code != 1 {
				t.Errorf("upgrade exits %d: %s", code, out)
			}
			if _, err := os.Stat(flag); err == nil {
				t.Fatal("it did not crash")
			}
			for i, p := range all {
				stored := p.finish()
				var info struct {
					State struct {
						Messages uint64
						First    uint64 `json:"first_seq"`
						Last     uint64 `json:"last_seq"`
					}
				}
				answer := request(t, admin, fmt.Sprintf("$JS.API.STREAM.INFO.S%d", i), "")
				if err := json.Unmarshal([]byte(answer), &info); err != nil {
					t.Fatal(err)
				}
				if st := info.State; st.Messages != stored || st.First != 1 || st.Last != stored {
					t.Errorf("S%d: %+v, and %d were acknowledged", i, st, stored)
				}
			}
		})
	}
}

// stubborn publishes numbered messages one after the other, each until it is acknowledged, over new connections where
// there must be some.
type stubborn struct {
	stop chan struct{}
	done chan uint64
}

func startStubborn(t *testing.T, url, subject string) *stubborn {
	nc := connect(t, url, nats.MaxReconnects(-1), nats.ReconnectWait(time.Millisecond))
	p := &stubborn{stop: make(chan struct{}), done: make(chan uint64, 1)}
	go func() { // ends with finish, or after Patience with an error
		n := uint64(0)
		defer func() { p.done <- n }()
		for {
			select {
			case <-p.stop:
				return
			default:
			}
			seq, err := publishOnce(nc, subject, n+1)
			if err != nil || seq != n+1 {
				t.Errorf("%s %d: number %d, %v", subject, n+1, seq, err)
				return
			}
			n++
		}
	}()
	return p
}

// finish ends it and returns how many were acknowledged.
func (p *stubborn) finish() uint64 {
	close(p.stop)
	return <-p.done
}

// publishOnce publishes a message again and again until it is acknowledged, and returns its number in the stream.
func publishOnce(nc *nats.Conn, subject string, n uint64) (uint64, error) {
	m := nats.NewMsg(subject)
	m.Header.Set("Nats-Msg-Id", fmt.Sprint(n))
	for end := time.Now().Add(brokertest.Patience); ; {
		r, err := nc.RequestMsg(m, time.Second)
		var a struct {
			Seq   uint64
			Error any
		}
		if err == nil {
			err = json.Unmarshal(r.Data, &a)
		}
		if err == nil && a.Error == nil {
			return a.Seq, nil
		}
		if time.Now().After(end) {
			return 0, fmt.Errorf("no ack: %v, %v", err, a.Error)
		}
	}
}

// A program that cannot read the storage says so before anything is handed over: nobody notices.
func TestUpgradeToOneThatCannotReadTheStorage(t *testing.T) {
	dir := t.TempDir()
	s, socket := controlled(t, fmt.Sprintf("jetstream { store_dir: %q }\n", dir))
	t.Cleanup(func() { verb(t, socket, "stop") })
	nc := connect(t, s.URL(), nats.NoReconnect())
	request(t, nc, "$JS.API.STREAM.CREATE.S", `{"name":"S"}`)
	before := statusOf(t, socket)
	// The file of the identity is of a later format: as if the broker that runs were a later one.
	node := filepath.Join(dir, "nats-broker", "node")
	good, err := os.ReadFile(node)
	if err != nil {
		t.Fatal(err)
	}
	later := bytes.Clone(good)
	for _, at := range []int{0, len(later) / 2} {
		head := later[at : at+32]
		binary.LittleEndian.PutUint32(head[4:], 7)
		binary.LittleEndian.PutUint32(head[28:], crc32.Checksum(head[:28], crc32.MakeTable(crc32.Castagnoli)))
	}
	if err := os.WriteFile(node, later, 0o600); err != nil {
		t.Fatal(err)
	}
	code, out := verb(t, socket, "upgrade")
	if code != 1 || !strings.Contains(out, "does not start") || !strings.Contains(out, "format 7: this version reads and writes format 2") {
		t.Errorf("upgrade exits %d: %s", code, out)
	}
	request(t, nc, "S", "still here")
	if now := statusOf(t, socket); now.PID != before.PID {
		t.Errorf("%+v after %+v", now, before)
	}
	if err := os.WriteFile(node, good, 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out := verb(t, socket, "upgrade"); code != 0 {
		t.Errorf("upgrade exits %d: %s", code, out)
	}
	if out := request(t, nc, "$JS.API.STREAM.INFO.S", ""); !strings.Contains(out, `"messages":1,`) {
		t.Errorf("%s", out)
	}
}
