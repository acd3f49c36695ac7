package cluster

import (
	"errors"
	"time"

	"github.com/nats-broker/nats-broker/daemon/peer"
)

// Compression says how what is sent to peers is compressed; an empty mode is "accept".
type Compression = peer.Compression

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
	if !c.Wanted() {
		mode := peer.CompressOff
		if theirs == "" || c.Mode == peer.CompressNever {
			mode = peer.CompressNever
		}
		r.setMode(mode)
		return false, nil
	}
	mode, err := peer.Agree(c.Mode, theirs)
	if err != nil {
		return false, &refusal{reason: "Protocol Violation", tell: err.Error(), log: err.Error()}
	}
	if mode == peer.CompressAuto {
		mode = c.Auto(r.firstTrip())
	}
	r.setMode(mode)
	if !peer.Compressed(mode) {
		return false, nil
	}
	own := r.hub.ownInfo(r)
	own.Compression, own.Gossip = c.Told(mode), gossipDefault
	r.toldPool = own.PoolSize
	if r.solicited {
		r.Out.Send(own.frame())
	}
	if err := r.Pack(peer.Packing(mode), peer.PackTime); err != nil {
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
	r.Repack(peer.Packing(mode))
}

// adapt follows the round-trip time, if that is to decide.
func (r *Route) adapt(rtt time.Duration) {
	c := &r.hub.opts.Load().Compression
	if now := r.mode(); c.Mode == peer.CompressAuto && peer.Compressed(now) {
		if mode := c.Auto(rtt); mode != now {
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
	case now == peer.CompressNever && c.Mode != peer.CompressNever && !r.hub.mayCompress(r), now == c.Mode:
	case !peer.Compressed(now), !c.Wanted(), c.Mode == peer.CompressAccept:
		r.Abort(&refusal{reason: "Compression Changed"})
	case c.Mode == peer.CompressAuto:
		r.repack(c.Auto(rtt))
	default:
		r.repack(c.Mode)
	}
}

// mayCompress reports whether the peer knows compression.
func (h *Hub) mayCompress(r *Route) bool { return r.info.Compression != "" }
