package transport

import "github.com/nats-broker/nats-broker/daemon/batch"

// Inject calls f as a handler would be called with data that had just been read,
// and flushes what f sends. Nothing of data is kept.
func Inject(data []byte, f func(*Input)) {
	b := batch.New(nil)
	blk := batch.NewBlock(len(data))
	n := copy(blk.Bytes(), data)
	f(&Input{Data: blk.Bytes()[:n], Batch: b, block: blk})
	b.Flush()
	b.Release()
	blk.Release()
}
