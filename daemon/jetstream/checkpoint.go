package jetstream

import (
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/nats-broker/nats-broker/daemon/segment"
)

// A checkpoint brings the streams' files to where the journal is, so that the journal's files may be used again.

// checkpointSoon is asked by the journal, and does not wait.
func (f *files) checkpointSoon(upTo uint64) {
	if f.closing.Load() {
		return
	}
	f.behind.Go(func() {
		if err := f.checkpoint(upTo); err != nil {
			f.log.Error("JetStream: what is stored cannot be brought to the disk: " + err.Error())
		}
	})
}

// syncers is how many logs are synced at one time.
const syncers = 4

func (f *files) checkpoint(upTo uint64) error {
	f.checkpoints.Lock()
	defer f.checkpoints.Unlock()
	f.mu.Lock()
	list := slices.Collect(maps.Values(f.logs))
	f.mu.Unlock()
	work := make(chan *kept)
	errs := make(chan error, len(list))
	var done sync.WaitGroup
	for range min(syncers, len(list)) {
		done.Go(func() {
			for k := range work {
				errs <- f.sync(k, upTo)
			}
		})
	}
	for _, k := range list {
		work <- k
	}
	close(work)
	done.Wait()
	close(errs)
	var all error
	for err := range errs {
		all = errors.Join(all, err)
	}
	if all != nil {
		return all
	}
	if err := f.catalogue.Save(upTo); err != nil {
		return err
	}
	f.journal.Release(upTo)
	return nil
}

// sync brings a stream to the disk, with all that is committed through upTo.
func (f *files) sync(k *kept, upTo uint64) error {
	s, err := f.syncUnused(k)
	if s == nil || err != nil {
		return err
	}
	finish, err := s.checkpoint(k.log, upTo)
	if err != nil {
		return err
	}
	if err := finish(); err != nil {
		return err
	}
	return s.saveConsumers(f)
}

// syncUnused brings a stream to the disk that nobody has taken, or returns who has.
func (f *files) syncUnused(k *kept) (*Stream, error) {
	k.handing.Lock()
	defer k.handing.Unlock()
	if k.stream != nil {
		return k.stream, nil
	}
	if err := k.log.Sync(); err != nil {
		return nil, err
	}
	return nil, f.saveUnused(k)
}

// checkpoint waits until all that the journal has told of through a commit is applied, and decides what is brought to the disk.
func (s *Stream) checkpoint(log *segment.Log, upTo uint64) (finish func() error, err error) {
	s.mu.Lock()
	defer s.unlock()
	for s.failed == nil && (s.stalled != nil || s.owes(upTo)) { // of a commit that is half applied none is brought to the disk
		s.settled.Wait()
	}
	return log.Checkpoint()
}
