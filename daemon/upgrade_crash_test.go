package daemon_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// A process that ends while it takes over, at whatever step: before it may have served
// somebody, the connections are kept by the one before it, and nothing is lost, doubled
// or out of order. Later they are closed, and none is served from a state of before.
// There is a broker for new clients in any case.
func TestUpgradeToOneThatCrashes(t *testing.T) {
	const kept, closed = "connections are kept", "connections were closed"
	for _, c := range []struct{ step, says string }{
		{"ready", "does not start"}, {"prepared", kept}, {"found", kept}, {"taken", kept}, {"restored", kept}, {"started", kept},
		{"serving", closed}, {"resuming", closed}, {"resumed", closed},
	} {
		t.Run(c.step, func(t *testing.T) {
			t.Parallel()
			flag := filepath.Join(t.TempDir(), "crash")
			socket := filepath.Join(t.TempDir(), "control.sock")
			s := brokertest.Start(t, brokertest.Options{
				Binary: brokertest.OursCrashing(t), Env: []string{"NATS_CRASH_FILE=" + flag},
				Config: "listen: \"127.0.0.1:" + brokertest.PortMark + "\"\nconfig_watch: off\ncontrol_socket: \"" + socket + "\"\n",
			})
			t.Cleanup(func() { verb(t, socket, "stop") })
			var all []*counting
			for i := range 10 {
				all = append(all, startCounting(t, s.URL(), fmt.Sprintf("count.%d", i)))
				all[i].mayEnd.Store(c.says == closed)
			}
			first := statusOf(t, socket)
			if err := os.WriteFile(flag, []byte(c.step), 0o600); err != nil {
				t.Fatal(err)
			}
			code, out := verb(t, socket, "upgrade")
			if code != 1 || !strings.Contains(out, c.says) {
				t.Errorf("upgrade exits %d: %s", code, out)
			}
			if _, err := os.Stat(flag); err == nil {
				t.Fatal("it did not crash")
			}
			if now := statusOf(t, socket); now.ServerID != first.ServerID || (now.PID == first.PID) != (c.step == "ready") {
				t.Errorf("%+v after %+v", now, first)
			}
			connect(t, s.URL()).Close()
			for _, one := range all {
				if c.says != closed {
					one.finish()
					continue
				}
				close(one.stop)
				<-one.done
				for end := time.Now().Add(brokertest.Patience); !one.pub.IsClosed() || !one.sub.IsClosed(); time.Sleep(time.Millisecond) {
					if time.Now().After(end) {
						t.Fatal("a connection stays open")
					}
				}
				if one.got.Load() > one.sent.Load() {
					t.Errorf("%d came of %d", one.got.Load(), one.sent.Load())
				}
			}
		})
	}
}
