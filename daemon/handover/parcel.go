package handover

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Patience is how long connections wait for a process that serves them. After it they
// are closed by whoever finds them.
const Patience = 30 * time.Second

// Parcel is connections on their way to another process. It belongs to one goroutine.
type Parcel struct {
	In, Out *os.File // the parking place
	State   *os.File

	state *state        // once opened
	room  chan struct{} // closed when there is room for the descriptors; nil: nobody makes any
	kept  bool          // what was taken is still parked, too
}

// ErrVoid means that the connections of a parcel were served after it was made: what it
// says of them is true no more.
var ErrVoid = errors.New("somebody has served them since they were left")

// Pack makes a parcel of descriptors, which stay the caller's, and of the state that
// write writes when it is told how many of them found a place. full says why not all
// did; nil if they did.
func Pack(fds []int, write func(parked int, to io.Writer) error) (p *Parcel, full, err error) {
	p = &Parcel{}
	if p.In, p.Out, err = pair(); err != nil {
		return nil, nil, err
	}
	n, full := park(p.In, fds)
	p.State, err = writeState(n, func(to io.Writer) error { return write(n, to) })
	if err != nil {
		p.Close()
		return nil, full, err
	}
	return p, full, nil
}

// Open checks the state of a parcel that was found. Body and Age may be called after it.
func (p *Parcel) Open() error {
	if p.State == nil || p.In == nil || p.Out == nil {
		return fmt.Errorf("%w: a part is missing", ErrState)
	}
	if shut, err := isShut(p.Out); err != nil {
		return err
	} else if shut {
		return ErrVoid
	}
	var err error
	p.state, err = readState(p.State)
	return err
}

// Body returns the state. It is valid until Close, and cannot be written to.
func (p *Parcel) Body() []byte { return p.state.body }

// Age returns how long the parcel has been waiting.
func (p *Parcel) Age() time.Duration { return sinceBoot() - p.state.written }

// Stale reports whether the connections have waited long enough. One that could not be
// opened is stale.
func (p *Parcel) Stale() bool { return p.state == nil || p.Age() > Patience || p.Age() < 0 }

// Take returns the connections' descriptors, in the order in which they went in. They
// are the caller's. Until Void, the parcel has them too: if this process ends before it
// serves them, the next one can. If their number is not what the state says, there are
// none.
func (p *Parcel) Take() ([]int, error) {
	p.awaitRoom()
	fds, err := copyParked(p.Out)
	p.kept = true
	if errors.Is(err, unix.EOPNOTSUPP) { // a kernel that cannot show what waits
		fds, err = unpark(p.Out)
		p.kept = false
	}
	if err == nil && len(fds) != p.state.count {
		err = fmt.Errorf("%w: it is about %d connections, and there are %d", ErrState, p.state.count, len(fds))
	}
	if err != nil {
		letGo(fds)
		return nil, err
	}
	return fds, nil
}

// Return sees to it that the parcel has the descriptors that Take returned, for a
// process that comes later. They stay the caller's too.
func (p *Parcel) Return(fds []int) error {
	if p.kept {
		return nil
	}
	n, err := park(p.In, fds)
	if err != nil {
		return fmt.Errorf("%d of %d connections could not be put back: %w", len(fds)-n, len(fds), err)
	}
	return nil
}

// Void makes the parcel worthless, at once and wherever else it is kept: Open fails with
// ErrVoid. It must be called before the first of the connections is served, and Empty
// soon after it.
func (p *Parcel) Void() error { return shutPair(p.In) }

// Empty lets go of the descriptors that the parcel still has, so that connections can
// end.
func (p *Parcel) Empty() error { return eachMessage(p.Out, 0, letGo) }

// Discard closes the connections that wait, so that their peers notice, whoever else
// has a copy; and the parcel. It returns how many there were.
func (p *Parcel) Discard() int {
	n := 0
	if p.Out != nil {
		fds, _ := unpark(p.Out)
		n = len(fds)
		hangUp(fds)
	}
	p.Close()
	return n
}

func hangUp(fds []int) {
	for _, fd := range fds {
		_ = unix.Shutdown(fd, unix.SHUT_RDWR)
		_ = unix.Close(fd)
	}
}

func letGo(fds []int) {
	for _, fd := range fds {
		_ = unix.Close(fd)
	}
}

// Close gives the parcel up. What is parked stays so as long as others hold it.
func (p *Parcel) Close() {
	p.awaitRoom()
	if p.state != nil {
		p.state.close()
		p.state = nil
	}
	for _, f := range []*os.File{p.In, p.Out, p.State} {
		if f != nil {
			_ = f.Close()
		}
	}
	p.In, p.Out, p.State = nil, nil, nil
}
