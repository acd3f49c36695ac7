package leaf

import (
	"errors"
	"time"

	"github.com/nats-broker/nats-broker/daemon/peer"
)

// compression is what is configured for the connection.
func (l *Link) compression() *Compression {
	if l.cfg != nil {
		return &l.dialer.cfg.Load().Compression
	}
	return &l.srv.opts.Load().Compression
}

// negotiate settles compression when the first INFO of a peer has come, and reports whether another one will come,
// compressed. Who dialled tells its mode before it begins to compress, who was dialled afterwards.
func (l *Link) negotiate(theirs string) (again bool, err error) {
	l.negotiated = true
	c := l.compression()
	if !c.Wanted() {
		mode := peer.CompressOff
		if theirs == "" || c.Mode == peer.CompressNever {
			mode = peer.CompressNever
		}
		l.setMode(mode)
		return false, nil
	}
	mode, err := peer.Agree(c.Mode, theirs)
	if err != nil {
		return false, &refusal{reason: "Protocol Violation", tell: err.Error(), log: err.Error()}
	}
	if mode == peer.CompressAuto {
		mode = c.Auto(l.firstTrip())
	}
	l.setMode(mode)
	if !peer.Compressed(mode) {
		return false, nil
	}
	own := l.srv.ownInfo(l)
	own.Compression = c.Told(mode)
	if l.dialer != nil {
		l.Out.Send(own.frame())
	}
	if err := l.Pack(peer.Packing(mode), peer.PackTime); err != nil {
		return false, errors.Join(&refusal{reason: "Protocol Violation"}, err)
	}
	if l.dialer == nil {
		l.Out.Send(own.frame())
	}
	return true, nil
}

// firstTrip is the round-trip time as far as the handshake shows it, before a PING may be sent.
func (l *Link) firstTrip() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.rtt == 0 {
		l.rtt = time.Since(l.greeted)
	}
	return l.rtt
}

// mode is what is used to compress what is sent to the peer.
func (l *Link) mode() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.packed
}

func (l *Link) setMode(mode string) {
	l.mu.Lock()
	l.packed = mode
	l.mu.Unlock()
}

// adapt follows the round-trip time, if that is to decide.
func (l *Link) adapt(rtt time.Duration) {
	c := l.compression()
	if now := l.mode(); c.Mode == peer.CompressAuto && peer.Compressed(now) {
		if mode := c.Auto(rtt); mode != now {
			l.setMode(mode)
			l.Repack(peer.Packing(mode))
		}
	}
}

// follow has a connection compressed as is wanted now. Where the peer has to agree, the connection begins anew.
func (l *Link) follow(c *Compression) {
	l.mu.Lock()
	now, rtt := l.packed, l.rtt
	l.mu.Unlock()
	switch {
	case now == peer.CompressNever, now == c.Mode:
	case !peer.Compressed(now), !c.Wanted(), c.Mode == peer.CompressAccept:
		l.Abort(&refusal{reason: "Compression Changed"})
	default:
		mode := c.Mode
		if mode == peer.CompressAuto {
			mode = c.Auto(rtt)
		}
		l.setMode(mode)
		l.Repack(peer.Packing(mode))
	}
}
