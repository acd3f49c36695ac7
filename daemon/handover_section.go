package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/fields"
	"github.com/nats-broker/nats-broker/daemon/handover"
	"github.com/nats-broker/nats-broker/daemon/logging"
)

// What is in a parcel: the state of the core with its connections, and behind it a
// section for each part that leaves something; the descriptors in the same order. A
// version that knows no sections passes over them.

// tagSection is the tag of a section among the fields of the core's state.
const tagSection = 64

// sectionRecord is a section in a parcel.
type sectionRecord struct {
	name  string
	state []byte
	files int // descriptors that belong to it
	there int // and found a place in the parcel
}

// Fields implements [fields.Record].
func (s *sectionRecord) Fields(f *fields.Codec) {
	f.Text(1, &s.name)
	f.Bytes(2, &s.state)
	fields.Number(f, 3, &s.files)
	fields.Number(f, 4, &s.there)
}

// sectionRecords are the sections of a parcel, without the rest.
type sectionRecords struct{ list []sectionRecord }

// Fields implements [fields.Record].
func (s *sectionRecords) Fields(f *fields.Codec) { fields.List(f, tagSection, &s.list) }

// leftSection is a section with the name of the part.
type leftSection struct {
	name string
	*section
}

// settleMax is the time that parts have for what they do ahead of a handover.
const settleMax = 10 * time.Second

// settle lets parts do ahead what takes time.
func (d *Daemon) settle() {
	parts := having[handsOn](d)
	if len(parts) == 0 {
		return
	}
	d.warnOf("service manager", d.notify.ExtendTimeout(settleMax+drainMargin))
	ctx, cancel := context.WithTimeout(context.Background(), settleMax)
	defer cancel()
	for _, p := range parts {
		p.settle(ctx)
	}
}

// leaveSections asks parts what they leave.
func (d *Daemon) leaveSections() (list []leftSection) {
	for _, p := range having[handsOn](d) {
		s, err := p.leave()
		if err != nil {
			d.handoverFailed(fmt.Errorf("%s: %w", p.section(), err))
			continue
		}
		if s != nil {
			list = append(list, leftSection{p.section(), s})
		}
	}
	return list
}

// pack makes a parcel of what the core and the parts hand over.
func (d *Daemon) pack(h *broker.Handover, sections []leftSection) (*handover.Parcel, error) {
	fds := h.FDs()
	of := len(fds) // the core's
	for _, s := range sections {
		for _, f := range s.files {
			raw, err := f.SyscallConn()
			if err != nil {
				return nil, err
			}
			if err := raw.Control(func(fd uintptr) { fds = append(fds, int(fd)) }); err != nil {
				return nil, err
			}
		}
	}
	p, full, err := handover.Pack(fds, func(parked int, to io.Writer) error {
		h.Keep(min(parked, of), "no room")
		if _, err := h.WriteTo(to); err != nil {
			return err
		}
		return writeSections(to, sections, max(0, parked-of))
	})
	if full != nil {
		d.handoverFailed(full)
	}
	return p, err
}

// writeSections writes sections, of whose descriptors so many are in the parcel.
func writeSections(to io.Writer, sections []leftSection, parked int) error {
	var r sectionRecords
	for _, s := range sections {
		n := len(s.files)
		r.list = append(r.list, sectionRecord{s.name, s.state, n, min(n, parked)})
		parked -= min(n, parked)
	}
	_, err := to.Write(fields.Append(nil, &r))
	return err
}

// openSections divides the descriptors of a parcel, and gives parts what is theirs; what
// is the core's waits for takeOver.
func (d *Daemon) openSections(body []byte, fds []int) error {
	var r sectionRecords
	err := fields.Read(body, &r)
	of := len(fds)
	for _, s := range r.list {
		if s.there < 0 || s.there > of {
			err = fields.ErrDamaged
			break
		}
		of -= s.there
	}
	if err != nil {
		d.handoverFailed(err)
		r.list, of = nil, len(fds)
	}
	d.succession.connections, d.succession.others = fds[:of:of], fds[of:]
	return d.giveSections(r.list, d.succession.others)
}

// giveSections gives each part the section that was left for it, with copies of the
// descriptors; one whose descriptors are not all there is of no use. A part that cannot
// use its own starts without, unless the process that started this one could go on.
func (d *Daemon) giveSections(list []sectionRecord, fds []int) error {
	given := make(map[string]*section)
	var failed error
	for _, s := range list {
		own := fds[:s.there]
		fds = fds[s.there:]
		sec := &section{state: s.state}
		err := sec.copyFiles(s.name, own)
		if err == nil && s.there < s.files {
			err = fmt.Errorf("%d of %d descriptors are there", s.there, s.files)
		}
		if err != nil {
			sec.close()
			failed = errors.Join(failed, fmt.Errorf("%s: %w", s.name, err))
			continue
		}
		given[s.name] = sec
	}
	for _, p := range having[handsOn](d) {
		if err := p.take(given[p.section()]); err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", p.section(), err))
		}
		delete(given, p.section())
	}
	for name, s := range given {
		d.log.Info("Nobody takes over what the process before this one left of its " + name)
		s.close()
	}
	if failed != nil && d.succession.line == nil {
		d.log.Event(logging.Warn, logging.HandoverFailed, "Cannot take over all of the process before this one: "+failed.Error(), logging.Err(failed))
		return nil
	}
	return failed
}

// copyFiles makes the files of a section: copies of descriptors.
func (s *section) copyFiles(name string, fds []int) error {
	for _, fd := range fds {
		n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			return os.NewSyscallError("fcntl", err)
		}
		s.files = append(s.files, os.NewFile(uintptr(n), name))
	}
	return nil
}

func (s *section) close() {
	for _, f := range s.files {
		_ = f.Close()
	}
}

// closeOthers lets go of the descriptors of sections, of which parts have copies.
func (d *Daemon) closeOthers() {
	for _, fd := range d.succession.others {
		_ = unix.Close(fd)
	}
	d.succession.others = nil
}
