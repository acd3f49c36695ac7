package resolver

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"github.com/nats-broker/nats-broker/daemon/logging"
)

// Deletion says what becomes of deleted JWTs.
type Deletion int

const (
	Keep   Deletion = iota // nothing can be deleted
	Rename                 // they stay under another name
	Unlink
)

// Options describe a directory.
type Options struct {
	Path   string
	Limit  int           // number of JWTs; 0: none
	Evict  bool          // at the limit, the one not used for longest makes room; otherwise a new one is refused
	TTL    time.Duration // how long one is kept that is not used; 0: until it expires
	Delete Deletion
}

// A Directory holds JWTs in files, one for each account. Its methods may be called concurrently. Only one process may
// use a directory at a time.
type Directory struct {
	log  *logging.Logger
	path string

	mu    sync.Mutex // guards what follows, and the files
	opts  Options
	index tracker
	quit  chan struct{} // closed by Close; nil once it was
	done  sync.WaitGroup
}

const (
	suffix        = ".jwt"
	deletedSuffix = ".deleted"
	partPrefix    = ".part-" // of files being written
	dirMode       = 0o750
	fileMode      = 0o640
)

var (
	errFull   = errors.New("jwt store is full")
	errKey    = errors.New("invalid public key")
	errJWT    = errors.New("invalid JWT")
	errDelete = errors.New("store is not set up to for delete") // nats-server's words
)

// Open opens a directory, which is made if it does not exist. What a crash left half written is removed, and files
// that are not JWTs are reported.
func Open(o Options, log *logging.Logger) (*Directory, error) {
	path, err := filepath.Abs(o.Path)
	if err != nil {
		return nil, fmt.Errorf("resolver: %w", err)
	}
	if err := os.MkdirAll(path, dirMode); err != nil {
		return nil, fmt.Errorf("resolver: %w", err)
	}
	d := &Directory{opts: o, log: log, path: path, quit: make(chan struct{})}
	d.index.reset()
	if err := d.scan(); err != nil {
		return nil, fmt.Errorf("resolver: %w", err)
	}
	quit := d.quit
	d.done.Go(func() { d.expire(quit) }) // ended by Close
	return d, nil
}

// Change replaces the options but for Path and Evict.
func (d *Directory) Change(o Options) {
	d.mu.Lock()
	defer d.mu.Unlock()
	o.Path, o.Evict = d.opts.Path, d.opts.Evict
	d.opts = o
}

// deletes reports whether JWTs can be deleted.
func (d *Directory) deletes() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.opts.Delete != Keep
}

// Path returns the absolute path of the directory.
func (d *Directory) Path() string { return d.path }

// Close ends the watch over what expires.
func (d *Directory) Close() {
	d.mu.Lock()
	if d.quit != nil {
		close(d.quit)
		d.quit = nil
	}
	d.mu.Unlock()
	d.done.Wait()
}

// scan reads the whole directory. Nobody else uses it, or the lock is held.
func (d *Directory) scan() error {
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := e.Name()
		if strings.HasPrefix(name, partPrefix) {
			_ = os.Remove(filepath.Join(d.path, name)) // was never in use
			continue
		}
		id, ok := strings.CutSuffix(name, suffix)
		if !ok || e.IsDir() {
			continue
		}
		text, err := d.read(id)
		if err != nil {
			d.log.Warn(fmt.Sprintf("Account resolver: %s is ignored: %v", filepath.Join(d.path, name), err), logging.Err(err))
			continue
		}
		d.index.put(id, text, d.deadline(text))
	}
	return nil
}

// read reads the file of an account, and holds that it is a JWT of that account.
func (d *Directory) read(id string) (string, error) {
	if !nkeys.IsValidPublicAccountKey(id) {
		return "", errKey
	}
	b, err := os.ReadFile(d.file(id))
	if err != nil {
		return "", err
	}
	text := string(b)
	c, err := jwt.DecodeAccountClaims(text)
	if err != nil {
		return "", fmt.Errorf("not the JWT of an account: %w", err)
	}
	if c.Subject != id {
		return "", errors.New("the JWT of another account")
	}
	return text, nil
}

func (d *Directory) file(id string) string { return filepath.Join(d.path, id+suffix) }

// Load returns the JWT of an account. The error is fs.ErrNotExist if there is none.
func (d *Directory) Load(id string) (string, error) {
	if !nkeys.IsValidPublicAccountKey(id) {
		return "", errKey
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.index.get(id) == nil {
		return "", fs.ErrNotExist
	}
	text, err := d.read(id)
	if err == nil {
		d.index.touch(id, d.opts.TTL)
	}
	return text, err
}

// Fetch is Load, with the error of a look-up.
func (d *Directory) Fetch(_ context.Context, id string) (string, error) {
	text, err := d.Load(id)
	if errors.Is(err, fs.ErrNotExist) {
		return "", ErrMissing
	}
	return text, err
}

// Save stores the JWT of an account, whatever was there before. changed reports whether it was another one.
func (d *Directory) Save(id, text string) (changed bool, err error) {
	if err := fits(id, text); err != nil {
		return false, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.save(id, text)
}

// fits holds that a text is a JWT of an account.
func fits(id, text string) error {
	if !nkeys.IsValidPublicAccountKey(id) {
		return errKey
	}
	c, err := jwt.DecodeAccountClaims(text)
	if err != nil {
		return fmt.Errorf("%w: %w", errJWT, err)
	}
	if c.Subject != id {
		return errors.New("jwt subject nkey and provided nkey do not match")
	}
	return nil
}

// SaveNewer stores a JWT unless there is one that was issued later.
func (d *Directory) SaveNewer(id, text string) (changed bool, err error) {
	if err := fits(id, text); err != nil {
		return false, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if have, err := d.read(id); err == nil {
		was, _ := jwt.DecodeGeneric(have)
		is, err := jwt.DecodeGeneric(text)
		if err != nil {
			return false, err
		}
		if was.ID == is.ID || was.IssuedAt > is.IssuedAt {
			return false, nil
		}
	}
	return d.save(id, text)
}

// save stores a JWT that was checked. The lock is held.
func (d *Directory) save(id, text string) (changed bool, err error) {
	it := d.index.get(id)
	switch {
	case it != nil && it.hash == sha256.Sum256([]byte(text)):
		d.index.touch(id, d.opts.TTL)
		return false, nil
	case it != nil || d.opts.Limit <= 0 || d.index.len() < d.opts.Limit:
	case !d.opts.Evict:
		return false, errFull
	default:
		oldest := d.index.oldest()
		if err := os.Remove(d.file(oldest)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
		d.index.drop(oldest)
	}
	if err := d.write(id, text); err != nil {
		return false, err
	}
	d.index.put(id, text, d.deadline(text))
	return true, nil
}

// deadline is when a JWT is to be removed, in nanoseconds since 1970.
func (d *Directory) deadline(text string) int64 {
	if d.opts.TTL > 0 {
		return time.Now().Add(d.opts.TTL).UnixNano()
	}
	if c, err := jwt.DecodeGeneric(text); err == nil && c.Expires > 0 {
		return time.Unix(c.Expires, 0).UnixNano()
	}
	return math.MaxInt64
}

// Delete removes the JWT of an account, as the options say. gone reports whether there was one.
func (d *Directory) Delete(id string) (gone bool, err error) {
	if !nkeys.IsValidPublicAccountKey(id) {
		return false, errKey
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.opts.Delete == Keep {
		return false, errDelete
	}
	if d.opts.Delete == Rename {
		err = os.Rename(d.file(id), d.file(id)+deletedSuffix)
	} else {
		err = os.Remove(d.file(id))
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
	}
	d.index.drop(id)
	return true, d.syncDir()
}

// Hash stands for all JWTs: it is equal in two directories that hold the same.
func (d *Directory) Hash() [sha256.Size]byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.index.hash
}

// Accounts lists the accounts whose JWTs have not expired.
func (d *Directory) Accounts() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.index.names()
}

// Reload reads the directory again, after somebody else has changed files in it, and returns the accounts whose JWTs
// are new or others now.
func (d *Directory) Reload() (changed []string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	before := d.index.items
	d.index.reset()
	err = d.scan()
	for id, it := range d.index.items {
		if was := before[id]; was == nil || was.hash != it.hash {
			changed = append(changed, id)
		}
	}
	return changed, err
}
