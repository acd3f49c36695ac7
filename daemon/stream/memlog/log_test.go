package memlog_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/nats-broker/nats-broker/daemon/stream"
	"github.com/nats-broker/nats-broker/daemon/stream/logtest"
	"github.com/nats-broker/nats-broker/daemon/stream/memlog"
)

func TestLog(t *testing.T) {
	logtest.Run(t, logtest.Subject{Open: func(*rapid.T) stream.Log { return memlog.New() }})
}
