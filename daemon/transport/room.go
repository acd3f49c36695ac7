package transport

import "github.com/nats-broker/nats-broker/daemon/batch"

// What a peer has announced is believed as it comes: memory for what is on its way grows
// by the factor growth with what is there, so that a connection costs what its peer has
// sent, and each byte is copied a bounded number of times.
const growth = 4

// roomFor is how large a block is to be in which left bytes are, of which need must come
// together; need is 0 if that is not known. It is least at least.
func roomFor(left, need, least int) int {
	if need <= left {
		return max(least, left+batch.Small)
	}
	return max(least, min(need, growth*left))
}

// spacious reports whether a block is so large that left bytes are better kept in a smaller
// one while nothing comes. The factor is larger than growth, so that those who send byte by
// byte do not have everything moved to and fro.
func spacious(b *batch.Block, left int) bool {
	size := len(b.Bytes())
	return size > batch.Small && (left <= batch.Small || size > growth*growth*left)
}
