package alerts

import (
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"golang.org/x/sys/unix"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
	"github.com/nats-broker/nats-broker/daemon/internal/certtest"
)

// scene makes one alert fire and end.
type scene struct {
	alert string
	also  []string       // that fire with it
	times map[string]int // how many alerts of a name, if not one
	play  func(t *testing.T, r *recorder)

	at    time.Duration      // when in the second phase it is looked at; 0: at its end
	lasts [3]time.Duration   // of the phases; 0: of usual
	grows map[string]float64 // gauges that are ages: what is added each second of the second phase

	live bool // a Prometheus sees it fire within seconds
	ends bool // and end
}

var usual = [3]time.Duration{20 * time.Minute, 20 * time.Minute, 40 * time.Minute}

func (s *scene) lengths() []time.Duration {
	list := usual
	for i, d := range s.lasts {
		if d > 0 {
			list[i] = d
		}
	}
	return list[:]
}

// start runs a broker with its metrics.
func start(t *testing.T, r *recorder, o brokertest.Options) *brokertest.Server {
	t.Helper()
	port := brokertest.FreePort(t)
	r.url = fmt.Sprintf("http://127.0.0.1:%d", port)
	o.Config = fmt.Sprintf("http: \"127.0.0.1:%d\"\nconfig_watch: off\n%s", port, o.Config)
	return brokertest.Start(t, o)
}

// head is the beginning of the configuration that start has made, for one that takes its place.
func head(r *recorder) string {
	return fmt.Sprintf("http: \"127.0.0.1:%s\"\nconfig_watch: off\n", r.url[len("http://127.0.0.1:"):])
}

func connect(t *testing.T, s *brokertest.Server) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(s.URL(), nats.Timeout(patience), nats.NoReconnect())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

func streams(t *testing.T, s *brokertest.Server) nats.JetStreamContext {
	t.Helper()
	js, err := connect(t, s).JetStream(nats.MaxWait(patience))
	if err != nil {
		t.Fatal(err)
	}
	return js
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// stuck is a client with a subscription that reads nothing.
func stuck(t *testing.T, s *brokertest.Server, subject string) *brokertest.Conn {
	t.Helper()
	c := s.Open(t, `{"verbose":false}`)
	must(t, c.Net().SetReadBuffer(4096))
	c.Send("SUB " + subject + " 1\r\n")
	c.Sync()
	return c
}

// flood publishes so many pieces of half a MiB.
func flood(t *testing.T, s *brokertest.Server, subject string, pieces int) {
	t.Helper()
	nc := connect(t, s)
	for range pieces {
		must(t, nc.Publish(subject, make([]byte, 512<<10)))
	}
	must(t, nc.FlushTimeout(patience))
}

func random(t *testing.T, n int) []byte {
	t.Helper()
	b := make([]byte, n)
	_, err := rand.Read(b) // so that it cannot be made smaller
	must(t, err)
	return b
}

// control runs a verb.
func control(t *testing.T, socket, verb string) {
	t.Helper()
	if out, err := exec.Command(brokertest.Ours(t), verb, "--socket", socket).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v %s", verb, err, out)
	}
}

var scenes = []scene{
	{alert: "NatsBrokerDown", play: func(t *testing.T, r *recorder) {
		s := start(t, r, brokertest.Options{})
		r.before()
		s.Stop()
		r.silent()
		s.Restart()
		r.until("after", nil)
	}},
	{alert: "NatsBrokerUnhealthy", play: func(t *testing.T, r *recorder) {
		socket := filepath.Join(t.TempDir(), "control.sock")
		start(t, r, brokertest.Options{Config: fmt.Sprintf("control_socket: %q\n", socket)})
		r.before()
		control(t, socket, "pause")
		r.until("paused", is("nats_broker_healthy", 0))
		control(t, socket, "resume")
		r.until("resumed", is("nats_broker_healthy", 1))
	}},
	{alert: "NatsBrokerRestarted", at: 2 * time.Minute, play: func(t *testing.T, r *recorder) {
		s := start(t, r, brokertest.Options{})
		r.before()
		s.Stop()
		s.Restart()
		r.until("restarted", nil)
		r.until("later", nil)
	}},
	{alert: "NatsBrokerSlowConsumers", live: true, play: func(t *testing.T, r *recorder) {
		s := start(t, r, brokertest.Options{Config: "max_pending: 1MB\n"})
		r.before()
		stuck(t, s, "x")
		flood(t, s, "x", 40)
		r.until("one is closed", above(`nats_broker_slow_consumers_total{kind="client"`, 0))
		r.until("later", nil)
	}},
	{alert: "NatsBrokerPendingHigh", play: func(t *testing.T, r *recorder) {
		s := start(t, r, brokertest.Options{Config: "write_deadline: \"5m\"\n"})
		r.before()
		c := stuck(t, s, "x")
		flood(t, s, "x", 100)
		r.until("they wait", above("nats_broker_pending_bytes_max", 32<<20))
		c.Net().Close()
		r.until("it is gone", is("nats_broker_pending_bytes_max", 0))
	}},
	{alert: "NatsBrokerConnectionsNearLimit", play: func(t *testing.T, r *recorder) {
		s := start(t, r, brokertest.Options{Config: "max_connections: 10\n"})
		r.before()
		var all []*nats.Conn
		for range 10 {
			all = append(all, connect(t, s))
		}
		r.until("ten", is(`nats_broker_connections{kind="client"`, 10))
		for _, nc := range all {
			nc.Close()
		}
		r.until("none", is(`nats_broker_connections{kind="client"`, 0))
	}},
	{alert: "NatsBrokerFileDescriptorsNearLimit", play: func(t *testing.T, r *recorder) {
		s := start(t, r, brokertest.Options{MaxFiles: 100})
		r.before()
		var all []*nats.Conn
		for range 70 {
			all = append(all, connect(t, s))
		}
		r.until("files are open", func(p *phase) bool {
			if p.value("process_open_fds") > 92 {
				return true
			}
			all = append(all, connect(t, s))
			return false
		})
		for _, nc := range all {
			nc.Close()
		}
		r.until("they are closed", func(p *phase) bool { return p.value("process_open_fds") < 80 })
	}},
	{alert: "NatsBrokerAuthenticationFailures", play: func(t *testing.T, r *recorder) {
		s := start(t, r, brokertest.Options{Config: "authorization { user: a, password: b }\n"})
		r.before()
		for range 20 { // in what is played as 15 seconds
			if nc, err := nats.Connect(s.URL(), nats.UserInfo("a", "c"), nats.Timeout(patience)); err == nil {
				nc.Close()
				t.Fatal("it is let in")
			}
		}
		r.until("they are counted", above(`nats_broker_connections_closed_total{reason="Authentication Failure"`, 19))
		r.until("later", nil)
	}},
	{alert: "NatsBrokerReloadRefused", play: func(t *testing.T, r *recorder) {
		s := start(t, r, brokertest.Options{})
		r.before()
		s.SetConfig(head(r) + "max_payload: much\n")
		s.Signal(syscall.SIGHUP)
		r.until("refused", is("nats_broker_config_refused_pending", 1))
		s.SetConfig(head(r))
		s.Signal(syscall.SIGHUP)
		r.until("accepted", is("nats_broker_config_refused_pending", 0))
	}},
	{alert: "NatsBrokerOnLastGoodConfiguration", live: true, ends: true, play: func(t *testing.T, r *recorder) {
		s := start(t, r, brokertest.Options{Env: []string{"NATS_UNIT=nats-broker.service", "STATE_DIRECTORY=" + t.TempDir()}})
		r.before()
		s.Stop()
		s.SetConfig(head(r) + "max_payload: much\n")
		s.Restart()
		r.until("the saved one", is("nats_broker_config_last_good_in_use", 1))
		s.SetConfig(head(r))
		s.Signal(syscall.SIGHUP)
		r.until("the file", is("nats_broker_config_last_good_in_use", 0))
	}},
	{alert: "NatsBrokerCertificateExpires", lasts: [3]time.Duration{1: 70 * time.Minute}, play: func(t *testing.T, r *recorder) {
		now := time.Now()
		a := certtest.New(t, t.TempDir(), "authority")
		pair := func(name string, before, after time.Duration) string {
			p := a.Issue(name, x509.Certificate{NotBefore: now.Add(-before), NotAfter: now.Add(after)})
			return fmt.Sprintf("tls { cert_file: %q, key_file: %q, timeout: 60 }\n", p.CertFile, p.KeyFile)
		}
		day := 24 * time.Hour
		old, near, renewed := pair("old", 20*day, 70*day), pair("near", 75*day, 15*day), pair("renewed", time.Hour, 89*day)
		s := start(t, r, brokertest.Options{Config: old})
		r.before()
		for _, next := range []struct{ name, text string }{{"near", near}, {"renewed", renewed}} {
			s.SetConfig(head(r) + next.text)
			s.Signal(syscall.SIGHUP)
			r.until(next.name, func(p *phase) bool { return p.has("nats_broker_certificate_expiry_time_seconds", "CN="+next.name) })
		}
	}},
	{alert: "NatsBrokerRouteLost", play: func(t *testing.T, r *recorder) {
		_, other := cluster(t, r)
		r.until("together", is("nats_broker_routed_servers", 1))
		other.Stop()
		r.until("alone", is("nats_broker_routed_servers", 0))
		other.Restart()
		r.until("together again", is("nats_broker_routed_servers", 1))
	}},
	{alert: "NatsBrokerRoutePending", play: func(t *testing.T, r *recorder) {
		one, other := cluster(t, r)
		c := other.Open(t, `{"verbose":false}`)
		c.Send("SUB x 1\r\n")
		c.Sync()
		r.until("together", above("nats_broker_routed_servers", 0))
		nc := connect(t, one)
		until(t, "the other's interest is known", func() bool { // a message comes through
			must(t, nc.Publish("x", nil))
			must(t, nc.Flush())
			must(t, c.Net().SetReadDeadline(time.Now().Add(20*time.Millisecond)))
			_, err := c.Net().Read(make([]byte, 1))
			return err == nil
		})
		other.Signal(syscall.SIGSTOP)
		for range 64 {
			must(t, nc.Publish("x", make([]byte, 512<<10)))
		}
		must(t, nc.FlushTimeout(patience))
		r.until("they wait", func(p *phase) bool { return most(p, "nats_broker_route_pending_bytes") > 9<<20 })
		c.Net().Close()
		other.Signal(syscall.SIGCONT)
		r.until("they are sent", func(p *phase) bool { return most(p, "nats_broker_route_pending_bytes") == 0 })
	}},
	{alert: "NatsBrokerLogLinesDropped", live: true, play: func(t *testing.T, r *recorder) {
		fifo := filepath.Join(t.TempDir(), "log")
		must(t, unix.Mkfifo(fifo, 0o600))
		keep, err := os.OpenFile(fifo, os.O_RDWR, 0) // nobody reads it
		must(t, err)
		t.Cleanup(func() { keep.Close() })
		s := start(t, r, brokertest.Options{Config: fmt.Sprintf("log_file: %q\n", fifo), Args: []string{"-V"}})
		r.before()
		nc := connect(t, s)
		r.until("lines are dropped", func(p *phase) bool {
			for range 10_000 {
				must(t, nc.Publish("a.line.that.is.traced", nil))
			}
			must(t, nc.FlushTimeout(patience))
			return most(p, "nats_broker_log_dropped_lines_total") > 0
		})
		r.until("later", nil)
	}},
	{alert: "NatsBrokerStorageFailed", also: []string{"NatsBrokerUnhealthy"}, live: true, ends: true, play: func(t *testing.T, r *recorder) {
		s := start(t, r, brokertest.Options{Config: fmt.Sprintf("jetstream { store_dir: %q, max_file: 100MB }\n", t.TempDir())})
		js := streams(t, s)
		_, err := js.AddStream(&nats.StreamConfig{Name: "S", Subjects: []string{"s"}})
		must(t, err)
		r.before()
		none := unix.Rlimit{} // no file takes another byte
		must(t, unix.Prlimit(s.PID(), unix.RLIMIT_FSIZE, &none, nil))
		for range 3 {
			_, _ = js.Publish("s", random(t, 100), nats.AckWait(time.Second))
		}
		r.until("it has failed", func(p *phase) bool {
			return p.value("nats_broker_jetstream_storage_failed") == 1 || p.value("nats_broker_jetstream_streams_failed") > 0
		})
		s.Kill()
		s.Restart()
		r.until("on a disk that works", is("nats_broker_jetstream_storage_failed", 0))
	}},
	{alert: "NatsBrokerStorageStuck", play: func(t *testing.T, r *recorder) {
		streaming(t, r)
		r.before()
		r.until("a disk that hangs is not made here", nil).series["nats_broker_jetstream_write_underway_seconds"] = 6
		r.until("later", is("nats_broker_jetstream_write_underway_seconds", 0))
	}, grows: map[string]float64{"nats_broker_jetstream_write_underway_seconds": 1}},
	{alert: "NatsBrokerDiskFull", also: []string{"NatsBrokerUnhealthy"}, live: true, ends: true, play: func(t *testing.T, r *recorder) {
		f, space := disk(t, r)
		r.before()
		must(t, unix.Fallocate(int(f.Fd()), 0, 0, space-(8<<20)))
		r.until("it is full", is("nats_broker_jetstream_storage_full", 1))
		must(t, f.Truncate(0))
		r.until("there is room", is("nats_broker_jetstream_storage_full", 0))
	}},
	{alert: "NatsBrokerDiskFillsUp", lasts: [3]time.Duration{1: 40 * time.Minute, 2: 2 * time.Hour}, play: func(t *testing.T, r *recorder) {
		f, space := disk(t, r)
		p := r.before()
		needed := int64(p.value("nats_broker_jetstream_disk_needed_bytes"))
		must(t, unix.Fallocate(int(f.Fd()), 0, 0, space-needed*5/4))
		r.until("it fills up", func(p *phase) bool { return p.value("nats_broker_jetstream_disk_free_bytes") < 1.5*float64(needed) })
		must(t, f.Truncate(0))
		r.until("there is room", func(p *phase) bool { return p.value("nats_broker_jetstream_disk_free_bytes") > 2*float64(needed) })
	}},
	{alert: "NatsBrokerStorageNearLimit", play: func(t *testing.T, r *recorder) {
		js := streaming(t, r)
		r.before()
		for range 19 {
			_, err := js.Publish("s", random(t, 100_000))
			must(t, err)
		}
		r.until("nearly all is in use", above(`nats_broker_jetstream_storage_used_bytes{storage="file"`, 1.8e6))
		must(t, js.PurgeStream("S"))
		r.until("none is", is(`nats_broker_jetstream_storage_used_bytes{storage="file"`, 0))
	}},
	{alert: "NatsBrokerMessagesLost", live: true, ends: true, play: rot},
	{alert: "NatsBrokerMessagesRefusedUnseen", live: true, play: func(t *testing.T, r *recorder) {
		s := start(t, r, brokertest.Options{Config: fmt.Sprintf("jetstream { store_dir: %q, max_file: 100MB }\n", t.TempDir())})
		_, err := streams(t, s).AddStream(&nats.StreamConfig{Name: "S", Subjects: []string{"s"}, MaxMsgs: 1, Discard: nats.DiscardNew})
		must(t, err)
		r.before()
		nc := connect(t, s)
		for range 5 {
			must(t, nc.Publish("s", nil))
		}
		must(t, nc.Flush())
		r.until("they are refused", above("nats_broker_jetstream_refused_unseen_total", 3))
		r.until("later", nil)
	}},
	{alert: "NatsBrokerCommitsSlow", play: func(t *testing.T, r *recorder) {
		js := streaming(t, r)
		r.before()
		_, err := js.Publish("s", nil)
		must(t, err)
		p := r.until("it is committed", above("nats_broker_jetstream_commits_total", 0))
		p.series["nats_broker_jetstream_commit_seconds_total"] += // a slow disk is not made here
			p.series["nats_broker_jetstream_commits_total"]
		r.until("later", nil).series["nats_broker_jetstream_commit_seconds_total"] = p.series["nats_broker_jetstream_commit_seconds_total"]
	}},
	{alert: "NatsBrokerConsumerStuck", lasts: [3]time.Duration{1: 80 * time.Minute}, play: func(t *testing.T, r *recorder) {
		js := streaming(t, r)
		sub, err := js.PullSubscribe("s", "c", nats.AckWait(time.Hour))
		must(t, err)
		r.before()
		_, err = js.Publish("s", nil)
		must(t, err)
		msgs, err := sub.Fetch(1, nats.MaxWait(patience))
		must(t, err)
		r.until("it waits", func(p *phase) bool { return most(p, "nats_broker_jetstream_consumer_unacked_seconds") > 0 })
		must(t, msgs[0].AckSync())
		r.until("it is acknowledged", func(p *phase) bool { return most(p, "nats_broker_jetstream_consumer_unacked_seconds") == 0 })
	}, grows: map[string]float64{"nats_broker_jetstream_consumer_unacked_seconds": 1}},
	{alert: "NatsBrokerStreamRequestsFail", play: func(t *testing.T, r *recorder) {
		js := streaming(t, r)
		r.before()
		for range 30 { // in what is played as 15 seconds
			if _, err := js.StreamInfo("NONE"); err == nil {
				t.Fatal("there is no such stream")
			}
		}
		r.until("they are counted", above(`nats_broker_jetstream_api_requests_total{result="error"`, 29))
		r.until("later", nil)
	}},
}

// streaming is a broker with a stream in a file of at most two million bytes.
func streaming(t *testing.T, r *recorder) nats.JetStreamContext {
	t.Helper()
	s := start(t, r, brokertest.Options{Config: fmt.Sprintf("jetstream { store_dir: %q, max_file: 2000000, max_mem: 1MB }\n", t.TempDir())})
	js := streams(t, s)
	_, err := js.AddStream(&nats.StreamConfig{Name: "S", Subjects: []string{"s"}})
	must(t, err)
	return js
}

// cluster is a broker whose metrics are recorded, and another one that it has a route to.
func cluster(t *testing.T, r *recorder) (one, other *brokertest.Server) {
	t.Helper()
	route := brokertest.FreePort(t)
	one = start(t, r, brokertest.Options{Config: fmt.Sprintf("server_name: one\nwrite_deadline: \"5m\"\nping_interval: \"5m\"\ncluster { name: C, listen: \"127.0.0.1:-1\", routes: [\"nats://127.0.0.1:%d\"] }\n", route)})
	other = brokertest.Start(t, brokertest.Options{Config: fmt.Sprintf("server_name: other\ncluster { name: C, listen: \"127.0.0.1:%d\" }\n", route)})
	return one, other
}

// disk is a file on the small disk that a broker has for itself, and how much room is there.
func disk(t *testing.T, r *recorder) (f *os.File, space int64) {
	t.Helper()
	dir, program := t.TempDir(), filepath.Join(t.TempDir(), "nats-broker")
	inner := fmt.Sprintf("#!/bin/sh\nmount -t tmpfs -o size=256m none %q && exec %q \"$@\"\n", dir, brokertest.Ours(t))
	must(t, os.WriteFile(program, []byte("#!/bin/sh\nexec unshare -U -r -m sh "+program+".inner \"$@\"\n"), 0o700))
	must(t, os.WriteFile(program+".inner", []byte(inner), 0o700))
	if out, err := exec.Command("unshare", "-U", "-r", "-m", "mount", "-t", "tmpfs", "none", dir).CombinedOutput(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("no user namespaces: %v %s", err, out)
		}
		t.Skipf("no user namespaces: %v %s", err, out)
	}
	s := start(t, r, brokertest.Options{Binary: program, Config: fmt.Sprintf("jetstream { store_dir: %q, max_file: 1TB }\n", dir)})
	f, err := os.Create(fmt.Sprintf("/proc/%d/root%s/filler", s.PID(), dir))
	must(t, err)
	t.Cleanup(func() { f.Close() })
	var at unix.Statfs_t
	must(t, unix.Fstatfs(int(f.Fd()), &at))
	return f, int64(at.Bavail) * at.Bsize
}

// rot turns bits over in a stream's file while no broker runs; what is lost is seen when it is read, and ends with a purge.
func rot(t *testing.T, r *recorder) {
	dir := t.TempDir()
	s := start(t, r, brokertest.Options{Config: fmt.Sprintf("jetstream { store_dir: %q, max_file: 100MB }\n", dir)})
	js := streams(t, s)
	_, err := js.AddStream(&nats.StreamConfig{Name: "S", Subjects: []string{"s"}})
	must(t, err)
	for range 30 {
		_, err := js.Publish("s", random(t, 10_000))
		must(t, err)
	}
	r.before()
	s.Stop()
	files, err := filepath.Glob(filepath.Join(dir, "nats-broker/streams/*/*.seg"))
	must(t, err)
	for _, name := range files {
		f, err := os.OpenFile(name, os.O_RDWR, 0)
		must(t, err)
		b, err := io.ReadAll(f)
		must(t, err)
		for at := 50_000; at < len(b); at += 50_000 {
			_, err = f.WriteAt([]byte{b[at] ^ 1}, int64(at))
			must(t, err)
		}
		must(t, f.Close())
	}
	s.Restart()
	js = streams(t, s)
	for seq := uint64(1); seq <= 30; seq++ {
		_, _ = js.GetMsg("S", seq)
	}
	r.until("some are lost", above("nats_broker_jetstream_lost_messages", 0))
	must(t, js.PurgeStream("S"))
	r.until("none is", is("nats_broker_jetstream_lost_messages", 0))
}

// most is the largest value of the series of a name.
func most(p *phase, name string) (v float64) {
	for full, value := range p.series {
		if len(full) > len(name) && full[:len(name)] == name && full[len(name)] == '{' {
			v = max(v, value)
		}
	}
	return v
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); { // ok waits a little
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}
