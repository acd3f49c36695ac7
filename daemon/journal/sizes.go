package journal

import "github.com/nats-broker/nats-broker/daemon/vfs"

const (
	minFile = 1 << 20
	maxFile = 64 << 20
	// maxCommit is the most that goes into one commit.
	maxCommit = 4 << 20
)

// sizes says how large the journal's files may be. They follow the disk, so that a store works on
// 40 MiB and an empty one is quickly made.
type sizes struct {
	total int64 // of all files together
	file  int64 // the largest
}

func sizesFor(s vfs.Space) sizes {
	total := int64(min(s.Total/50, 4*maxFile))
	total = max(total, 2*minFile)
	file := max(minFile, min(maxFile, total/4))
	return sizes{total: total, file: file / minFile * minFile}
}

// next is the size of the file that follows one of a size: twice as much, since that one filled.
func (s sizes) next(of int64) int64 { return max(minFile, min(2*of, s.file)) }
