package daemon

import (
	"os"
	"os/signal"
	"syscall"
)

// trapped are the signals the daemon acts on. SIGQUIT is left to the runtime,
// which prints every goroutine's stack and exits with 2, as nats-server's does.
var trapped = []os.Signal{syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGTERM, syscall.SIGINT}

// trap is where those signals arrive.
type trap struct {
	signals chan os.Signal
	set     chan struct{} // closed when they do
}

// setTrap begins to catch signals. It does not wait: the runtime starts threads for them,
// which takes as long as to read a configuration.
func setTrap() *trap {
	t := &trap{signals: make(chan os.Signal, 8), set: make(chan struct{})}
	go func() { // ends at once
		signal.Notify(t.signals, trapped...)
		close(t.set)
	}()
	return t
}

// wait returns when signals are caught, with the channel that has them.
func (t *trap) wait() <-chan os.Signal {
	<-t.set
	return t.signals
}

// release leaves the signals to whoever had them before.
func (t *trap) release() {
	<-t.set
	signal.Stop(t.signals)
}
