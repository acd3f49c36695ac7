package sublist

import (
	"hash/maphash"

	"github.com/nats-broker/nats-broker/daemon/subject"
)

// Shard says which counters speak for a subject: keep it with the stamp.
type Shard uint8

// Stamp is the state of the index as far as one subject is concerned. Equal
// stamps of a shard mean that nothing changed between them.
type Stamp uint64

// ShardOf returns the shard of a literal subject.
func ShardOf(s []byte) Shard {
	head, _, _ := subject.Next(s)
	return Shard(maphash.Bytes(seed, head))
}

// Stamp reads the counters of a shard: take it before Match, and what was found
// is current for as long as Stamp gives the same.
func (x *Index[E, A, P]) Stamp(s Shard) Stamp {
	// Both only grow, so their sum is the same only if both are.
	return Stamp(x.changed[s].Load() + x.anyHead.Load())
}

// Invalidate outdates every stamp, for a change outside the index that decides
// who receives.
func (x *Index[E, A, P]) Invalidate() { x.anyHead.Add(1) }

// Touch outdates the stamps of the subjects that pattern can match, for a change of
// a member itself.
func (x *Index[E, A, P]) Touch(pattern string) { x.bump(pattern) }

// bump outdates the stamps of the subjects that pattern can match.
func (x *Index[E, A, P]) bump(pattern string) {
	head, _, _ := subject.Next(pattern)
	if head == "*" || head == ">" {
		x.anyHead.Add(1)
		return
	}
	x.changed[Shard(maphash.String(seed, head))].Add(1)
}
