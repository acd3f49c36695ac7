package system

import (
	"fmt"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/logging"
	"github.com/nats-broker/nats-broker/daemon/msgtrace"
)

// reportTrace publishes the report of a message's way, in the account that the message came in on. It does so on the
// goroutine that completes it: who has many messages traced waits for the reports.
func (s *Service) reportTrace(a *broker.Account, t *msgtrace.Trail) {
	m := s.message(t.Dest, "", encodingOf(t.Encoding), func(si ServerInfo) any { return t.Report(si) })
	header, body, err := m.Make()
	if err != nil {
		s.log.Error(fmt.Sprintf("Report of a message's way: %v", err), logging.Err(err)) // cannot be: it is plain data
		return
	}
	a.Publish(m.Subject, "", header, body)
}
