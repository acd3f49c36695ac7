package auth

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// pool compares passwords with bcrypt hashes. A comparison takes a processor for a tenth of a second and more: at most
// half of the processors do it at a time, and the others wait in a [queue], bounded by their contexts.
//
// For each hash the password that was right is remembered, so that a fleet that reconnects costs one comparison, and of
// wrong ones some thousand, so that a fleet with an old password does not cost one each time. What is remembered are
// keyed digests of hash and password with a key that never leaves the process.
type pool struct {
	queue *queue
	key   [32]byte
	ran   func(cost int) // for tests: called for each computation; nil: nobody
	pace  atomic.Int64   // nanoseconds that the last comparison took, as if its cost were paceCost

	mu    sync.Mutex // guards known and wrong
	known map[string][sha256.Size]byte
	wrong map[[sha256.Size]byte]struct{}
}

// maxWrong bounds what is remembered of wrong passwords: 32 bytes each.
const maxWrong = 4096

// paceCost is the cost that [pool.pace] is of.
const paceCost = 20

func newPool() *pool {
	p := &pool{queue: newQueue(max(1, runtime.GOMAXPROCS(0)/2)), known: map[string][sha256.Size]byte{}}
	_, _ = rand.Read(p.key[:]) // never fails
	return p
}

// compare reports whether the password belongs to the hash. The error is the context's, if that ended first.
func (p *pool) compare(ctx context.Context, c caller, hash []byte, password string) (bool, error) {
	pair := p.digest(hash, password)
	if p.knows(hash, pair) {
		return true, nil
	}
	if c.slowed && p.knowsWrong(pair) { // as long as it would take, which tells nothing: pretend does the same
		cost, _ := bcrypt.Cost(hash) // it is one
		wait(ctx, p.takes(cost))
		return false, ctx.Err()
	}
	done, err := p.queue.enter(ctx, &ticket{caller: c, name: string(hash)})
	if err != nil {
		return false, err
	}
	defer done()
	if p.knows(hash, pair) { // another has been faster
		return true, nil
	}
	if c.slowed && p.knowsWrong(pair) {
		return false, nil
	}
	if !p.run(hash, password) {
		p.rememberWrong(pair)
		return false, nil
	}
	p.remember(hash, pair)
	return true, nil
}

// pretend takes as long as a comparison with a hash of a cost would, less what one of cost done has taken already; 0 is
// for none. It comes after all comparisons that decide on somebody. For callers that have failed too often it only
// waits, since their answer is delayed anyway. The error is the context's, if that ended first.
func (p *pool) pretend(ctx context.Context, c caller, cost, done int, password string) error {
	if whole := p.takes(cost); c.slowed && whole > 0 {
		if done > 0 {
			whole -= whole >> (cost - done)
		}
		wait(ctx, whole)
		return ctx.Err()
	}
	leave, err := p.queue.enter(ctx, &ticket{caller: c, decoy: true})
	if err != nil {
		return err
	}
	defer leave()
	// The work doubles with each step of the cost: those of done, done+1, … and that of done are one of cost.
	for k := max(done, bcrypt.MinCost); k < cost && done > 0; k++ {
		p.run(decoyOf(k), password)
	}
	if done == 0 {
		p.run(decoyOf(cost), password)
	}
	return nil
}

// takes is how long a comparison of a cost takes, by the last one; 0: there was none.
func (p *pool) takes(cost int) time.Duration {
	pace := p.pace.Load()
	if pace == 0 {
		return 0
	}
	return max(1, time.Duration(pace>>(paceCost-min(cost, paceCost))<<max(0, cost-paceCost)))
}

// run compares here and now.
func (p *pool) run(hash []byte, password string) bool {
	start := time.Now()
	err := bcrypt.CompareHashAndPassword(hash, []byte(password))
	took := time.Since(start)
	if cost, e := bcrypt.Cost(hash); e == nil {
		if p.ran != nil {
			p.ran(cost)
		}
		p.pace.Store(max(1, int64(took)<<(paceCost-min(cost, paceCost))>>max(0, cost-paceCost)))
	}
	return err == nil
}

func (p *pool) digest(hash []byte, password string) (pair [sha256.Size]byte) {
	m := hmac.New(sha256.New, p.key[:])
	m.Write(hash)
	m.Write([]byte{0}) // no hash holds it
	m.Write([]byte(password))
	m.Sum(pair[:0])
	return pair
}

func (p *pool) knows(hash []byte, pair [sha256.Size]byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	was, ok := p.known[string(hash)]
	return ok && hmac.Equal(was[:], pair[:])
}

func (p *pool) remember(hash []byte, pair [sha256.Size]byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known[string(hash)] = pair
}

func (p *pool) knowsWrong(pair [sha256.Size]byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, ok := p.wrong[pair]
	return ok
}

func (p *pool) rememberWrong(pair [sha256.Size]byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.wrong == nil || len(p.wrong) >= maxWrong {
		p.wrong = map[[sha256.Size]byte]struct{}{}
	}
	p.wrong[pair] = struct{}{}
}

// forget drops what is remembered of hashes that are configured no longer: there is at most one password for each that
// is.
func (p *pool) forget(configured func(hash string) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for hash := range p.known {
		if !configured(hash) {
			delete(p.known, hash)
		}
	}
}
