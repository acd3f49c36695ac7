package transport

// Inject calls f as a handler would be called with data that had just been read,
// and flushes what f sends. Nothing of data is kept.
func Inject(data []byte, f func(*Input)) {
	b := getBatch(nil)
	blk := getBlock(len(data))
	n := copy(blk.buf, data)
	f(&Input{Data: blk.buf[:n], Batch: b, block: blk})
	b.Flush()
	b.put()
	blk.release()
}
