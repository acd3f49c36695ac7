package daemon

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/control"
	"github.com/nats-broker/nats-broker/daemon/handover"
	"github.com/nats-broker/nats-broker/daemon/logging"
)

// An upgrade without a service manager: this process starts the new program, which gets
// ready as far as it can without us; what is wrong with it by then (it cannot be
// executed, it does not like the configuration) costs nobody anything. Then we come to
// rest, stop, hand over, and wait until it serves. If it fails even now, our own program
// is started in its place, with the same connections: it is the way back for every part
// of the process, and the same way as forward. Once the new one may have served some of
// them they are not ours any more: should it fail then, our program is started for the
// listeners, and the connections are closed.

// Times of an upgrade.
const (
	prepareMax = 30 * time.Second // for the new program to get ready
	servingMax = 60 * time.Second // for it to start its parts
	resumedMax = 30 * time.Second // for it to go on with all connections
)

// upgrade is one that is under way.
type upgrade struct {
	program   string
	successor *handover.Successor
	version   string // of the new program
	confirms  bool   // the new program tells when it has resumed
	reply     chan<- control.Response
	listeners []handover.Listener
	leaving   *broker.Handover // once the core is at rest
	sections  []leftSection    // what other parts leave
}

// waiting is an upgrade whose new program gets ready. Run's goroutine goes on meanwhile:
// a program that hangs holds up neither a reload nor the end.
type waiting struct {
	*upgrade
	of    *active    // in effect when it began
	ready chan error // the outcome; has room for it
}

// beginUpgrade starts the new program, and answers if it cannot.
func (d *Daemon) beginUpgrade(req request) {
	u, err := d.newUpgrade(req)
	if err != nil {
		d.refuseUpgrade(req.reply, err)
		return
	}
	d.log.Info(fmt.Sprintf("Upgrade requested by %s: process %d, %s, gets ready", req.peer.String(), u.successor.PID(), u.program))
	w := &waiting{upgrade: u, of: d.active.Load(), ready: make(chan error, 1)}
	d.succession.waiting = w
	hello := d.hello()
	go func() { // ends when the program is ready, has failed, or is given up, after prepareMax at the latest
		w.ready <- u.prepare(u.program, hello)
	}()
}

func (d *Daemon) refuseUpgrade(reply chan<- control.Response, err error) {
	d.log.Warn("Upgrade refused: " + err.Error())
	reply <- control.Response{Error: err.Error()}
}

// prepared is where the outcome comes of an upgrade that gets ready; nil, which blocks for
// ever, if there is none.
func (d *Daemon) prepared() <-chan error {
	if w := d.succession.waiting; w != nil {
		return w.ready
	}
	return nil
}

// onPrepared goes on with the upgrade; true means that this process is to end.
func (d *Daemon) onPrepared(err error) (end bool) {
	w := d.succession.waiting
	d.succession.waiting = nil
	if err == nil {
		switch {
		case d.inState() != stateRunning:
			err = errors.New("the broker is " + d.inState())
		case d.active.Load().cfg != w.of.cfg:
			err = errors.New("the configuration was reloaded meanwhile: try again")
		}
		if err != nil {
			w.successor.Kill(handover.Serving)
		}
	}
	if err != nil {
		d.refuseUpgrade(w.reply, err)
		return false
	}
	d.log.Info(fmt.Sprintf("Handing over to process %d, %s", w.successor.PID(), w.program))
	d.succession.upgrade = w.upgrade
	return true
}

// abandonUpgrade gives up an upgrade that gets ready, since the process ends. Nobody waits
// for it.
func (d *Daemon) abandonUpgrade() {
	if w := d.succession.waiting; w != nil {
		d.succession.waiting = nil
		w.successor.Abandon()
		d.refuseUpgrade(w.reply, errors.New("the broker is stopping"))
	}
}

func (d *Daemon) newUpgrade(req request) (*upgrade, error) {
	u := &upgrade{program: req.Binary, reply: req.reply}
	switch {
	case d.System.Managed():
		return nil, errors.New("a service manager runs this broker: restart the service instead, which keeps connections too")
	case os.Getpid() == 1:
		return nil, errors.New("the broker is process 1, which cannot be replaced by another one: restart the container")
	case d.inState() != stateRunning:
		return nil, errors.New("the broker is " + d.inState())
	case d.succession.waiting != nil:
		return nil, errors.New("another upgrade is under way")
	case u.program != "" && req.peer.UID != 0 && req.peer.UID != uint32(os.Geteuid()):
		return nil, errors.New("only root and the user the broker runs as may name the program")
	}
	var err error
	if u.program == "" {
		if u.program, err = os.Executable(); err != nil {
			return nil, err
		}
		u.program = strings.TrimSuffix(u.program, " (deleted)") // replaced by the new one
	}
	return u, u.start(u.program)
}

// start starts a program.
func (u *upgrade) start(program string) (err error) {
	if u.successor, err = handover.Start(program); err != nil {
		return fmt.Errorf("starting %s: %w", program, err)
	}
	return nil
}

// hello is what the new program has to know to get ready.
func (d *Daemon) hello() handover.Message {
	return handover.Message{Kind: handover.Hello, State: d.broker.Identify(), Expect: d.broker.NumClients()}
}

// prepare waits until the program that was started is ready for the parcel. If it is not,
// it is ended.
func (u *upgrade) prepare(program string, hello handover.Message) error {
	err := u.successor.Send(hello)
	var m handover.Message
	if err == nil {
		m, err = u.successor.Receive(handover.Prepared, prepareMax)
	}
	if err != nil {
		u.successor.Kill(handover.Serving)
		return fmt.Errorf("%s does not start: %w", program, err)
	}
	u.version, u.confirms = m.Version, m.Confirms
	return nil
}

// copyListeners makes copies of what we listen on, before it is closed.
func (d *Daemon) copyListeners(u *upgrade) {
	for _, l := range d.listening() {
		if _, tcp := l.listener.Addr().(*net.TCPAddr); !tcp && !l.inherited {
			continue // a file that the part removes, and the next one makes
		}
		f, err := copyOf(l.listener)
		if err != nil {
			d.log.Warn("Cannot hand over a listener: "+err.Error(), logging.Err(err))
			continue
		}
		u.listeners = append(u.listeners, handover.Listener{Name: l.name, Inherited: l.inherited, File: f})
	}
}

// copyOf returns another descriptor of a listener. [net.TCPListener.File] would make
// the listener itself blocking.
func copyOf(l net.Listener) (*os.File, error) {
	c, ok := l.(syscall.Conn)
	if !ok {
		return nil, fmt.Errorf("%T has no descriptor", l)
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	var fd int
	var failed error
	if err := raw.Control(func(n uintptr) { fd, failed = unix.FcntlInt(n, unix.F_DUPFD_CLOEXEC, 0) }); err != nil {
		return nil, err
	}
	if failed != nil {
		return nil, os.NewSyscallError("fcntl", failed)
	}
	return os.NewFile(uintptr(fd), "listener"), nil
}

// finishUpgrade hands over, after all else has stopped, and answers the verb. If nobody
// takes over, the connections are closed with the process: false.
func (d *Daemon) finishUpgrade() bool {
	u := d.succession.upgrade
	defer func() {
		for _, l := range u.listeners {
			_ = l.File.Close()
		}
	}()
	began, err := d.handTo(u)
	if err == nil {
		n := len(u.leaving.FDs()) // not nil: handTo looked
		d.reportLeft(u.leaving)
		u.reply <- control.Response{OK: true, Upgrade: &control.Upgrade{PID: u.successor.PID(), Version: u.version, Connections: n, Lost: u.leaving.Left()}}
		u.successor.Leave()
		return true
	}
	d.log.Error("The new program does not serve: "+err.Error()+"; starting ours again", logging.Err(err))
	// It says that it serves before it does, so that this is certain once it has ended,
	// even if it said so too late.
	late := u.successor.Kill(handover.Serving)
	fate := "connections are kept"
	if began || late {
		u.leaving.Keep(0, "served by a process that has failed")
		fate = "connections were closed, since the new program may have served them before it failed"
	}
	const own = "/proc/self/exe"
	again := u.start(own)
	if again == nil {
		again = u.prepare(own, d.hello())
	}
	if again == nil {
		_, again = d.handTo(u)
	}
	if again != nil {
		d.log.Event(logging.Fatal, logging.HandoverFailed, "Nobody takes over: "+again.Error(), logging.Err(again))
		u.reply <- control.Response{Error: fmt.Sprintf("the new program does not serve: %v; neither does the old one: %v", err, again)}
		return false
	}
	u.reply <- control.Response{Error: fmt.Sprintf("the new program does not serve: %v; the old one was started again as process %d, and %s", err, u.successor.PID(), fate)}
	u.successor.Leave()
	return true
}

// handTo gives the successor what there is and waits until it serves. Our own
// descriptors stay open until we exit: should it fail, another one can have them, unless
// it began to serve.
func (d *Daemon) handTo(u *upgrade) (began bool, err error) {
	if u.leaving == nil {
		return false, errors.New("the connections did not come to rest")
	}
	p, err := d.pack(u.leaving, u.sections)
	if err != nil {
		return false, err
	}
	defer p.Close()
	if err := u.successor.SendParcel(p, u.listeners); err != nil {
		return false, err
	}
	if _, err := u.successor.Receive(handover.Serving, servingMax); err != nil {
		return false, err
	}
	if u.confirms {
		_, err = u.successor.Receive(handover.Resumed, resumedMax)
	}
	return true, err
}

// answerPredecessor is the beginning of a process that was started to take over: it
// learns under which name clients know the broker.
func (d *Daemon) answerPredecessor() error {
	line, err := handover.ToPredecessor()
	if line == nil || err != nil {
		return err
	}
	d.succession.line = line
	hello, err := line.Receive(handover.Hello, prepareMax)
	d.succession.hello = hello.State
	if err == nil && hello.Expect > 0 {
		_ = handover.MakeRoom(hello.Expect) // without, taking over is slower
	}
	return err
}

// awaitParcel says that everything is ready that can be, and waits for the other
// process to let go.
func (d *Daemon) awaitParcel() error {
	line := d.succession.line
	if line == nil {
		return nil
	}
	if err := d.readableStorage(d.active.Load().cfg.Options); err != nil {
		return err
	}
	crashAt("ready")
	if err := line.Send(handover.Message{Kind: handover.Prepared, Version: d.Identity.Own, Confirms: true}); err != nil {
		return err
	}
	crashAt("prepared")
	p, listeners, err := line.ReceiveParcel()
	if err != nil {
		return fmt.Errorf("taking over from another process: %w", err)
	}
	for _, l := range listeners {
		offer := d.stored.Offer
		if l.Inherited {
			offer = d.System.Sockets.Offer
		}
		if err := offer(l.Name, l.File); err != nil {
			return err
		}
	}
	if err := p.Open(); err != nil {
		p.Close()
		return err
	}
	d.succession.parcel = p
	return nil
}

// tellPredecessor says that we serve from now on, with err nil, or ends the
// conversation.
func (d *Daemon) tellPredecessor(err error) {
	if err != nil {
		d.endConversation(handover.Message{Kind: handover.Failed, Error: firstError(err)})
	} else if line := d.succession.line; line != nil {
		_ = line.Send(handover.Message{Kind: handover.Serving}) // see endConversation
	}
}

// endConversation says a last word to the process that started this one.
func (d *Daemon) endConversation(m handover.Message) {
	line := d.succession.line
	if line == nil {
		return
	}
	d.succession.line = nil
	_ = line.Send(m) // if it is gone by now it has nothing to say either
	line.Close()
}
