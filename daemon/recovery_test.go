package daemon

import (
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync/atomic"
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
	notify, receive := manager(t)
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

// manager is a service manager: what is told it is received, message by message.
func manager(t *testing.T) (notify *sysd.Notifier, receive func() string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	if notify, err = sysd.NewNotifier(path); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(notify.Close)
	heard, ended := make(chan string, 10_000), make(chan struct{})
	t.Cleanup(func() { l.Close(); <-ended })
	go func() { // ends with the socket; who tells must not wait for who has heard enough
		defer close(ended)
		buf := make([]byte, 4096)
		for {
			n, err := l.Read(buf)
			if err != nil {
				return
			}
			select {
			case heard <- string(buf[:n]):
			default:
			}
		}
	}()
	return notify, func() string {
		t.Helper()
		select {
		case text := <-heard:
			return text
		case <-time.After(time.Minute):
			t.Fatal("nothing is told")
			return ""
		}
	}
}

// While something gets further the service manager is asked for a minute, each time anew, before it has waited for what it was asked
// for; while it does not, it is not asked.
func TestTimeIsAskedFor(t *testing.T) {
	notify, receive := manager(t)
	p := &jetStreamPart{d: &Daemon{notify: notify, log: logging.Discard()}, log: logging.Discard()}
	var far atomic.Int64
	end := tellOf(p, time.Millisecond, 0, far.Load, func(n int64, _ time.Duration) string { return fmt.Sprint(n, " done") })
	for range 3 {
		if got := receive(); got != "STATUS=0 done" {
			t.Errorf("nothing is done: %q", got)
		}
	}
	for n := int64(1); n <= 3; n++ {
		far.Store(n)
		want := fmt.Sprintf("STATUS=%d done", n)
		for got := receive(); got != want; got = receive() {
			if got != fmt.Sprintf("STATUS=%d done", n-1) {
				t.Fatalf("%q", got)
			}
		}
		if got := receive(); got != "EXTEND_TIMEOUT_USEC=60000000" {
			t.Errorf("it got further: %q", got)
		}
		if got := receive(); got != want { // once, until it gets further again
			t.Errorf("%q", got)
		}
	}
	end()
	if tellPeriod > time.Second || 2*tellPeriod >= tellTimeout {
		t.Errorf("who takes a second is told of every %v, and %v are asked for", tellPeriod, tellTimeout)
	}
}

// The end of a storage tells how far it is, too.
func TestEndIsTold(t *testing.T) {
	notify, receive := manager(t)
	b, err := broker.New(broker.Options{}, logging.Discard())
	if err != nil {
		t.Fatal(err)
	}
	defer b.Stop()
	js := jetstream.New(b, jetstream.Options{StoreDir: t.TempDir(), MaxStore: 1 << 30}, logging.Discard())
	if err := js.Start(); err != nil {
		t.Fatal(err)
	}
	p := &jetStreamPart{d: &Daemon{notify: notify, log: logging.Discard()}, log: logging.Discard()}
	end := p.tellOfEnd(js, time.Millisecond)
	if got := receive(); !strings.HasPrefix(got, "STATUS=closing streams: ") || !strings.HasSuffix(got, " written, 0s so far") {
		t.Errorf("%q", got)
	}
	js.Stop() // which writes that the journal was closed
	for receive() != "EXTEND_TIMEOUT_USEC=60000000" {
	}
	end()
}
