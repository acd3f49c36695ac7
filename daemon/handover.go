package daemon

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/handover"
	"github.com/nats-broker/nats-broker/daemon/logging"
)

// The names under which a parcel waits in the descriptor store.
const (
	leftIn    = "in"
	leftOut   = "out"
	leftState = "state"
)

// succession is what the process has to do with the one before it and the one after.
// Run's goroutine and New use it, nobody else.
type succession struct {
	found  bool             // connections wait for us, or have waited
	parcel *handover.Parcel // found; nil: none, or done with
	taken  []int            // its descriptors, once they are taken out
	frozen bool             // the core is at rest, for a successor

	connections, others []int // of taken: the core's, and those of sections

	collecting int // GOGC before the connections were taken over

	line    *handover.Line // to the process that started this one to take over; nil: none
	hello   []byte         // what that one began with
	waiting *waiting       // one that may become the next; nil: none
	upgrade *upgrade       // to the one that this one hands over to; nil: none
}

// findParcel looks for what the process before us has left with the service manager.
func (d *Daemon) findParcel() {
	p := &handover.Parcel{In: d.stored.TakeLeft(leftIn), Out: d.stored.TakeLeft(leftOut), State: d.stored.TakeLeft(leftState)}
	if p.In == nil && p.Out == nil && p.State == nil {
		return
	}
	p.Expect()
	d.succession.parcel, d.succession.found = p, true
}

// openParcel looks at what was found: the core is known under the name it had, and what
// cannot be used is given up at once.
func (d *Daemon) openParcel() {
	p := d.succession.parcel
	if hello := d.succession.hello; hello != nil {
		d.warnOf("handover", d.broker.Adopt(hello))
	}
	if p == nil {
		return
	}
	err := p.Open()
	if err == nil && p.Stale() {
		err = fmt.Errorf("they have waited for %s, which is too long", p.Age().Round(time.Second))
	}
	if err == nil {
		err = d.broker.Adopt(p.Body())
	}
	if err != nil {
		n := d.discardParcel()
		d.log.Event(logging.Warn, logging.HandoverFailed,
			fmt.Sprintf("Cannot take over the connections of the process before this one: %v; closed %s", err, counted(uint64(n), "connection")),
			logging.Err(err), logging.Int(logging.FieldCount, int64(n)))
	}
}

// discardParcel closes the connections that wait.
func (d *Daemon) discardParcel() int {
	p := d.succession.parcel
	d.succession.parcel = nil
	n := p.Discard()
	_ = d.stored.Forget(leftIn, leftOut, leftState) // the connections are closed all the same
	return n
}

// unpack takes what was left out of the parcel, before parts start. It is no reason not
// to start if that fails, unless somebody else could do better: the process that started
// this one.
func (d *Daemon) unpack() error {
	p := d.succession.parcel
	if p == nil {
		return d.giveSections(nil, nil)
	}
	crashAt("found")
	fds, err := p.Take()
	if err == nil {
		d.succession.taken = fds
		return d.openSections(p.Body(), fds)
	}
	if d.succession.line != nil {
		return err
	}
	d.discardParcel()
	d.log.Event(logging.Warn, logging.HandoverFailed,
		"Cannot take over the connections of the process before this one: "+err.Error(), logging.Err(err))
	return d.giveSections(nil, nil)
}

// takeOver gives the core the connections that were left, before there are listeners. It
// is no reason not to start if that fails, unless somebody else could do better: the
// process that started this one.
func (d *Daemon) takeOver() error {
	p := d.succession.parcel
	if p == nil {
		return nil
	}
	d.succession.collecting = restCollector()
	crashAt("taken")
	report, err := d.broker.Restore(p.Body(), d.succession.connections)
	if err != nil && d.succession.line != nil {
		return err
	}
	if err != nil {
		d.log.Event(logging.Warn, logging.HandoverFailed,
			"Cannot take over all connections of the process before this one: "+err.Error(), logging.Err(err))
	}
	crashAt("restored")
	text := fmt.Sprintf("Took over %s, %s after the process before this one let go", counted(uint64(report.Moved), "connection"),
		p.Age().Round(time.Millisecond))
	if n := total(report.Lost); n > 0 {
		text += fmt.Sprintf("; %s not: %s", grouped(uint64(n)), reasonList(report.Lost))
	}
	d.log.Event(logging.Info, logging.HandoverTaken, text,
		logging.Int(logging.FieldCount, int64(report.Moved)), logging.Int(logging.FieldLost, int64(total(report.Lost))))
	return nil
}

// resume serves the connections taken over. Nothing can go wrong with the start any
// more, and who finds the parcel from now on must not believe it.
func (d *Daemon) resume() {
	p := d.succession.parcel
	if p == nil {
		return
	}
	d.succession.parcel, d.succession.taken = nil, nil
	d.closeOthers()
	d.warnOf("handover", p.Void())
	d.warnOf("service manager", d.stored.Forget(leftIn, leftOut, leftState))
	crashAt("serving")
	d.broker.Resume()
	crashAt("resumed")
	wakeCollector(d.succession.collecting)
	d.warnOf("handover", p.Empty()) // the manager may take its time
	p.Close()
}

// returnParcel is for a start that fails: the connections wait for the next process, or
// are closed if they have waited long enough. It says what became of them.
func (d *Daemon) returnParcel() string {
	p := d.succession.parcel
	if p == nil {
		return ""
	}
	if d.succession.line != nil {
		return "" // the process before us has them still
	}
	if d.succession.taken != nil {
		if err := p.Return(d.succession.taken); err != nil {
			return fmt.Sprintf("%s: %v", closedWaiting(d.discardParcel()), err)
		}
	} else if p.Open() != nil {
		return closedWaiting(d.discardParcel())
	}
	if p.Stale() {
		return closedWaiting(d.discardParcel())
	}
	d.succession.parcel = nil
	p.Close() // the manager has copies
	return "the connections of the process before this one wait for the next"
}

func closedWaiting(n int) string {
	return "closed " + counted(uint64(n), "connection") + " of the process before this one"
}

// handsOver reports whether a successor is to go on with the connections: there is a
// place to leave them. Whether the manager starts a successor or stops the service for
// good we need not know: in that case it closes what it has.
func (d *Daemon) handsOver() bool {
	return d.succession.upgrade != nil || d.stored.Usable() && d.gone == nil
}

// Times of a handover.
const (
	// sendAwayMax bounds the time over which connections that cannot move are closed
	// before the others come to rest, sendAwayEach is for one.
	sendAwayMax  = 10 * time.Second
	sendAwayEach = 2 * time.Millisecond
	// freezeMax is how long connections may take to come to rest: a frame is handled to
	// its end, somebody's password is being looked at.
	freezeMax = 500 * time.Millisecond
	// payUpMax is how long answers may take that clients wait for: a commit on a slow disk.
	payUpMax = 5 * time.Second
	// barrierMax is how long the service manager may take to store three descriptors.
	barrierMax = 5 * time.Second
)

// bringToRest ends what clients say. What they have said is still delivered, also by
// the parts that stop after this.
func (d *Daemon) bringToRest() {
	if u := d.succession.upgrade; u != nil {
		d.copyListeners(u)
		d.control.quiet() // the successor has one at the same place
	}
	d.settle()
	o := d.active.Load().cfg.Options.LameDuck
	if n := d.broker.Secured(); n > 0 {
		within := min(sendAwayMax, time.Duration(n)*sendAwayEach, o.Duration)
		d.log.Info(fmt.Sprintf("Closing %s that cannot be handed over, within %s", counted(uint64(n), "encrypted connection"), within))
		d.warnOf("service manager", d.notify.ExtendTimeout(within+drainMargin))
		d.broker.SendAway(within)
	}
	// Each peer waits from now on, and the process ends: nobody will need the memory that
	// collecting garbage would find. A memory limit still holds.
	restCollector()
	d.succession.frozen = d.broker.Freeze(freezeMax)
	ctx, cancel := context.WithTimeout(context.Background(), payUpMax)
	defer cancel()
	for _, p := range having[owes](d) {
		p.payUp(ctx)
	}
}

// leave leaves the connections to the next process, with the service manager.
func (d *Daemon) leave() {
	d.succession.frozen = false
	h := d.broker.Park() // not released: the process ends soon, and closing takes time
	sections := d.leaveSections()
	if u := d.succession.upgrade; u != nil {
		u.leaving, u.sections = h, sections
		return
	}
	p, err := d.pack(h, sections)
	if err != nil {
		d.handoverFailed(err)
		return
	}
	defer p.Close()
	err = d.stored.Leave(leftIn, p.In)
	if err == nil {
		err = d.stored.Leave(leftOut, p.Out)
	}
	if err == nil {
		err = d.stored.Leave(leftState, p.State)
	}
	if err == nil {
		err = d.notify.Barrier(barrierMax)
	}
	if err != nil {
		_ = d.stored.Forget(leftIn, leftOut, leftState)
		d.handoverFailed(err)
		return
	}
	d.reportLeft(h)
}

func (d *Daemon) handoverFailed(err error) {
	d.log.Event(logging.Warn, logging.HandoverFailed, "Cannot hand over all connections: "+err.Error(), logging.Err(err))
}

func (d *Daemon) reportLeft(h *broker.Handover) {
	n := len(h.FDs())
	text := "Left " + counted(uint64(n), "connection") + " to the next process"
	if lost := total(h.Left()); lost > 0 {
		text += fmt.Sprintf("; %s not: %s", grouped(uint64(lost)), reasonList(h.Left()))
	}
	d.log.Event(logging.Info, logging.HandoverLeft, text,
		logging.Int(logging.FieldCount, int64(n)), logging.Int(logging.FieldLost, int64(total(h.Left()))))
}

func total(m map[string]int) (n int) {
	for _, k := range m {
		n += k
	}
	return n
}

// reasonList lists reasons with their numbers: "2 encrypted, 1 busy".
func reasonList(m map[string]int) string {
	var list []string
	for _, why := range slices.Sorted(maps.Keys(m)) {
		list = append(list, fmt.Sprintf("%s %s", grouped(uint64(m[why])), why))
	}
	return strings.Join(list, ", ")
}
