package peer

import (
	"fmt"
	"slices"
	"time"

	"github.com/nats-broker/nats-broker/daemon/transport"
)

// The modes of compression, as they are configured, as INFO tells them and as monitoring
// shows them; those of nats-server 2.15.3. Each side compresses as it likes; the other
// only has to agree that there is compression.
const (
	CompressNever  = "not supported" // behaves as servers before 2.10
	CompressOff    = "off"
	CompressAccept = "accept" // as the peer likes it, if it does
	CompressAuto   = "s2_auto"
	CompressStored = "s2_uncompressed"
	CompressFast   = "s2_fast"
	CompressBetter = "s2_better"
	CompressBest   = "s2_best"
)

// autoModes are what s2_auto chooses from, and autoThresholds the round-trip times up
// to which each is chosen.
var (
	autoModes      = [...]string{CompressStored, CompressFast, CompressBetter, CompressBest}
	autoThresholds = []time.Duration{10 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond}
)

// Compression says how what is sent to another server is compressed.
type Compression struct {
	// Mode is one of the constants; empty: as Normalise is told.
	Mode string
	// Thresholds, for s2_auto, are the round-trip times up to which nothing is
	// compressed, or fast, or better, in ascending order; 0 leaves that one out. Empty:
	// 10, 50 and 100 ms.
	Thresholds []time.Duration
}

// Normalise fills in what is not said, and reports a mode that there is not. mode is what an
// empty one stands for.
func (c *Compression) Normalise(mode string) error {
	if c.Mode == "" {
		c.Mode = mode
	}
	switch c.Mode {
	case CompressNever, CompressOff, CompressAccept, CompressStored, CompressFast, CompressBetter, CompressBest:
	case CompressAuto:
		if len(c.Thresholds) == 0 {
			c.Thresholds = autoThresholds
		}
	default:
		return fmt.Errorf("unsupported compression mode %q", c.Mode)
	}
	return nil
}

// Equal reports whether both say the same.
func (c *Compression) Equal(o *Compression) bool {
	return c.Mode == o.Mode && (c.Mode != CompressAuto || slices.Equal(c.Thresholds, o.Thresholds))
}

// Wanted reports whether compression is to be talked about at all.
func (c *Compression) Wanted() bool { return c.Mode != CompressOff && c.Mode != CompressNever }

// Told is what INFO says of a connection on which mode is in use.
func (c *Compression) Told(mode string) string {
	switch c.Mode {
	case CompressNever:
		return ""
	case CompressAuto:
		return CompressAuto
	}
	return mode
}

// Agree finds what is used to send to a peer that has told its mode, if we want
// compression at all.
func Agree(ours, theirs string) (string, error) {
	switch theirs {
	case "", CompressNever:
		return CompressNever, nil
	case CompressOff:
		return CompressOff, nil
	case CompressAccept:
		if ours == CompressAccept {
			return CompressOff, nil
		}
		return ours, nil
	case CompressAuto:
		if ours == CompressAccept {
			return CompressFast, nil
		}
		return ours, nil
	case CompressStored, CompressFast, CompressBetter, CompressBest:
		if ours == CompressAccept {
			return theirs, nil
		}
		return ours, nil
	}
	return "", fmt.Errorf("unsupported route compression mode %q", theirs)
}

// Auto chooses the mode for a round-trip time.
func (c *Compression) Auto(rtt time.Duration) string {
	for i, limit := range c.Thresholds {
		if rtt <= limit {
			return autoModes[min(i, len(autoModes)-1)]
		}
	}
	if n := len(c.Thresholds); n < len(autoModes)-1 {
		return autoModes[n-1]
	}
	return CompressBest
}

// Packing is what a mode is for a connection.
func Packing(mode string) transport.Packing {
	switch mode {
	case CompressFast:
		return transport.PackFast
	case CompressBetter:
		return transport.PackBetter
	case CompressBest:
		return transport.PackBest
	}
	return transport.PackStored
}

// Compressed reports whether a mode in use on a connection means compression.
func Compressed(mode string) bool {
	return mode != "" && mode != CompressOff && mode != CompressNever && mode != CompressAccept
}

// PackTime is how long a peer may take to read a handshake.
const PackTime = 2 * time.Second
