package daemon

import (
	"errors"
	"net"

	"github.com/nats-broker/nats-broker/daemon/logging"
)

// listenError is a listener that could not be opened, in nats-server's words.
type listenError struct {
	where string
	text  string
	err   error
}

func (e *listenError) Error() string { return e.text }
func (e *listenError) Unwrap() error { return e.err }

// reportStart writes why the start failed.
func (d *Daemon) reportStart(err error) {
	id, fields := logging.NoID, []logging.Field{logging.Err(err)}
	var known *listenError
	var refused *net.OpError
	switch {
	case errors.As(err, &known):
		id, fields = logging.ListenerFailed, append(fields, logging.String(logging.FieldListener, known.where))
	case errors.As(err, &refused) && refused.Op == "listen" && refused.Addr != nil:
		id, fields = logging.ListenerFailed, append(fields, logging.String(logging.FieldListener, refused.Addr.String()))
	}
	d.log.Event(logging.Fatal, id, err.Error(), fields...)
}
