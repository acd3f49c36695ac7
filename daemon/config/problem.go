package config

import (
	"github.com/nats-broker/nats-broker/confparse"
)

// A Warning is something that is not wrong enough to refuse the configuration.
type Warning struct {
	*confparse.Error
	// Fatal warnings make a check (-t) fail, as nats-server's does; a start goes on with them.
	Fatal bool
}

// Warnings of one run, in the order of their places.
type Warnings []Warning

// notice notes a warning of our own, which no check fails over.
func (d *decoder) notice(span confparse.Span, format string, args ...any) {
	d.warns = append(d.warns, Warning{Error: confparse.Errorf(span, format, args...)})
}
