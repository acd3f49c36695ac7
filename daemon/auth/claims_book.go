package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"github.com/nats-broker/nats-broker/daemon/logging"
)

// A Resolver finds the JWTs of accounts. Its methods may be called concurrently.
type Resolver interface {
	// Fetch returns the JWT of an account, as somebody stored it: the caller checks it. It gives up when ctx ends.
	Fetch(ctx context.Context, id string) (string, error)
}

// A Core is told what accounts there are to be. Its methods are called one after the other. They
// must not call what changes the Book.
type Core interface {
	// Share makes accounts be as described, new ones and those that exist. What they import from is among the
	// accounts that were ever shared.
	Share(list []*SharedAccount)
	// Recheck has the connections of an account looked at again, because its claims have changed.
	Recheck(id string)
	// Expire ends the connections of an account that has expired or is gone.
	Expire(id string)
	// Clear takes out what an account that is gone shares and imports, and lets nobody in, until it is shared again.
	Clear(id string)
}

// A Book is the accounts of operator mode that were needed so far, as their JWTs describe them. An account is fetched
// when a user of it comes, with those it imports from, and again when it has expired. Its methods may be called
// concurrently.
type Book struct {
	log         *logging.Logger
	core        Core
	trust       Trust
	resolver    atomic.Pointer[Resolver]
	pinnedFails atomic.Uint64

	accounts sync.Map // public key -> *page

	// turn orders changes. It is held while the core is told of one, so that it hears of them in order: the outermost
	// lock of all.
	turn      sync.Mutex
	importers map[string]map[string]bool // account -> those that import from it, or would like to
	granted   imports                    // what the core was told
	stopped   bool

	mu    sync.Mutex // guards fetches; a leaf
	calls map[string]*fetching
}

// page is one account of the book.
type page struct {
	now   atomic.Pointer[ClaimAccount]
	ended atomic.Bool // expired, or deleted

	// Guarded by turn.
	updated    time.Time
	deleted    bool        // there is nothing of it in the core
	incomplete bool        // an import is not granted
	expiry     *time.Timer // of the account
	activation *time.Timer // of the activation that ends first
}

// fetching is a look-up under way, which others wait for.
type fetching struct {
	done chan struct{}
	acc  *ClaimAccount
	err  error
}

// NewBook makes an empty book.
func NewBook(t Trust, r Resolver, core Core, log *logging.Logger) *Book {
	b := &Book{log: log, core: core, trust: t, importers: map[string]map[string]bool{}, granted: imports{}, calls: map[string]*fetching{}}
	b.resolver.Store(&r)
	return b
}

// Stop ends the timers of the book.
func (b *Book) Stop() {
	b.turn.Lock()
	defer b.turn.Unlock()
	b.stopped = true
	b.accounts.Range(func(_, v any) bool {
		v.(*page).stopTimers()
		return true
	})
}

func (e *page) stopTimers() {
	for _, t := range []*time.Timer{e.expiry, e.activation} {
		if t != nil {
			t.Stop()
		}
	}
}

// Known returns an account that is in the book, expired or not; nil if it is not.
func (b *Book) Known(id string) *ClaimAccount {
	if v, ok := b.accounts.Load(id); ok {
		return v.(*page).now.Load()
	}
	return nil
}

// PinnedFails counts the users refused because their account is not among the pinned ones.
func (b *Book) PinnedFails() uint64 { return b.pinnedFails.Load() }

// Lookup returns an account, from the book or else from the resolver.
func (b *Book) Lookup(ctx context.Context, id string) (*ClaimAccount, error) {
	if v, ok := b.accounts.Load(id); ok {
		e := v.(*page)
		if a := e.valid(); a != nil {
			return a, nil
		}
		b.log.Debug(fmt.Sprintf("Requested account [%s] has expired", id))
		if b.tooSoon(e) {
			b.log.Debug(fmt.Sprintf("Requested account update for [%s] ignored, too soon", id))
			return nil, ErrAccountExpired
		}
		a, err := b.once(ctx, id)
		if err != nil {
			return nil, ErrAccountExpired // for whatever reason there is nothing newer
		}
		return a, nil
	}
	return b.once(ctx, id)
}

// valid returns the account if it has not ended.
func (e *page) valid() *ClaimAccount {
	if a := e.now.Load(); !e.ended.Load() && !a.Expired(time.Now()) {
		return a
	}
	return nil
}

// fetchAgain is how often the resolver is asked at most about an account that is in the book.
const fetchAgain = time.Second

func (b *Book) tooSoon(e *page) bool {
	b.turn.Lock()
	defer b.turn.Unlock()
	return !e.incomplete && time.Since(e.updated) < fetchAgain
}

// once has one of those who look an account up at the same time do it. If that one runs out of time, another goes on.
func (b *Book) once(ctx context.Context, id string) (*ClaimAccount, error) {
	for {
		f, first := b.join(id)
		if first {
			if v, ok := b.accounts.Load(id); ok { // another look-up has ended since
				f.acc = v.(*page).valid()
			}
			if f.acc == nil {
				f.acc, f.err = b.bring(ctx, id)
			}
			b.mu.Lock()
			delete(b.calls, id)
			b.mu.Unlock()
			close(f.done)
			return f.acc, f.err
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if !errors.Is(f.err, context.Canceled) && !errors.Is(f.err, context.DeadlineExceeded) {
			return f.acc, f.err
		}
	}
}

// join returns the look-up of an account that is under way, or begins one.
func (b *Book) join(id string) (f *fetching, first bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if f = b.calls[id]; f != nil {
		return f, false
	}
	f = &fetching{done: make(chan struct{})}
	b.calls[id] = f
	return f, true
}

// bring fetches an account, with those it imports from that are not in the book, and enters them.
func (b *Book) bring(ctx context.Context, id string) (*ClaimAccount, error) {
	a, err := b.fetch(ctx, id)
	if err != nil {
		return nil, err
	}
	list, have := []*ClaimAccount{a}, map[string]bool{id: true}
	for i := 0; i < len(list); i++ {
		for _, im := range list[i].claims.Imports {
			if have[im.Account] || b.Known(im.Account) != nil {
				continue
			}
			have[im.Account] = true
			other, err := b.fetch(ctx, im.Account)
			if err != nil {
				b.log.Error(fmt.Sprintf("Can't locate account [%s] for import of [%v] %s (err=%v)", im.Account, im.Subject, im.Type, err))
				continue
			}
			list = append(list, other)
		}
	}
	b.enter(list)
	return a, nil
}

// slowFetch is how long the resolver may take before the log says so.
const slowFetch = time.Second

// fetch asks the resolver for an account.
func (b *Book) fetch(ctx context.Context, id string) (*ClaimAccount, error) {
	if !nkeys.IsValidPublicAccountKey(id) {
		err := errors.New("will only fetch valid account keys")
		b.log.Warn("Account fetch failed: "+err.Error(), logging.Err(err))
		return nil, err
	}
	start := time.Now()
	text, err := (*b.resolver.Load()).Fetch(ctx, id)
	took := time.Since(start)
	if line := fmt.Sprintf("Account [%s] fetch took %v", id, took); took > slowFetch {
		b.log.Warn(line)
	} else {
		b.log.Debug(line)
	}
	if err != nil {
		b.log.Warn("Account fetch failed: "+err.Error(), logging.Err(err))
		return nil, err
	}
	a, err := newClaimAccount(text, b.trust)
	if err != nil {
		return nil, err
	}
	if a.ID != id {
		return nil, ErrAccountValidation
	}
	return a, nil
}

// Update takes a new JWT for an account that is in the book, and tells the core what follows. One of an account that is
// not is checked no further: it will be fetched when it is needed.
func (b *Book) Update(ctx context.Context, id, text string) error {
	v, ok := b.accounts.Load(id)
	if !ok {
		return ErrAccountMissing
	}
	e := v.(*page)
	b.turn.Lock()
	same := e.now.Load().Text == text && !e.incomplete && !e.ended.Load()
	b.turn.Unlock()
	if same {
		b.log.Debug(fmt.Sprintf("Requested account update for [%s], same claims detected", id))
		return nil
	}
	a, err := newClaimAccount(text, b.trust)
	if err != nil {
		return err
	}
	if a.ID != id {
		return ErrAccountValidation
	}
	list := []*ClaimAccount{a}
	for _, im := range a.claims.Imports {
		if b.Known(im.Account) == nil {
			if _, err := b.Lookup(ctx, im.Account); err != nil {
				b.log.Error(fmt.Sprintf("Can't locate account [%s] for import of [%v] %s (err=%v)", im.Account, im.Subject, im.Type, err))
			}
		}
	}
	b.enter(list)
	return nil
}

// Remove takes it that an account is deleted: its connections end, and nobody gets in until there is a new JWT.
func (b *Book) Remove(id string) {
	if v, ok := b.accounts.Load(id); ok {
		b.log.Debug(fmt.Sprintf("Disable account %s due to remove", id))
		e := v.(*page)
		b.end(id, e)
		b.clear(id, e)
	}
}

// clear takes what an account has out of the core.
func (b *Book) clear(id string, e *page) {
	b.turn.Lock()
	defer b.turn.Unlock()
	if b.stopped || !e.ended.Load() {
		return // there is a new JWT already
	}
	e.deleted = true
	e.stopTimers()
	delete(b.granted, id)
	b.core.Clear(id)
}

// end notes that an account has ended, and has the core end its connections.
func (b *Book) end(id string, e *page) {
	b.turn.Lock()
	defer b.turn.Unlock()
	if b.stopped {
		return
	}
	e.ended.Store(true)
	b.core.Expire(id)
}

// Renew has the resolver asked again for every account of the book, as a reload does with a resolver in memory. Those
// that are gone, or whose JWT is bad now, are forgotten, but for the account keep.
func (b *Book) Renew(ctx context.Context, r Resolver, keep string) {
	b.resolver.Store(&r)
	b.accounts.Range(func(k, _ any) bool {
		id := k.(string)
		a, err := b.fetch(ctx, id)
		if err == nil {
			err = b.Update(ctx, id, a.Text)
		}
		if err == nil || id == keep {
			return true
		}
		b.log.Info(fmt.Sprintf("Reloaded: deleting account [removed]: %q", id))
		b.forget(id)
		return true
	})
}

// Use replaces the resolver.
func (b *Book) Use(r Resolver) { b.resolver.Store(&r) }

// forget takes an account out of the book.
func (b *Book) forget(id string) {
	b.turn.Lock()
	defer b.turn.Unlock()
	v, ok := b.accounts.LoadAndDelete(id)
	if !ok {
		return
	}
	v.(*page).stopTimers()
	delete(b.granted, id)
	b.core.Clear(id)
}

// Current reports whether the claims that an identity was decided by are still those of its account.
func (b *Book) Current(id *Identity) bool {
	if id.claim == nil {
		return true
	}
	v, ok := b.accounts.Load(id.Account)
	if !ok {
		return false
	}
	e := v.(*page)
	return !e.ended.Load() && e.now.Load() == id.claim.account
}

// Recheck decides on a connection that was let in as id, after the claims of its account have changed: it returns the
// identity the connection has from now on, or [ErrRevoked], [ErrSigner] or a [Refusal].
func (b *Book) Recheck(id *Identity) (*Identity, error) {
	a := b.Known(id.Account)
	if id.claim == nil || a == nil {
		return id, nil
	}
	return a.recheck(id)
}

// ValidateAccount looks at the JWT of an account as it comes in an update: the errors are those of the answer. It must
// be signed by one of the keys.
func ValidateAccount(text string, keys []string) error {
	c, err := jwt.DecodeAccountClaims(text)
	if err != nil {
		return err
	}
	if !slices.Contains(keys, c.Issuer) {
		return fmt.Errorf("%w: the issuer is not trusted", ErrAccountValidation)
	}
	results := &jwt.ValidationResults{}
	c.Validate(results)
	if results.IsBlocking(false) {
		return fmt.Errorf("validation errors: %v", results.Errors())
	}
	return validMappings(c)
}
