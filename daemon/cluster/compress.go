package cluster

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-broker/nats-broker/daemon/transport"
)

// The modes of compression, as they are configured, as INFO tells them and as /routez
// shows them; those of nats-server 2.15.3. Each side compresses as it likes; the other
// only has to agree that there is compression.
const (
	compressNever  = "not supported" // behaves as servers before 2.10
	compressOff    = "off"
	compressAccept = "accept" // as the peer likes it, if it does
	compressAuto   = "s2_auto"
	compressStored = "s2_uncompressed"
	compressFast   = "s2_fast"
	compressBetter = "s2_better"
	compressBest   = "s2_best"
)

// autoModes are what s2_auto chooses from, and autoThresholds the round-trip times up
// to which each is chosen.
var (
	autoModes      = [...]string{compressStored, compressFast, compressBetter, compressBest}
	autoThresholds = []time.Duration{10 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond}
)

// Compression says how what is sent to peers is compressed.
type Compression struct {
	// Mode is "off", "accept", "s2_auto", "s2_fast", "s2_better", "s2_best" or "not
	// supported"; empty: "accept".
	Mode string
	// Thresholds, for s2_auto, are the round-trip times up to which nothing is
	// compressed, or fast, or better, in ascending order; 0 leaves that one out. Empty:
	// 10, 50 and 100 ms.
	Thresholds []time.Duration
}

func (c *Compression) normalise() error {
	switch c.Mode {
	case "":
		c.Mode = compressAccept
	case compressNever, compressOff, compressAccept, compressFast, compressBetter, compressBest:
	case compressAuto:
		if len(c.Thresholds) == 0 {
			c.Thresholds = autoThresholds
		}
	default:
		return fmt.Errorf("unsupported compression mode %q", c.Mode)
	}
	return nil
}

func (c *Compression) equal(o *Compression) bool {
	return c.Mode == o.Mode && (c.Mode != compressAuto || slices.Equal(c.Thresholds, o.Thresholds))
}

// wanted reports whether compression is to be talked about at all.
func (c *Compression) wanted() bool { return c.Mode != compressOff && c.Mode != compressNever }

// told is what INFO says of a connection on which mode is in use.
func (c *Compression) told(mode string) string {
	switch c.Mode {
	case compressNever:
		return ""
	case compressAuto:
		return compressAuto
	}
	return mode
}

// agree finds what is used to send to a peer that has told its mode, if we want
// compression at all.
func agree(ours, theirs string) (string, error) {
	switch theirs {
	case "", compressNever:
		return compressNever, nil
	case compressOff:
		return compressOff, nil
	case compressAccept:
		if ours == compressAccept {
			return compressOff, nil
		}
		return ours, nil
	case compressAuto:
		if ours == compressAccept {
			return compressFast, nil
		}
		return ours, nil
	case compressStored, compressFast, compressBetter, compressBest:
		if ours == compressAccept {
			return theirs, nil
		}
		return ours, nil
	}
	return "", fmt.Errorf("unsupported route compression mode %q", theirs)
}

// auto chooses the mode for a round-trip time.
func (c *Compression) auto(rtt time.Duration) string {
	for i, limit := range c.Thresholds {
		if rtt <= limit {
			return autoModes[min(i, len(autoModes)-1)]
		}
	}
	if n := len(c.Thresholds); n < len(autoModes)-1 {
		return autoModes[n-1]
	}
	return compressBest
}

func packing(mode string) transport.Packing {
	switch mode {
	case compressFast:
		return transport.PackFast
	case compressBetter:
		return transport.PackBetter
	case compressBest:
		return transport.PackBest
	}
	return transport.PackStored
}

// compressed reports whether a mode in use on a connection means compression.
func compressed(mode string) bool {
	return mode != "" && mode != compressOff && mode != compressNever && mode != compressAccept
}

// packTime is how long a peer may take to read a handshake.
const packTime = 2 * time.Second

// negotiate settles compression when the first INFO of a peer has come, and reports
// whether another one will come, compressed. Who dialled tells its mode before it
// begins to compress, who was dialled afterwards.
func (r *Route) negotiate(theirs string) (again bool, err error) {
	if r.negotiated {
		return false, nil
	}
	r.negotiated = true
	c := r.told // what the peer was told, or will be, whatever a reload has changed since
	if c == nil {
		c = &r.hub.opts.Load().Compression
	}
	r.agreed = c
	if !c.wanted() {
		mode := compressOff
		if theirs == "" || c.Mode == compressNever {
			mode = compressNever
		}
		r.setMode(mode)
		return false, nil
	}
	mode, err := agree(c.Mode, theirs)
	if err != nil {
		return false, &refusal{reason: "Protocol Violation", tell: err.Error(), log: err.Error()}
	}
	if mode == compressAuto {
		mode = c.auto(r.firstTrip())
	}
	r.setMode(mode)
	if !compressed(mode) {
		return false, nil
	}
	own := r.hub.ownInfo(r)
	own.Compression, own.Gossip = c.told(mode), gossipDefault
	if r.solicited {
		r.Out.Send(own.frame())
	}
	if err := r.Pack(packing(mode), packTime); err != nil {
		return false, errors.Join(&refusal{reason: "Protocol Violation"}, err)
	}
	if !r.solicited {
		r.Out.Send(own.frame())
	}
	return true, nil
}

// firstTrip is the round-trip time as far as the handshake shows it, before a PING may
// be sent.
func (r *Route) firstTrip() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.rtt == 0 {
		r.rtt = time.Since(r.greeted)
	}
	return r.rtt
}

// mode is what is used to compress what is sent to the peer.
func (r *Route) mode() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.packed
}

func (r *Route) setMode(mode string) {
	r.mu.Lock()
	r.packed = mode
	r.mu.Unlock()
}

// repack changes how hard a connection that is compressed is compressed.
func (r *Route) repack(mode string) {
	r.setMode(mode)
	r.Repack(packing(mode))
}

// adapt follows the round-trip time, if that is to decide.
func (r *Route) adapt(rtt time.Duration) {
	c := &r.hub.opts.Load().Compression
	if now := r.mode(); c.Mode == compressAuto && compressed(now) {
		if mode := c.auto(rtt); mode != now {
			r.repack(mode)
		}
	}
}

// recompress follows a change of the configuration.
func (h *Hub) recompress(c *Compression) {
	for _, r := range h.registered() {
		r.follow(c)
	}
}

// follow has a registered connection compressed as is wanted now. Where the peer has to
// agree, the connection begins anew.
func (r *Route) follow(c *Compression) {
	r.mu.Lock()
	now, rtt := r.packed, r.rtt
	r.mu.Unlock()
	switch {
	case now == compressNever && c.Mode != compressNever && !r.hub.mayCompress(r), now == c.Mode:
	case !compressed(now), !c.wanted(), c.Mode == compressAccept:
		r.Abort(&refusal{reason: "Compression Changed"})
	case c.Mode == compressAuto:
		r.repack(c.auto(rtt))
	default:
		r.repack(c.Mode)
	}
}

// mayCompress reports whether the peer knows compression.
func (h *Hub) mayCompress(r *Route) bool { return r.info.Compression != "" }
