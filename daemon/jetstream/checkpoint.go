package jetstream

import (
	"errors"
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
	list := make([]behindhand, 0, len(f.logs))
	for _, k := range f.logs {
		list = append(list, behindhand{f, k.log, k.stream})
	}
	f.mu.Unlock()
	work := make(chan behindhand)
	errs := make(chan error, len(list))
	var done sync.WaitGroup
	for range min(syncers, len(list)) {
		done.Go(func() {
			for k := range work {
				errs <- k.sync(upTo)
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

// behindhand is a log that is to be brought to the disk, and who changes it; nil: nobody.
type behindhand struct {
	files  *files
	log    *segment.Log
	stream *Stream
}

// sync brings the log to the disk, with all that is committed through upTo.
func (k behindhand) sync(upTo uint64) error {
	if k.stream == nil {
		return k.log.Sync()
	}
	finish, err := k.stream.checkpoint(k.log, upTo)
	if err != nil {
		return err
	}
	if err := finish(); err != nil {
		return err
	}
	return k.stream.saveConsumers(k.files)
}

// checkpoint waits until all that the journal has told of through a commit is applied, and decides what is brought to the disk.
func (s *Stream) checkpoint(log *segment.Log, upTo uint64) (finish func() error, err error) {
	s.mu.Lock()
	defer s.unlock()
	for s.failed == nil && s.owes(upTo) {
		s.settled.Wait()
	}
	return log.Checkpoint()
}
