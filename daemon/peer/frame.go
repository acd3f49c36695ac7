package peer

import (
	"encoding/json"
	"errors"
	"io"

	"github.com/nats-broker/nats-broker/daemon/transport"
)

// JSONFrame is a verb, with the blank behind it, and a value that encoding/json can always
// encode, with an end.
func JSONFrame(verb string, v any, end string) []byte {
	body, err := json.Marshal(v)
	if err != nil {
		panic("peer: " + verb + "cannot be encoded: " + err.Error()) // strings, numbers and booleans always can
	}
	return append(append([]byte(verb), body...), end...)
}

// ErrFrame tells the peer of an error.
func ErrFrame(text string) []byte { return append(append([]byte("-ERR '"), text...), "'\r\n"...) }

// How connections between servers end, as nats-server 2.15.3 names it, beyond what refusals say.
const (
	ReasonClosed   = "Client Closed"
	ReasonShutdown = "Server Shutdown"
	ReasonStale    = "Stale Connection"
	ReasonPending  = "Slow Consumer (Pending Bytes)"
	ReasonDeadline = "Slow Consumer (Write Deadline)"
	ReasonRead     = "Read Error"
	ReasonWrite    = "Write Error"
)

// ReasonOf says why a connection ended whose Serve ended with err.
func ReasonOf(err error) string {
	var pe *transport.PendingError
	var de *transport.DeadlineError
	var we *transport.WriteError
	switch {
	case err == nil, errors.Is(err, io.EOF):
		return ReasonClosed
	case errors.As(err, &pe):
		return ReasonPending
	case errors.As(err, &de):
		return ReasonDeadline
	case errors.As(err, &we):
		return ReasonWrite
	}
	return ReasonRead
}
