package daemon_test

import (
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
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
	"golang.org/x/sys/unix"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// smallDisk makes a program that runs nats-broker with a small disk of its own at a directory, in namespaces of its own.
func smallDisk(t *testing.T, dir, size string) (program string) {
	t.Helper()
	program = filepath.Join(t.TempDir(), "nats-broker")
	inner := fmt.Sprintf("#!/bin/sh\nmount -t tmpfs -o size=%s none %q && exec %q \"$@\"\n", size, dir, brokertest.Ours(t))
	for path, text := range map[string]string{program: "#!/bin/sh\nexec unshare -U -r -m sh " + program + ".inner \"$@\"\n", program + ".inner": inner} {
		if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command("unshare", "-U", "-r", "-m", "mount", "-t", "tmpfs", "none", dir).CombinedOutput(); err != nil {
		t.Skipf("no user namespaces: %v %s", err, out)
	}
	return program
}

// statusLines are the STATUS= lines that a service manager gets.
type statusLines struct {
	mu   sync.Mutex
	last string
}

func (l *statusLines) get() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

// notified listens as a service manager does; env is for the process that is to tell it.
func notified(t *testing.T) (l *statusLines, env string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	l = &statusLines{}
	done := make(chan struct{})
	t.Cleanup(func() { conn.Close(); <-done })
	go func() { // ends with the socket
		defer close(done)
		buf := make([]byte, 64<<10)
		for {
			n, err := conn.Read(buf)
			if err != nil {
				return
			}
			for line := range strings.Lines(string(buf[:n])) {
				if text, ok := strings.CutPrefix(strings.TrimSpace(line), "STATUS="); ok {
					l.mu.Lock()
					l.last = text
					l.mu.Unlock()
				}
			}
		}
	}()
	return l, "NOTIFY_SOCKET=" + path
}

// TestFullDiskIsSeenEverywhere fills the disk that streams are on, and looks where an administrator looks.
func TestFullDiskIsSeenEverywhere(t *testing.T) {
	dir := t.TempDir()
	socket, monitor := filepath.Join(t.TempDir(), "control.sock"), brokertest.FreePort(t)
	status, env := notified(t)
	s := brokertest.Start(t, brokertest.Options{
		Binary: smallDisk(t, dir, "256m"), Env: []string{env},
		Config: fmt.Sprintf("log_format: json\nconfig_watch: off\ncontrol_socket: %q\nhttp: \"127.0.0.1:%d\"\njetstream { store_dir: %q, max_file: 1TB }\n", socket, monitor, dir),
	})
	get := func(path string) (code int, body string) {
		t.Helper()
		res, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d%s", monitor, path))
		if err != nil {
			t.Fatal(err)
		}
		defer http.DefaultClient.CloseIdleConnections()
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(b)
	}
	value := func(metric string) string {
		t.Helper()
		_, text := get("/metrics")
		if m := regexp.MustCompile(`(?m)^` + metric + `(?:\{.*\})? (\S+)$`).FindStringSubmatch(text); m != nil {
			return m[1]
		}
		return ""
	}
	nc := connect(t, s.URL())
	defer nc.Close()
	js, err := nc.JetStream(nats.MaxWait(brokertest.Patience))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.AddStream(&nats.StreamConfig{Name: "S", Subjects: []string{"s"}}); err != nil {
		t.Fatal(err)
	}
	if code, body := get("/healthz"); code != 200 || body != `{"status":"ok"}` {
		t.Errorf("%d %s", code, body)
	}
	if code, out := verb(t, socket, "status"); code != 0 || !strings.Contains(out, "1 with 0 messages") || !strings.Contains(out, "free on the disk") {
		t.Errorf("status exits %d: %s", code, out)
	}

	healthOfDisk := func(code int, plain, nagios string) {
		t.Helper()
		for flag, want := range map[string]string{"--checks": plain, "--nagios": nagios} {
			if got, out := verb(t, socket, "health", "--check", "disk", flag); got != code || !strings.Contains(out, want) {
				t.Errorf("health %s exits %d, want %d with %q: %s", flag, got, code, want, out)
			}
		}
	}
	healthOfDisk(0, "disk  OK  1 stream, ", "NATS-BROKER OK - 1 checks | disk_free=")

	// Somebody else fills the disk, which is in the namespace of the process.
	filler := fmt.Sprintf("/proc/%d/root%s/filler", s.PID(), dir)
	f, err := os.Create(filler)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var space unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &space); err != nil {
		t.Fatal(err)
	}
	if err := unix.Fallocate(int(f.Fd()), 0, 0, int64(space.Bavail)*space.Bsize-(8<<20)); err != nil {
		t.Fatal(err)
	}
	until(t, "the disk is full", func() bool { return value("nats_broker_jetstream_storage_full") == "1" })
	for range 3 {
		if err := nc.Publish("s", []byte("nobody asks")); err != nil {
			t.Fatal(err)
		}
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	s.WaitLog(`"event":"storage-full"`)
	if code, body := get("/healthz"); code != 503 || !strings.HasPrefix(body, `{"status":"unavailable","error":"JetStream has no room on the disk: `) {
		t.Errorf("/healthz: %d %s", code, body)
	}
	for _, query := range []string{"js-server-only=true", "js-enabled-only=true"} {
		if code, body := get("/healthz?" + query); code != 200 {
			t.Errorf("/healthz?%s: %d %s", query, code, body)
		}
	}
	until(t, "the refused messages are counted", func() bool { return value("nats_broker_jetstream_refused_unseen_total") == "3" })
	if got := value("nats_broker_healthy"); got != "0" {
		t.Errorf("nats_broker_healthy is %s", got)
	}
	code, out := verb(t, socket, "status")
	for _, want := range []string{"PROBLEM: JetStream has no room on the disk: ", "3 messages were not stored, and nobody had asked for an answer"} {
		if code != 1 || !strings.Contains(out, want) {
			t.Errorf("status exits %d, without %q: %s", code, want, out)
		}
	}
	healthOfDisk(2, "disk  CRITICAL  JetStream has no room on the disk: ", "NATS-BROKER CRITICAL - disk: JetStream has no room on the disk: ")
	until(t, "systemctl status says so", func() bool { return strings.HasPrefix(status.get(), "JetStream has no room on the disk: ") })

	if err := js.PurgeStream("S"); err != nil { // it goes on
		t.Error(err)
	}
	if err := f.Truncate(0); err != nil {
		t.Fatal(err)
	}
	until(t, "there is room again", func() bool {
		code, _ := get("/healthz")
		return code == 200
	})
	if code, out := verb(t, socket, "status"); code != 0 {
		t.Errorf("status exits %d: %s", code, out)
	}
	healthOfDisk(0, "disk  OK  1 stream, ", "NATS-BROKER OK - ")
	until(t, "systemctl status says nothing of it", func() bool { return !strings.Contains(status.get(), "disk") })
}

// TestFastPublishersLeaveRoom: who publishes so fast that the disk is full within a second finds it refused before what has to stay
// free is gone, so that purging goes on.
func TestFastPublishersLeaveRoom(t *testing.T) {
	dir := t.TempDir()
	s := brokertest.Start(t, brokertest.Options{
		Binary: smallDisk(t, dir, "256m"), Config: fmt.Sprintf("log_format: json\nconfig_watch: off\njetstream { store_dir: %q, max_file: 1TB }\n", dir),
	})
	nc := connect(t, s.URL())
	defer nc.Close()
	js, err := nc.JetStream(nats.MaxWait(brokertest.Patience))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.AddStream(&nats.StreamConfig{Name: "S", Subjects: []string{"s"}}); err != nil {
		t.Fatal(err)
	}
	random := make([]byte, 256<<10)
	for i := 0; ; i++ {
		if _, err := rand.Read(random); err != nil { // so that it cannot be made smaller
			t.Fatal(err)
		}
		_, err := js.Publish("s", random)
		if err == nil {
			if i == 1200 { // 300 MB on a disk of 256
				t.Fatal("the disk does not become full")
			}
			continue
		}
		if !strings.Contains(err.Error(), "insufficient") {
			t.Fatal(err)
		}
		break
	}
	if err := js.PurgeStream("S"); err != nil {
		t.Errorf("purging: %v", err)
	}
	until(t, "messages are taken again", func() bool {
		_, err := js.Publish("s", random)
		return err == nil
	})
}

// TestDiskFilledToTheLastByte: while somebody publishes, somebody else takes all that is free. What is acknowledged stays, and it goes
// on when there is room again.
func TestDiskFilledToTheLastByte(t *testing.T) {
	dir := t.TempDir()
	s := brokertest.Start(t, brokertest.Options{
		Binary: smallDisk(t, dir, "256m"), Config: fmt.Sprintf("log_format: json\nconfig_watch: off\njetstream { store_dir: %q, max_file: 1TB }\n", dir),
	})
	nc := connect(t, s.URL())
	defer nc.Close()
	js, err := nc.JetStream(nats.MaxWait(time.Second), nats.PublishAsyncMaxPending(1000)) // none is held up by those before it
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.AddStream(&nats.StreamConfig{Name: "S", Subjects: []string{"s"}, MaxMsgs: 100}); err != nil {
		t.Fatal(err)
	}
	random := make([]byte, 256<<10)
	publish := func() nats.PubAckFuture {
		t.Helper()
		if _, err := rand.Read(random); err != nil { // so that it cannot be made smaller
			t.Fatal(err)
		}
		f, err := js.PublishAsync("s", random)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	for range 8 {
		publish()
	}
	f, err := os.Create(fmt.Sprintf("/proc/%d/root%s/filler", s.PID(), dir))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var space unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &space); err != nil {
		t.Fatal(err)
	}
	if err := unix.Fallocate(int(f.Fd()), 0, 0, int64(space.Bavail)*space.Bsize-(16<<20)); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Seek(0, io.SeekEnd); err != nil {
		t.Fatal(err)
	}
	for piece := make([]byte, 64<<10); err == nil; { // the broker takes its share meanwhile
		_, err = f.Write(piece)
	}
	var last uint64 // that was acknowledged
	for range 60 {
		select {
		case a := <-publish().Ok():
			last = a.Sequence
		case <-time.After(100 * time.Millisecond): // it waits, or was refused: either may be
		}
	}
	s.WaitLog(`"event":"storage-full"`)
	if err := f.Truncate(0); err != nil {
		t.Fatal(err)
	}
	until(t, "messages are taken again", func() bool {
		a, err := js.Publish("s", random)
		return err == nil && a.Sequence > last
	})
	if _, err := js.GetMsg("S", last, nats.MaxWait(brokertest.Patience)); last > 0 && err != nil {
		t.Errorf("message %d was acknowledged: %v", last, err)
	}
	s.Signal(syscall.SIGTERM)
	if code := s.Wait(); code != 0 {
		t.Errorf("exit %d", code)
	}
}

// TestLostMessagesAreSeen damages what is stored, and looks where an administrator looks.
func TestLostMessagesAreSeen(t *testing.T) {
	dir := t.TempDir()
	socket, monitor := filepath.Join(t.TempDir(), "control.sock"), brokertest.FreePort(t)
	status, env := notified(t)
	s := brokertest.Start(t, brokertest.Options{Env: []string{env},
		Config: fmt.Sprintf("log_format: json\nconfig_watch: off\ncontrol_socket: %q\nhttp: \"127.0.0.1:%d\"\njetstream { store_dir: %q }\n", socket, monitor, dir)})
	client := func() (*nats.Conn, nats.JetStreamContext) {
		t.Helper()
		nc := connect(t, s.URL())
		js, err := nc.JetStream(nats.MaxWait(brokertest.Patience))
		if err != nil {
			t.Fatal(err)
		}
		return nc, js
	}
	nc, js := client()
	if _, err := js.AddStream(&nats.StreamConfig{Name: "S", Subjects: []string{"s"}}); err != nil {
		t.Fatal(err)
	}
	random := make([]byte, 10_000)
	for range 30 {
		if _, err := rand.Read(random); err != nil { // so that it cannot be made smaller
			t.Fatal(err)
		}
		if _, err := js.Publish("s", random); err != nil {
			t.Fatal(err)
		}
	}
	nc.Close()
	s.Stop()
	files, err := filepath.Glob(filepath.Join(dir, "nats-broker/streams/*/*.seg"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for at := 50_000; at < len(text); at += 50_000 {
			text[at] ^= 1
		}
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.Restart()
	nc, js = client()
	defer nc.Close()
	lost := 0
	for seq := uint64(1); seq <= 30; seq++ {
		if _, err := js.GetMsg("S", seq); err != nil {
			lost++
		}
	}
	if lost == 0 || lost == 30 {
		t.Fatalf("%d of 30 messages cannot be read", lost)
	}
	s.WaitLog(`"event":"messages-lost"`)
	text := fmt.Sprintf("%d stored messages cannot be read, stream $G > S", lost)
	if code, out := verb(t, socket, "status"); code != 0 || !strings.Contains(out, "WARNING: "+text) || !strings.Contains(out, "lost messages:") {
		t.Errorf("status exits %d: %s", code, out)
	}
	res, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/healthz", monitor))
	if err != nil {
		t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); err != nil || res.StatusCode != 200 || string(body) != `{"status":"ok","remark":"`+strings.ReplaceAll(text, ">", `\u003e`)+`"}` {
		t.Errorf("%d %s, %v", res.StatusCode, body, err)
	}
	until(t, "systemctl status says so", func() bool { return strings.HasPrefix(status.get(), text) })
}

// TestStoppedOnAFullDisk: a broker that is told to stop while its journal waits for room ends in order, says what could not be
// written, and has lost nothing that it acknowledged.
func TestStoppedOnAFullDisk(t *testing.T) {
	dir := t.TempDir()
	s := brokertest.Start(t, brokertest.Options{
		Binary: smallDisk(t, dir, "64m"), Config: fmt.Sprintf("log_format: json\nconfig_watch: off\njetstream { store_dir: %q, max_file: 1TB }\n", dir),
	})
	disk, err := os.Open(fmt.Sprintf("/proc/%d/root%s", s.PID(), dir)) // it is there as long as somebody has it open
	if err != nil {
		t.Fatal(err)
	}
	defer disk.Close()
	nc := connect(t, s.URL())
	defer nc.Close()
	js, err := nc.JetStream(nats.MaxWait(brokertest.Patience))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.AddStream(&nats.StreamConfig{Name: "S", Subjects: []string{"s"}, AllowDirect: true}); err != nil {
		t.Fatal(err)
	}
	const messages = 3000
	for range messages {
		if _, err := js.PublishAsync("s", []byte("acknowledged")); err != nil {
			t.Fatal(err)
		}
	}
	<-js.PublishAsyncComplete()
	f, err := os.Create(fmt.Sprintf("/proc/%d/root%s/filler", s.PID(), dir))
	if err != nil {
		t.Fatal(err)
	}
	for piece := make([]byte, 64<<10); err == nil; { // the broker may take some meanwhile
		_, err = f.Write(piece)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	s.WaitLog(`"event":"storage-full"`)

	// What removes something is taken on a full disk, until the journal has no room for it.
	deleted := map[uint64]bool{}
	answers := make(chan uint64, messages)
	sub, err := nc.Subscribe("deleted.*", func(m *nats.Msg) {
		if strings.Contains(string(m.Data), `"success":true`) {
			var seq uint64
			if _, err := fmt.Sscanf(m.Subject, "deleted.%d", &seq); err == nil {
				answers <- seq
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Unsubscribe()
	full := false
	for seq := uint64(1); seq <= messages && !full; seq++ {
		if err := nc.PublishRequest("$JS.API.STREAM.MSG.DELETE.S", fmt.Sprintf("deleted.%d", seq), fmt.Appendf(nil, `{"seq":%d,"no_erase":true}`, seq)); err != nil {
			t.Fatal(err)
		}
		until(t, "it is answered, or waits for room", func() bool {
			select {
			case n := <-answers:
				deleted[n] = true
				return true
			case <-time.After(20 * time.Millisecond): // most are answered sooner; the log is long
				full = strings.Contains(s.Logs(), "the journal is full")
				return full
			}
		})
	}
	if !full {
		t.Fatalf("%d messages are deleted, and the journal does not fill: %s", len(deleted), s.Logs())
	}
	s.Signal(syscall.SIGTERM)
	if code := s.Wait(); code != 0 {
		t.Errorf("exit %d", code)
	}
	for len(answers) > 0 {
		deleted[<-answers] = true
	}
	if logs := s.Logs(); !strings.Contains(logs, "the journal has no room while the storage is closed") || !strings.Contains(logs, "Server Exiting") {
		t.Errorf("it does not say that something could not be written: %s", logs)
	}

	// On another disk everything is there that was acknowledged.
	larger := t.TempDir()
	if err := os.CopyFS(filepath.Join(larger, "nats-broker"), os.DirFS(fmt.Sprintf("/proc/self/fd/%d/nats-broker", disk.Fd()))); err != nil {
		t.Fatal(err)
	}
	s = brokertest.Start(t, brokertest.Options{Config: fmt.Sprintf("log_format: json\njetstream { store_dir: %q }\n", larger)})
	nc = connect(t, s.URL())
	defer nc.Close()
	if js, err = nc.JetStream(nats.MaxWait(brokertest.Patience)); err != nil {
		t.Fatal(err)
	}
	info, err := js.StreamInfo("S", &nats.StreamInfoRequest{DeletedDetails: true})
	if err != nil {
		t.Fatal(err)
	}
	first, gone := info.State.FirstSeq, map[uint64]bool{}
	for _, seq := range info.State.Deleted {
		gone[seq] = true
	}
	for seq := uint64(1); seq <= messages; seq++ {
		if is := seq < first || gone[seq]; deleted[seq] && !is {
			t.Errorf("message %d is back, though its end was acknowledged", seq)
		} else if is && seq > uint64(len(deleted))+1 {
			t.Errorf("message %d was acknowledged and is gone", seq)
		}
	}
	if info.State.LastSeq != messages || len(deleted) == 0 {
		t.Errorf("%+v, %d deleted", info.State, len(deleted))
	}
}
