package proto

import (
	"errors"
	"fmt"
)

// Errors of the parser. After any of them the connection cannot go on.
var (
	// ErrUnknownOp: no verb of the protocol, or a payload that does not end where
	// it was said to.
	ErrUnknownOp = errors.New("Unknown Protocol Operation")
	// ErrControlLine: a line is longer than it may be.
	ErrControlLine = errors.New("maximum control line exceeded")
	// ErrPayload: a payload is announced that is larger than it may be.
	ErrPayload = errors.New("maximum payload exceeded")
)

// ArgError is a verb with fields that make no sense: they are too many or too
// few, or a size is no number. The peer is told nothing but loses its connection.
type ArgError struct{ Reason string }

func (e *ArgError) Error() string { return e.Reason }

func argError(what string, arg []byte) error {
	return &ArgError{Reason: fmt.Sprintf("%s: %q", what, arg)}
}
