package monitor

import (
	"fmt"
	"net/http"
	"time"
)

// unavailable is the status of a server whose JetStream is not well.
const unavailable = "unavailable"

// stuckAfter is how long a write may take until the disk is taken for stuck.
const stuckAfter = 5 * time.Second

// examineJetStream looks at the streams, in the words of nats-server where it has some.
func (r *Reporter) examineJetStream(o *HealthzOptions, f *findings) {
	src := r.src.JetStream
	if src.Server() == nil {
		f.add(http.StatusServiceUnavailable, unavailable, HealthzError{Type: aboutJetStream, Error: "JetStream not enabled (10076)"})
		return
	}
	if o.JSEnabled || o.JSEnabledOnly {
		return
	}
	if s := src.Storage(); s != nil {
		if why := s.Trouble(); why != "" {
			f.add(http.StatusServiceUnavailable, unavailable, HealthzError{Type: aboutJetStream, Error: "JetStream " + why})
		}
	}
	accounts := src.Accounts()
	if o.Account != "" {
		accounts = named(accounts, o.Account)
		if accounts == nil {
			f.add(http.StatusNotFound, unavailable, HealthzError{Type: aboutAccount, Account: o.Account,
				Error: fmt.Sprintf("JetStream account %q not found", o.Account)})
			return
		}
	}
	var asked Stream
	for i := range accounts {
		a := &accounts[i]
		for _, s := range a.Streams {
			if o.Stream != "" && s.Name() != o.Stream {
				continue
			}
			asked = s
			if err := s.Failure(); err != nil {
				f.add(http.StatusServiceUnavailable, unavailable, HealthzError{Type: aboutStream, Account: a.ID, Stream: s.Name(),
					Error: fmt.Sprintf("JetStream stream '%s > %s' write error: %v", a.ID, s.Name(), err)})
			} else if err := s.Delay(); err != nil {
				f.add(http.StatusServiceUnavailable, unavailable, HealthzError{Type: aboutStream, Account: a.ID, Stream: s.Name(),
					Error: fmt.Sprintf("JetStream stream '%s > %s' waits: %v", a.ID, s.Name(), err)})
			}
		}
	}
	switch {
	case o.Stream == "":
	case asked == nil:
		f.add(http.StatusNotFound, unavailable, HealthzError{Type: aboutStream, Account: o.Account, Stream: o.Stream,
			Error: fmt.Sprintf("JetStream stream %q not found on account %q", o.Stream, o.Account)})
	case o.Consumer != "" && !asked.HasConsumer(o.Consumer):
		f.add(http.StatusNotFound, unavailable, HealthzError{Type: aboutConsumer, Account: o.Account, Stream: o.Stream, Consumer: o.Consumer,
			Error: fmt.Sprintf("JetStream consumer %q not found for stream %q on account %q", o.Consumer, o.Stream, o.Account)})
	}
}

// named returns the account of a name; nil if there is none.
func named(accounts []JetStreamAccount, id string) []JetStreamAccount {
	for i := range accounts {
		if accounts[i].ID == id {
			return accounts[i : i+1]
		}
	}
	return nil
}

// Trouble says what keeps messages from being stored, in words that follow "JetStream"; it is empty if nothing does.
func (s *Storage) Trouble() string {
	switch {
	case s.Failed != nil:
		return "storage failed: " + s.Failed.Error()
	case s.Full:
		return fmt.Sprintf("has no room on the disk: %d bytes are free, %d must be", s.Free, s.Need)
	case s.Stuck >= stuckAfter:
		return fmt.Sprintf("storage does not answer: a write has taken %v so far", s.Stuck.Round(time.Second))
	}
	return ""
}
