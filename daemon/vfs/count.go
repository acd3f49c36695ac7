package vfs

import (
	"sync/atomic"
	"time"
)

// Kind is what a file is for.
type Kind uint8

const (
	Other     Kind = iota
	Journal        // the node's journal
	Segment        // messages of streams
	Index          // what can be made anew from segments
	Catalogue      // what there is
	Kinds          // how many there are
)

var kindNames = [Kinds]string{"other", "journal", "segment", "index", "catalogue"}

func (k Kind) String() string {
	if k < Kinds {
		return kindNames[k]
	}
	return "unknown"
}

// Figures count what was done to files of one kind since the start.
type Figures struct {
	Reads, ReadBytes   uint64
	Writes, WriteBytes uint64
	Syncs              uint64
	SyncTime           time.Duration // all of them together
	Errors             uint64        // of reads, writes and syncs
}

type counters struct {
	reads, readBytes, writes, writeBytes, syncs, syncNanos, errors atomic.Uint64
}

// Counted is an FS that counts.
type Counted struct {
	FS
	kinds [Kinds]counters
}

// Count returns an FS that counts what is done through it.
func Count(fs FS) *Counted { return &Counted{FS: fs} }

// Figures returns what was counted of one kind.
func (c *Counted) Figures(k Kind) Figures {
	n := &c.kinds[k]
	return Figures{
		Reads: n.reads.Load(), ReadBytes: n.readBytes.Load(),
		Writes: n.writes.Load(), WriteBytes: n.writeBytes.Load(),
		Syncs: n.syncs.Load(), SyncTime: time.Duration(n.syncNanos.Load()),
		Errors: n.errors.Load(),
	}
}

// Open opens a file whose use is counted.
func (c *Counted) Open(name string, how Flag, kind Kind) (File, error) {
	f, err := c.FS.Open(name, how, kind)
	if err != nil {
		return nil, err
	}
	if kind >= Kinds {
		kind = Other
	}
	return &countedFile{f, &c.kinds[kind]}, nil
}

type countedFile struct {
	File
	n *counters
}

func (f *countedFile) failed(err error) {
	if err != nil && !atEnd(err) {
		f.n.errors.Add(1)
	}
}

func (f *countedFile) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.File.ReadAt(p, off)
	f.n.reads.Add(1)
	f.n.readBytes.Add(uint64(n))
	f.failed(err)
	return n, err
}

func (f *countedFile) WriteAt(p []byte, off int64) (int, error) {
	n, err := f.File.WriteAt(p, off)
	f.n.writes.Add(1)
	f.n.writeBytes.Add(uint64(n))
	f.failed(err)
	return n, err
}

func (f *countedFile) WriteVec(p [][]byte, off int64) (int64, error) {
	n, err := f.File.WriteVec(p, off)
	f.n.writes.Add(1)
	f.n.writeBytes.Add(uint64(n))
	f.failed(err)
	return n, err
}

func (f *countedFile) Sync() error    { return f.sync(f.File.Sync) }
func (f *countedFile) SyncAll() error { return f.sync(f.File.SyncAll) }

func (f *countedFile) sync(call func() error) error {
	t := time.Now()
	err := call()
	f.n.syncs.Add(1)
	f.n.syncNanos.Add(uint64(time.Since(t)))
	f.failed(err)
	return err
}
