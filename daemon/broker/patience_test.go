package broker

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// A patience must be to its users what context.WithTimeout makes.
func TestPatienceIsAContextWithTimeout(t *testing.T) {
	type made struct {
		context.Context
		cancel func()
	}
	kinds := map[string]func() made{
		"patience": func() made { p := newPatience(time.Second); return made{p, p.cancel} },
		"context": func() made {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			return made{ctx, cancel}
		},
	}
	for name, make := range kinds {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				waited := make()
				child, stop := context.WithCancel(waited)
				defer stop()
				if at, ok := waited.Deadline(); !ok || !at.Equal(begin.Add(time.Second)) {
					t.Errorf("ends at %v, %v", at, ok)
				}
				if waited.Err() != nil {
					t.Error("ended at once")
				}
				<-child.Done()
				if took := time.Since(begin); took != time.Second || waited.Err() != context.DeadlineExceeded || child.Err() != context.DeadlineExceeded {
					t.Errorf("after %v: %v, a child's %v", took, waited.Err(), child.Err())
				}
				<-waited.Done()
				waited.cancel()
				if waited.Err() != context.DeadlineExceeded {
					t.Errorf("cancelled later: %v", waited.Err())
				}

				ended := make()
				ended.cancel()
				<-ended.Done()
				if !errors.Is(ended.Err(), context.Canceled) {
					t.Errorf("cancelled: %v", ended.Err())
				}

				stopped := make()
				done := stopped.Done()
				stopped.cancel()
				<-done
				time.Sleep(2 * time.Second)
				if !errors.Is(stopped.Err(), context.Canceled) {
					t.Errorf("cancelled in time: %v", stopped.Err())
				}

				unseen := make()
				time.Sleep(2 * time.Second)
				if unseen.Err() != context.DeadlineExceeded {
					t.Errorf("nobody waited: %v", unseen.Err())
				}
				<-unseen.Done()
				unseen.cancel()
			})
		})
	}
}
