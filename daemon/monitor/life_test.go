package monitor

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-broker/nats-broker/daemon/internal/certtest"
	"github.com/nats-broker/nats-broker/daemon/logging"
)

func startMonitor(t *testing.T, o Options) *Monitor {
	t.Helper()
	m, err := New(o, newFakeBroker(5).source(), logging.Discard())
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Stop(context.Background()) })
	return m
}

// fetch asks once, on a connection of its own, and returns status and body.
func fetch(t *testing.T, client *http.Client, url string, change func(*http.Request)) (int, string) {
	t.Helper()
	req, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true
	if change != nil {
		change(req)
	}
	res, err := client.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

func tcp(address string) Listener { return Listener{Network: "tcp", Address: address} }

func TestAccess(t *testing.T) {
	for name, c := range map[string]struct {
		o      Options
		change func(*http.Request)
		want   int
	}{
		"open":                  {Options{}, nil, 200},
		"token missing":         {Options{Token: "s3cret"}, nil, 401},
		"token wrong":           {Options{Token: "s3cret"}, func(r *http.Request) { r.Header.Set("Authorization", "Bearer other") }, 401},
		"token as bearer":       {Options{Token: "s3cret"}, func(r *http.Request) { r.Header.Set("Authorization", "bearer s3cret") }, 200},
		"token as password":     {Options{Token: "s3cret"}, func(r *http.Request) { r.SetBasicAuth("", "s3cret") }, 200},
		"password missing":      {Options{User: "ops", Password: "pw"}, nil, 401},
		"password right":        {Options{User: "ops", Password: "pw"}, func(r *http.Request) { r.SetBasicAuth("ops", "pw") }, 200},
		"password, wrong user":  {Options{User: "ops", Password: "pw"}, func(r *http.Request) { r.SetBasicAuth("root", "pw") }, 401},
		"password as bearer":    {Options{User: "ops", Password: "pw"}, func(r *http.Request) { r.Header.Set("Authorization", "Bearer pw") }, 401},
		"hashed password":       {Options{Password: "hash of pw", VerifyPassword: func(c, g string) bool { return c == "hash of "+g }}, func(r *http.Request) { r.SetBasicAuth("x", "pw") }, 200},
		"hashed password wrong": {Options{Password: "hash of pw", VerifyPassword: func(c, g string) bool { return c == "hash of "+g }}, func(r *http.Request) { r.SetBasicAuth("x", "hash of pw") }, 401},
	} {
		c.o.Listeners = []Listener{tcp("127.0.0.1:0")}
		m := startMonitor(t, c.o)
		for _, path := range []string{"/varz", "/metrics", "/ui/", "/ui/api/overview", "/healthz"} {
			if got, _ := fetch(t, http.DefaultClient, "http://"+m.Addrs()[0].String()+path, c.change); got != c.want {
				t.Errorf("%s: %s: status %d, want %d", name, path, got, c.want)
			}
		}
	}
}

func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "monitor.sock")
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	stale.Close() // the file stays, nobody listens
	m := startMonitor(t, Options{Listeners: []Listener{{Network: "unix", Address: path, Mode: 0o600}}})
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("socket file: %v, %v", fi, err)
	}
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}}}
	if code, body := fetch(t, client, "http://monitor/healthz", nil); code != 200 || body != `{"status":"ok"}` {
		t.Errorf("healthz: %d %s", code, body)
	}
	second, err := New(Options{Listeners: []Listener{{Network: "unix", Address: path}}}, newFakeBroker(1).source(), logging.Discard())
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Start(); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a socket that is listened on was taken over: %v", err)
	}
	m.Stop(context.Background())
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("socket file left behind: %v", err)
	}
}

func TestPathThatIsNoSocketIsLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	m, err := New(Options{Listeners: []Listener{{Network: "unix", Address: path}}}, newFakeBroker(1).source(), logging.Discard())
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Start(); err == nil {
		t.Error("listening on a plain file succeeded")
	}
	if b, _ := os.ReadFile(path); string(b) != "precious" {
		t.Error("the file is gone")
	}
}

// A reload keeps what it does not touch, adds and drops listeners, and an
// aborted one changes nothing.
func TestReload(t *testing.T) {
	m := startMonitor(t, Options{Listeners: []Listener{tcp("127.0.0.1:0")}})
	kept := m.Addrs()[0].String()
	keep := tcp(kept) // by its real port from now on
	change, err := m.Prepare(Options{Listeners: []Listener{keep, tcp("127.0.0.1:0")}, BasePath: "b//"})
	if err != nil {
		t.Fatal(err)
	}
	change.Commit(context.Background())
	added := m.Addrs()[1].String()
	for url, want := range map[string]int{"http://" + kept + "/b/varz": 200, "http://" + added + "/b/varz": 200, "http://" + kept + "/varz": 404} {
		if code, body := fetch(t, http.DefaultClient, url, nil); code != want {
			t.Errorf("after adding: %s: %d %.80s", url, code, body)
		}
	}
	aborted, err := m.Prepare(Options{Listeners: []Listener{tcp("127.0.0.2:0")}, Token: "x"})
	if err != nil {
		t.Fatal(err)
	}
	opened := aborted.opened[0].Addr().String()
	aborted.Abort()
	if _, err := net.Dial("tcp", opened); err == nil {
		t.Error("an aborted change left its listener open")
	}
	if code, _ := fetch(t, http.DefaultClient, "http://"+kept+"/b/varz", nil); code != 200 {
		t.Errorf("an aborted change changed access: %d", code)
	}
	if _, err := m.Prepare(Options{Listeners: []Listener{tcp("127.0.0.1:0"), tcp("203.0.113.1:1")}}); err == nil {
		t.Error("an address of another machine was accepted")
	}
	change, err = m.Prepare(Options{Listeners: []Listener{keep}, Token: "x"})
	if err != nil {
		t.Fatal(err)
	}
	change.Commit(context.Background())
	if _, err := net.Dial("tcp", added); err == nil {
		t.Error("a dropped listener is still open")
	}
	if code, _ := fetch(t, http.DefaultClient, "http://"+kept+"/varz", nil); code != 401 {
		t.Errorf("the token is not in force: %d", code)
	}
}

// From all addresses to loopback on the same port, whole or not at all: a listener that
// cannot be opened beside the old one is a reload that is refused, and the old one goes
// on.
func TestReloadToSamePort(t *testing.T) {
	m := startMonitor(t, Options{Listeners: []Listener{tcp("0.0.0.0:0")}})
	old := m.Sockets()[0].Listener
	_, port, _ := net.SplitHostPort(old.Addr().String())
	refused := errors.New("the port is taken")
	var inTheWay []net.Listener
	o := Options{Listeners: []Listener{tcp("127.0.0.1:" + port)}, Listen: func(_ string, own ...net.Listener) (net.Listener, error) {
		inTheWay = own
		return nil, refused
	}}
	if _, err := m.Prepare(o); !errors.Is(err, refused) {
		t.Errorf("a listener that cannot be opened: %v", err)
	}
	if len(inTheWay) != 1 || inTheWay[0] != old {
		t.Errorf("told that %v are in the way", inTheWay)
	}
	if code, _ := fetch(t, http.DefaultClient, "http://127.0.0.1:"+port+"/varz", nil); code != 200 {
		t.Errorf("status %d after a refused change", code)
	}
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o.Listen = func(string, ...net.Listener) (net.Listener, error) { return other, nil }
	change, err := m.Prepare(o)
	if err != nil {
		t.Fatal(err)
	}
	change.Commit(context.Background())
	if got := m.Sockets(); len(got) != 1 || got[0].Listener != other {
		t.Errorf("listening on %v", got)
	}
	if code, _ := fetch(t, http.DefaultClient, "http://"+other.Addr().String()+"/varz", nil); code != 200 {
		t.Errorf("status %d", code)
	}
	if _, err := net.Dial("tcp", "127.0.0.1:"+port); err == nil {
		t.Error("the old listener is still open")
	}
}

func TestHTTPSAndMutualTLS(t *testing.T) {
	pair := certtest.SelfSigned(t, "monitor")
	cert, pool := pair.TLS, pair.Pool()
	config := &tls.Config{Certificates: []tls.Certificate{cert}}
	m := startMonitor(t, Options{Listeners: []Listener{{Network: "tcp", Address: "127.0.0.1:0", TLS: config}}})
	url := "https://" + m.Addrs()[0].String() + "/healthz"
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	if code, body := fetch(t, client, url, nil); code != 200 {
		t.Fatalf("https: %d %s", code, body)
	}
	mutual := config.Clone()
	mutual.ClientAuth, mutual.ClientCAs = tls.RequireAndVerifyClientCert, pool
	change, err := m.Prepare(Options{Listeners: []Listener{{Network: "tcp", Address: m.options.Listeners[0].Address, TLS: mutual}}})
	if err != nil {
		t.Fatal(err)
	}
	change.Commit(context.Background())
	if code, body := fetch(t, client, url, nil); code != 0 {
		t.Errorf("no client certificate was accepted: %d %s", code, body)
	}
	client.Transport.(*http.Transport).TLSClientConfig.Certificates = []tls.Certificate{cert}
	if code, body := fetch(t, client, url, nil); code != 200 {
		t.Errorf("with a client certificate: %d %s", code, body)
	}
}

// Where nobody can look there is nothing to remember, and no reason to wake up every second; a listener that is added
// later changes that.
func TestHistoryBeginsWithAListener(t *testing.T) {
	m := startMonitor(t, Options{})
	if n := len(m.history.since(0)); n != 0 {
		t.Errorf("%d samples, though nobody can ask for them", n)
	}
	for range 2 { // the second finds it running
		change, err := m.Prepare(Options{Listeners: []Listener{tcp("127.0.0.1:0")}})
		if err != nil {
			t.Fatal(err)
		}
		change.Commit(context.Background())
	}
	if len(m.history.since(0)) == 0 {
		t.Error("no sample with a listener")
	}
}
