package inspect

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/nats-broker/nats-broker/daemon/jetstream"
	"github.com/nats-broker/nats-broker/daemon/journal"
	"github.com/nats-broker/nats-broker/daemon/segment"
	"github.com/nats-broker/nats-broker/daemon/store"
	"github.com/nats-broker/nats-broker/daemon/vfs"
)

// savedFolder is where originals are kept, in the store's folder: saved/<time>/ and the path below the folder.
const savedFolder = "saved"

// Repaired says what a repair did.
type Repaired struct {
	Saved  string   `json:"saved"`            // where the originals are
	Unread int64    `json:"unread,omitempty"` // bytes of the originals that the disk did not give: zeros in the copies
	Done   []string `json:"done"`             // what was done, a sentence each
}

// Repair repairs what of the store in a storage directory is named: "node", "catalogue", "journal", or a stream by its title or
// name. Before anything is changed the originals are copied beside. now names the copy.
//
//   - node, catalogue: written anew from what can be read, so that both copies are whole.
//   - journal: read to its end; what the disk does not give there is taken for lost, for good, which a start would not do.
//   - a stream: all of it is read; its state, its deletions, damaged indexes and states of consumers of which a copy is whole are
//     written anew. Where the state is lost the stream
//     is made anew from its messages. What is lost stays lost, and stays where it is.
func Repair(dir string, what []string, now time.Time, p Progress) (*Repaired, error) {
	return repair(vfs.OS, storeDirOf(dir), what, now, p)
}

func repair(v vfs.FS, storeDir string, what []string, now time.Time, p Progress) (*Repaired, error) {
	if _, err := store.Look(v, storeDir); err != nil {
		return nil, err
	}
	if p == nil {
		p = func(int64, int64) {}
	}
	r := &repairing{v: v, storeDir: storeDir, progress: p}
	d, err := store.Open(r.v, storeDir, store.Options{})
	if errors.Is(err, vfs.ErrLocked) {
		err = fmt.Errorf("%w: %w", ErrInUse, err)
	}
	if err != nil {
		return nil, err
	}
	defer d.Close() //nolint:errcheck // the lock is given back with the process
	r.dir = d
	r.out.Saved = d.Path(savedFolder, now.UTC().Format("20060102T150405.000000000Z"))
	steps, err := r.plan(what)
	if err != nil {
		return nil, err
	}
	for _, s := range steps {
		if err := r.save(s.of); err != nil {
			return &r.out, fmt.Errorf("%s: the original could not be saved, nothing was changed: %w", s.name, err)
		}
		done, err := s.do()
		if err != nil {
			return &r.out, fmt.Errorf("%s: %w", s.name, err)
		}
		r.out.Done = append(r.out.Done, done)
	}
	return &r.out, nil
}

type repairing struct {
	v        vfs.FS
	storeDir string
	dir      *store.Dir
	progress Progress
	out      Repaired
}

// step is the repair of one thing.
type step struct {
	name string
	of   string // what is saved, below the store's folder
	do   func() (string, error)
}

// plan finds out what is meant, before anything is done.
func (r *repairing) plan(what []string) (steps []step, err error) {
	for i, name := range what {
		if slices.Contains(what[:i], name) {
			continue
		}
		switch name {
		case repairNode:
			steps = append(steps, step{name, store.NodeFile, func() (string, error) {
				return "the file of the node's identity was written anew", r.dir.Rewrite()
			}})
		case repairCatalogue:
			steps = append(steps, step{name, store.CatalogueFile, r.catalogue})
		case repairJournal:
			steps = append(steps, step{name, "journal", r.journal})
		default:
			k, err := r.stream(name)
			if err != nil {
				return nil, err
			}
			of := filepath.Join("streams", strconv.FormatUint(k.ID, 10))
			steps = append(steps, step{name, of, func() (string, error) { return r.log(title(k.Account, k.Name), r.dir.Path(of)) }})
		}
	}
	return steps, nil
}

// stream finds a stream by its name, also one that only the journal knows.
func (r *repairing) stream(name string) (*jetstream.KeptStream, error) {
	cat, err := r.dir.Catalogue()
	if err != nil {
		return nil, err
	}
	_, err = journal.Inspect(r.v, r.dir.Path("journal"), r.dir.Identity.Key, true, func(commit uint64, f *journal.Frame) error {
		if body, ok := jetstream.FrameChanges(f); ok && !f.Lost {
			return cat.Apply(commit, body, true)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	list, bad := jetstream.KeptStreams(cat)
	k, err := find(list, name)
	if err != nil {
		return nil, errors.Join(append([]error{err}, bad...)...)
	}
	return k, nil
}

func (r *repairing) catalogue() (string, error) {
	cat, err := r.dir.Catalogue()
	if err != nil {
		return "", err
	}
	if err := cat.Rewrite(); err != nil {
		return "", err
	}
	if n := len(cat.Damaged()); n > 0 {
		return fmt.Sprintf("the catalogue was written anew, from what can be read of either copy; %d places could not be read", n), nil
	}
	return "the catalogue was written anew from the copy that is whole", nil
}

// journal takes what cannot be read for lost. The frames stay where they are: the next start reads them.
func (r *repairing) journal() (string, error) {
	j, err := journal.Open(r.v, r.dir.Path("journal"), r.dir.Identity.Key, journal.Options{Force: true})
	if err != nil {
		return "", err
	}
	rec, err := j.Recover(func(uint64, *journal.Frame) error { return nil })
	if err != nil {
		return "", err
	}
	if err := j.Close(); err != nil {
		return "", err
	}
	return fmt.Sprintf("the journal was read up to commit %d, %d frames; what could not be read in %d places is lost", rec.End, rec.Frames, len(rec.Lost)), nil
}

// log reads a log whole and writes anew what is not messages.
func (r *repairing) log(name, dir string) (string, error) {
	told := 0
	l, err := segment.Open(r.v, dir, segment.Options{Report: func(segment.Report) { told++ }})
	if err != nil {
		return "", err
	}
	for from, more := uint64(0), true; more; {
		from, more = l.Scrub(from, 4<<20)
	}
	if err := errors.Join(l.Restate(), l.Close()); err != nil {
		return "", err
	}
	mended, err := jetstream.MendConsumers(r.v, dir)
	if err != nil {
		return "", err
	}
	if mended {
		told++
	}
	lost := uint64(0)
	for _, g := range l.Lost() {
		lost += g.To - g.From + 1
	}
	return fmt.Sprintf("stream %s: %d places were damaged; its state and what can be made from its messages was written anew; messages lost: %d", name, told, lost), nil
}

// save copies a file, or a folder with what is in it, beside.
func (r *repairing) save(of string) error {
	total, err := r.size(r.dir.Path(of))
	if err != nil {
		return err
	}
	space, err := r.v.Space(r.dir.Path())
	if err != nil {
		return err
	}
	if uint64(total) > space.Free {
		return fmt.Errorf("a copy needs %d bytes, and %d are free", total, space.Free)
	}
	done := int64(0)
	return r.copy(r.dir.Path(of), filepath.Join(r.out.Saved, of), func(n int64) {
		done += n
		r.progress(done, total)
	})
}

func (r *repairing) size(name string) (n int64, err error) {
	e, err := r.v.Stat(name)
	if err != nil || !e.Dir {
		return e.Size, err
	}
	list, err := r.v.ReadDir(name)
	for _, f := range list {
		m, e := r.size(filepath.Join(name, f.Name))
		if err == nil {
			err = e
		}
		n += m
	}
	return n, err
}

// copy copies what can be read: what the disk does not give stands in the copy as zeros, which is said, since a repair is for such disks.
func (r *repairing) copy(from, to string, did func(int64)) error {
	e, err := r.v.Stat(from)
	if err != nil {
		return err
	}
	if e.Dir {
		if err := vfs.MkdirAll(r.v, to); err != nil {
			return err
		}
		list, err := r.v.ReadDir(from)
		if err != nil {
			return err
		}
		for _, f := range list {
			if err := r.copy(filepath.Join(from, f.Name), filepath.Join(to, f.Name), did); err != nil {
				return err
			}
		}
		return r.v.SyncDir(to)
	}
	if err := vfs.MkdirAll(r.v, filepath.Dir(to)); err != nil {
		return err
	}
	if err := r.copyFile(from, to, e.Size, did); err != nil {
		return err
	}
	return r.v.SyncDir(filepath.Dir(to))
}

func (r *repairing) copyFile(from, to string, size int64, did func(int64)) error {
	in, err := r.v.Open(from, 0, vfs.Other)
	if err != nil {
		return err
	}
	defer in.Close() //nolint:errcheck // opened for reading only
	out, err := r.v.Open(to, vfs.Write|vfs.Create|vfs.Exclusive, vfs.Other)
	if err != nil {
		return err
	}
	buf := make([]byte, 64<<10)
	for at := int64(0); at < size && err == nil; {
		b := buf[:min(int64(len(buf)), size-at)]
		if n, _ := in.ReadAt(b, at); n < len(b) { // the copy is as good as the disk
			clear(b[n:])
			for i := n &^ 4095; i < len(b); i += 4096 { // what of it can be read
				p := b[i:min(i+4096, len(b))]
				if m, _ := in.ReadAt(p, at+int64(i)); m < len(p) {
					clear(p[m:])
					r.out.Unread += int64(len(p) - m)
				}
			}
		}
		_, err = out.WriteAt(b, at)
		at += int64(len(b))
		did(int64(len(b)))
	}
	if err == nil {
		err = out.SyncAll()
	}
	return errors.Join(err, out.Close())
}
