package jetstream

import (
	"context"
	"sync"
	"time"
)

// Quiet waits until everything that was asked and published before is answered, or ctx ends. It is for a time when nobody
// publishes any more.
func (s *Server) Quiet(ctx context.Context) {
	var done sync.WaitGroup
	s.each(func(a *account) {
		done.Go(func() { a.quiet(ctx) })
	})
	done.Wait()
	if s.files == nil {
		return
	}
	committed := make(chan struct{})
	go func() { // ends with the disk's answer
		_ = s.files.journal.Sync() // whoever waits for it has been told why
		close(committed)
	}()
	select {
	case <-ctx.Done():
	case <-committed:
	}
}

// quietStep is how often it is looked whether all is answered.
const quietStep = time.Millisecond

func (a *account) quiet(ctx context.Context) {
	for ctx.Err() == nil && !a.isQuiet() {
		select {
		case <-ctx.Done():
		case <-time.After(quietStep):
		}
	}
}

func (a *account) isQuiet() bool {
	if !a.queue.isIdle() {
		return false
	}
	for _, s := range a.list() {
		if !s.isQuiet() {
			return false
		}
	}
	return true
}

func (q *requests) isIdle() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return !q.busy
}

// isQuiet reports whether nothing of the stream waits to be decided, committed or sent.
func (s *Stream) isQuiet() bool {
	s.direct.mu.Lock()
	busy := s.direct.busy
	s.direct.mu.Unlock()
	if busy || s.hasMail() {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed != nil || len(s.waiting) == 0 && len(s.late) == 0 && s.notes.len() == 0 && len(s.out) == 0 && !s.sending
}

// Checkpoint brings what is stored to where the journal is, so that the next start has little to read.
func (s *Server) Checkpoint() {
	if s.files == nil {
		return
	}
	if err := s.files.checkpoint(s.files.journal.Position()); err != nil {
		s.log.Error("JetStream: " + err.Error())
	}
}
