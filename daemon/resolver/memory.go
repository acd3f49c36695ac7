package resolver

import (
	"context"
	"errors"
	"maps"
	"sync"
)

// Errors of look-ups. Their texts are those of nats-server's log.
var (
	ErrMissing  = errors.New("account missing")
	ErrNotFound = errors.New("account jwt not found")
	ErrTimeout  = errors.New("fetching jwt timed out")
)

// Memory holds JWTs by account. Its methods may be called concurrently.
type Memory struct {
	mu   sync.RWMutex
	jwts map[string]string
}

// NewMemory makes a store of JWTs by account, which is copied.
func NewMemory(jwts map[string]string) *Memory { return &Memory{jwts: maps.Clone(jwts)} }

// Fetch returns the JWT of an account.
func (m *Memory) Fetch(_ context.Context, id string) (string, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if text, ok := m.jwts[id]; ok {
		return text, nil
	}
	return "", ErrMissing
}
