//go:build crashhook

package daemon

import (
	"os"
	"strings"
	"syscall"

	"github.com/nats-broker/nats-broker/daemon/broker"
)

// crashVariable names a file that says at which step of taking over the process is to
// end. It is removed then: the next process goes on.
const crashVariable = "NATS_CRASH_FILE"

func init() {
	broker.AtResume = func(i, n int) {
		if i == n/2 {
			crashAt("resuming")
		}
	}
}

// crashAt ends the process, as a kernel would that is out of memory. Only in builds with
// the tag crashhook, which are made for tests.
func crashAt(step string) {
	file := os.Getenv(crashVariable)
	if text, err := os.ReadFile(file); err != nil || strings.TrimSpace(string(text)) != step {
		return
	}
	_ = os.Remove(file)
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}
