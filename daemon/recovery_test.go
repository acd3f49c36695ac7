package daemon

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/jetstream"
	"github.com/nats-broker/nats-broker/daemon/logging"
	"github.com/nats-broker/nats-broker/daemon/sysd"
)

// While streams are read the service manager is told how far it is, and asked for time only when it got further: a start that
// hangs must not hang for ever.
func TestRecoveryIsTold(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	buf := make([]byte, 4096)
	receive := func() string {
		t.Helper()
		if err := l.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		n, err := l.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		return string(buf[:n])
	}
	notify, err := sysd.NewNotifier(path)
	if err != nil {
		t.Fatal(err)
	}
	defer notify.Close()
	dir := t.TempDir()
	run := func(before func(p *jetStreamPart, js *jetstream.Server)) {
		b, err := broker.New(broker.Options{}, logging.Discard())
		if err != nil {
			t.Fatal(err)
		}
		defer b.Stop()
		js := jetstream.New(b, jetstream.Options{StoreDir: dir, MaxStore: 1 << 30}, logging.Discard())
		defer js.Stop()
		before(&jetStreamPart{d: &Daemon{notify: notify, log: logging.Discard()}, log: logging.Discard()}, js)
	}
	run(func(p *jetStreamPart, js *jetstream.Server) {
		end := p.tellOfRecovery(js, time.Millisecond)
		for range 5 { // nothing happens
			if got := receive(); !strings.HasPrefix(got, "STATUS=recovering streams: 0 of 0, 0 changes of the journal read") {
				t.Errorf("%q", got)
			}
		}
		if err := js.Start(); err != nil { // an empty storage is read: it does not get further than that
			t.Fatal(err)
		}
		end()
	})
	if text := recoveryText(jetstream.Recovery{Streams: 3, Of: 1200, Frames: 1}, 90*time.Second); text != "recovering streams: 3 of 1,200, 1 change of the journal read, 1m30s so far" {
		t.Error(text)
	}
}
