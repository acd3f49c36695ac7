package jetstream

import (
	"fmt"
	"time"

	"github.com/nats-broker/nats-broker/daemon/logging"
)

// Messages are accepted while the disk has room for them and for what is stored already. Below that what is read, removed and
// acknowledged goes on, and so do messages when there is room again.

// roomEvery is how often the disk is asked.
const roomEvery = time.Second

// watchDisk asks the disk until the storage is closed.
func (s *Server) watchDisk() {
	f := s.files
	tick := time.NewTicker(roomEvery)
	defer tick.Stop()
	for {
		select {
		case <-f.ended:
			return
		case <-tick.C:
			s.lookAtDisk()
			s.ages.now() // a jump is seen when it happens
		case <-s.watch.soon:
			s.lookForRoom()
		}
	}
}

// lookAtRoom asks the disk once, and tells when the answer is another.
func (s *Server) lookAtRoom() {
	changed, err := s.files.room.Look()
	switch {
	case err != nil:
		s.log.Warn("JetStream: the disk's room is not known: " + err.Error())
	case !changed:
	case s.files.room.Enough():
		s.log.Info(fmt.Sprintf("JetStream: the disk has room again (%d bytes): messages are stored in files", s.files.room.Free()))
	default:
		s.log.Event(logging.Error, logging.StorageFull,
			fmt.Sprintf("JetStream: the disk has no room (%d bytes are left): messages for streams in files are refused", s.files.room.Free()),
			logging.String(logging.FieldStoreDir, s.Folder()), logging.Uint(logging.FieldFree, s.files.room.Free()), logging.Uint(logging.FieldNeed, s.files.room.Need()))
		s.outOfStorage()
	}
	if s.crowded() {
		s.makeRoom()
	}
}

// makeRoom brings what was removed to the disk, where it frees something: nothing else asks for that while nothing is stored.
func (s *Server) makeRoom() {
	if at := s.files.journal.Position(); s.watch.freed.Swap(at) != at {
		s.press(at)
	}
}

// tryAgain has logs write what they could not. As long as they cannot, their streams take nothing in: see [quota.Server].
func (f *files) tryAgain() {
	f.mu.Lock()
	var list []*kept
	for _, k := range f.logs {
		if k.log.Full() != nil {
			list = append(list, k)
		}
	}
	f.mu.Unlock()
	for _, k := range list {
		_ = k.log.SealTail() // it has said so when it began
	}
}

// press has everything up to a commit brought to the disk, unless that is being tried.
func (s *Server) press(upTo uint64) {
	if !s.watch.pressing.CompareAndSwap(false, true) {
		return
	}
	s.files.behind.Go(func() {
		defer s.watch.pressing.Store(false)
		if err := s.files.checkpoint(upTo); err != nil {
			s.log.Debug("JetStream: what is stored cannot be brought to the disk yet: " + err.Error())
		}
	})
}

// spaceEvent tells the system account that the disk is full.
type spaceEvent struct {
	event
	Server   string `json:"server"`
	ServerID string `json:"server_id"`
	Cluster  string `json:"cluster"`
	Domain   string `json:"domain,omitempty"`
}

func (s *Server) outOfStorage() {
	if sys := s.lookup(s.systemName()); sys != nil {
		if to := advisories + "SERVER.OUT_OF_STORAGE"; sys.broker.Interested(to) {
			sys.advise(to, &spaceEvent{newEvent("server_out_of_space"), s.serverName(), s.broker.ID(), s.broker.Options().Cluster, s.options().Domain})
		}
	}
}

func (s *Server) systemName() string {
	if sys := s.broker.System(); sys != nil {
		return sys.Name()
	}
	return ""
}

// crowded reports whether streams in files take no messages for want of room.
func (s *Server) crowded() bool { return s.files != nil && !s.files.room.Enough() }

// While the storage ends it is looked so often whether the journal waits for room, and so often it may go on waiting though what it
// holds was brought to the disk.
const (
	endLook  = 100 * time.Millisecond
	endLooks = 20
)

// endWithoutRoom sees to it that the storage ends though the journal waits for room that there is not: whoever waits for the
// journal is told that what he wants is not stored. Nothing of that was acknowledged.
func (f *files) endWithoutRoom() {
	f.patience.Go(func() { // ends with the storage
		tick := time.NewTicker(endLook)
		defer tick.Stop()
		for looks := 0; ; {
			if !f.journal.Stats().Blocked {
				looks = 0
			} else if err := f.checkpoint(f.journal.Position()); err != nil || looks == endLooks {
				if f.journal.GiveUp() {
					text := "JetStream: the journal has no room while the storage is closed: what it waits with, and was not acknowledged, is not stored"
					if err != nil {
						text += ": " + err.Error()
					}
					f.log.Error(text)
				}
			} else {
				looks++
			}
			select {
			case <-f.noneWaits:
				return
			case <-tick.C:
			}
		}
	})
}
