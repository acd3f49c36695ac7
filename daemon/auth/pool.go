package auth

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"runtime"
	"sync"

	"golang.org/x/crypto/bcrypt"
)

// pool compares passwords with bcrypt hashes. A comparison takes a processor for a tenth of a second and more: at most
// half of the processors do it at a time, and the others wait, bounded by their contexts.
//
// Pairs that were right are remembered, so that a fleet that reconnects with one password costs one comparison. What is
// remembered is a keyed digest of hash and password with a key that never leaves the process; a wrong password is not
// remembered.
type pool struct {
	slots chan struct{}
	key   [32]byte

	mu    sync.Mutex // guards known
	known map[[sha256.Size]byte]struct{}
}

// poolMemory bounds the pairs remembered. They are all forgotten when it is reached.
const poolMemory = 4096

func newPool() *pool {
	p := &pool{slots: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)), known: map[[sha256.Size]byte]struct{}{}}
	_, _ = rand.Read(p.key[:]) // never fails
	return p
}

// compare reports whether the password belongs to the hash. The error is the context's, if that ended first.
func (p *pool) compare(ctx context.Context, hash []byte, password string) (bool, error) {
	pair := p.digest(hash, password)
	if p.knows(pair) {
		return true, nil
	}
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	case <-ctx.Done():
		return false, ctx.Err()
	}
	if p.knows(pair) { // another has been faster
		return true, nil
	}
	if bcrypt.CompareHashAndPassword(hash, []byte(password)) != nil {
		return false, nil
	}
	p.remember(pair)
	return true, nil
}

func (p *pool) digest(hash []byte, password string) (pair [sha256.Size]byte) {
	m := hmac.New(sha256.New, p.key[:])
	m.Write(hash)
	m.Write([]byte{0}) // no hash holds it
	m.Write([]byte(password))
	m.Sum(pair[:0])
	return pair
}

func (p *pool) knows(pair [sha256.Size]byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, ok := p.known[pair]
	return ok
}

func (p *pool) remember(pair [sha256.Size]byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.known) >= poolMemory {
		clear(p.known)
	}
	p.known[pair] = struct{}{}
}

// forget drops what is remembered: the configuration has changed.
func (p *pool) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.known)
}
