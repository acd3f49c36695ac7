package orbit

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// patience is how long anything may take on a busy machine.
const patience = 30 * time.Second

// brokers builds both commands.
var brokers = sync.OnceValues(func() (map[string]string, error) {
	dir, err := os.MkdirTemp("", "orbit")
	if err != nil {
		return nil, err
	}
	list := map[string]string{"nats-broker": filepath.Join(dir, "nats-broker"), "nats-server": filepath.Join(dir, "nats-server")}
	for _, args := range [][]string{
		{"../..", "build", "-o", list["nats-broker"], "./cmd/nats-broker"},
		{"../peers", "build", "-o", list["nats-server"], "github.com/nats-io/nats-server/v2"},
	} {
		cmd := exec.Command("go", args[1:]...)
		cmd.Dir = args[0]
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("go %v: %w\n%s", args[1:], err, out)
		}
	}
	return list, nil
})

var listening = regexp.MustCompile(`Listening for client connections on (\S+)`)

// start starts a command and returns its address.
func start(t *testing.T, command string) string {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command(command, "-js", "-sd", dir, "-a", "127.0.0.1", "-p", "-1")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-done
		_ = cmd.Wait()
	})
	address := make(chan string, 1)
	var said bytes.Buffer
	go func() { // ends with the process
		defer close(done)
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			said.WriteString(lines.Text() + "\n")
			if m := listening.FindStringSubmatch(lines.Text()); m != nil {
				address <- m[1]
			}
		}
	}()
	select {
	case a := <-address:
		return a
	case <-done:
		t.Fatalf("%s did not start:\n%s", filepath.Base(command), &said)
	case <-time.After(patience):
		_ = cmd.Process.Kill()
		t.Fatalf("%s does not listen", filepath.Base(command))
	}
	return ""
}

// diary is what came of the steps of a client.
type diary struct {
	strings.Builder
	ctx context.Context
	nc  *nats.Conn
	js  jetstream.JetStream
}

// note writes down what came of a step.
func (d *diary) note(what string, values ...any) { fmt.Fprintln(d, append([]any{what}, values...)...) }

// stream makes a stream.
func (d *diary) stream(c jetstream.StreamConfig) {
	_, err := d.js.CreateStream(d.ctx, c)
	d.note("create", err)
}

// holds notes what a stream holds.
func (d *diary) holds(name string) {
	s, err := d.js.Stream(d.ctx, name)
	if err != nil {
		d.note("stream", err)
		return
	}
	st := s.CachedInfo().State
	d.note("state", st.Msgs, st.FirstSeq, st.LastSeq, st.Bytes, st.NumSubjects)
	for seq := st.FirstSeq; seq > 0 && seq <= st.LastSeq && seq < st.FirstSeq+50; seq++ {
		m, err := s.GetMsg(d.ctx, seq)
		if err != nil {
			d.note("message", seq, err)
			continue
		}
		m.Header.Del("Nats-Batch-Id") // a random one
		m.Header.Del("Nats-Time-Stamp")
		d.note("message", seq, m.Subject, string(m.Data), fmt.Sprint(m.Header))
	}
}

// same has the steps made with both, with streams in memory and in files.
func same(t *testing.T, steps func(d *diary, storage jetstream.StorageType)) {
	list, err := brokers()
	if err != nil {
		t.Fatal(err)
	}
	for _, storage := range []jetstream.StorageType{jetstream.MemoryStorage, jetstream.FileStorage} {
		said := map[string]string{}
		for name, command := range list {
			nc, err := nats.Connect("nats://"+start(t, command), nats.MaxReconnects(0), nats.Timeout(patience))
			if err != nil {
				t.Fatal(err)
			}
			js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(patience))
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
			d := &diary{ctx: ctx, nc: nc, js: js}
			steps(d, storage)
			cancel()
			nc.Close()
			said[name] = d.String()
		}
		if a, b := said["nats-server"], said["nats-broker"]; a == "" || a != b {
			t.Errorf("%v:\n%s", storage, different(a, b))
		}
	}
}

// different shows the lines that differ.
func different(theirs, ours string) string {
	a, b := strings.Split(theirs, "\n"), strings.Split(ours, "\n")
	var out strings.Builder
	for i := range max(len(a), len(b)) {
		var x, y string
		if i < len(a) {
			x = a[i]
		}
		if i < len(b) {
			y = b[i]
		}
		if x != y {
			fmt.Fprintf(&out, "nats-server: %s\nnats-broker: %s\n", x, y)
		}
	}
	return out.String()
}
