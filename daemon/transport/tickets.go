package transport

import (
	"bytes"
	"crypto/aes"
	gcm "crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// TicketKeys seal the session tickets of one tls block, so that a client that comes back need not have the server sign
// again. They outlive the material of the block: a reload goes on with them, and so does the next process, see
// [TicketKeys.Keys]. Safe for concurrent use.
//
// What a ticket says is true only where the block that gave it out would say the same: it is sealed together with what
// the block asks of a client's certificate, the bytes of its authorities included, and is worth nothing where that has
// changed. And it ends: a session goes back to a whole handshake after [ticketLife], however often it was resumed.
type TicketKeys struct {
	now func() time.Time

	mu   sync.Mutex  // leaf lock
	keys []ticketKey // the newest first
}

// TicketKey is one key, as another process is given it.
type TicketKey struct {
	ID     []byte // what tickets name it by
	Secret []byte
	Made   time.Time
}

type ticketKey struct {
	TicketKey
	aead gcm.AEAD
}

const (
	// ticketTurn is how long new tickets are sealed with one key.
	ticketTurn = 6 * time.Hour
	// ticketLife is how long a session may be resumed, and a key is kept.
	ticketLife = 24 * time.Hour
	// ticketMost bounds a ticket, which holds the client's certificates: it is sent as one record.
	ticketMost = 12 << 10

	ticketIDLen     = 8
	ticketSecretLen = 32
)

// NewTicketKeys makes keys that nobody has. The first is made when it is needed.
func NewTicketKeys() *TicketKeys { return &TicketKeys{now: time.Now} }

// ErrTicketKeys refuses keys that cannot be ones.
var ErrTicketKeys = errors.New("damaged keys of session tickets")

// Keys gives the keys that are still good, the newest first: secrets.
func (k *TicketKeys) Keys() (list []TicketKey) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.dropOld(k.now())
	for _, key := range k.keys {
		list = append(list, key.TicketKey)
	}
	return list
}

// Continue goes on with the keys of another process, in its order, before a key was used here. The slices are kept.
func (k *TicketKeys) Continue(list []TicketKey) error {
	var keys []ticketKey
	for _, key := range list {
		if len(key.ID) != ticketIDLen || len(key.Secret) != ticketSecretLen {
			return ErrTicketKeys
		}
		made, err := newTicketKey(key)
		if err != nil {
			return err
		}
		keys = append(keys, made)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys = keys
	return nil
}

func newTicketKey(key TicketKey) (ticketKey, error) {
	block, err := aes.NewCipher(key.Secret)
	if err != nil {
		return ticketKey{}, err
	}
	aead, err := gcm.NewGCMWithRandomNonce(block)
	return ticketKey{key, aead}, err
}

// dropOld forgets keys that nothing may be opened with any more, and all that a clock that was wrong has dated ahead.
func (k *TicketKeys) dropOld(now time.Time) {
	k.keys = slices.DeleteFunc(k.keys, func(key ticketKey) bool {
		age := now.Sub(key.Made)
		return age >= ticketLife || age < -time.Minute
	})
}

// newest gives the key to seal with.
func (k *TicketKeys) newest() (ticketKey, error) {
	now := k.now()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.dropOld(now)
	if len(k.keys) > 0 && now.Sub(k.keys[0].Made) < ticketTurn {
		return k.keys[0], nil
	}
	key := TicketKey{make([]byte, ticketIDLen), make([]byte, ticketSecretLen), now}
	_, _ = rand.Read(key.ID) // cannot fail
	_, _ = rand.Read(key.Secret)
	made, err := newTicketKey(key)
	if err != nil {
		return ticketKey{}, fmt.Errorf("making a key for session tickets: %w", err)
	}
	k.keys = slices.Insert(k.keys, 0, made)
	return made, nil
}

// named finds the key of a ticket.
func (k *TicketKeys) named(id []byte) gcm.AEAD {
	now := k.now()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.dropOld(now)
	for _, key := range k.keys {
		if bytes.Equal(key.ID, id) {
			return key.aead
		}
	}
	return nil
}

// seal makes a ticket: the id of the key, and the session sealed by it, together with the policy.
func (k *TicketKeys) seal(session, policy []byte) ([]byte, error) {
	key, err := k.newest()
	if err != nil {
		return nil, err
	}
	return key.aead.Seal(slices.Clone(key.ID), nil, session, policy), nil
}

// open gives the session of a ticket, nil if it is none of ours or of another policy.
func (k *TicketKeys) open(ticket, policy []byte) []byte {
	if len(ticket) <= ticketIDLen {
		return nil
	}
	aead := k.named(ticket[:ticketIDLen])
	if aead == nil {
		return nil
	}
	session, err := aead.Open(nil, nil, ticket[ticketIDLen:], policy)
	if err != nil {
		return nil
	}
	return session
}

// ticketing is what one handshake has to do with tickets.
type ticketing struct {
	keys   *TicketKeys
	policy []byte
	began  time.Time // when the session's whole handshake was
	sent   uint64    // tickets, each in a record of its own
}

// tickets has a handshake give a ticket, and take one; nil if the block has no keys for them.
func (t *TLS) tickets(c *tls.Config) *ticketing {
	if t.opts.Tickets == nil {
		c.SessionTicketsDisabled = true
		return nil
	}
	h := &ticketing{keys: t.opts.Tickets, policy: t.policy}
	c.WrapSession, c.UnwrapSession = h.wrap, h.unwrap
	return h
}

// wrap makes the ticket of a session. One that would be too large is given as one that nobody can open.
func (h *ticketing) wrap(_ tls.ConnectionState, s *tls.SessionState) ([]byte, error) {
	h.sent++
	if h.began.IsZero() {
		h.began = h.keys.now()
	}
	s.Extra = append(s.Extra, binary.BigEndian.AppendUint64(nil, uint64(h.began.Unix())))
	session, err := s.Bytes()
	if err != nil {
		return nil, err
	}
	if len(session) > ticketMost {
		none := make([]byte, ticketIDLen)
		_, _ = rand.Read(none) // cannot fail
		return none, nil
	}
	return h.keys.seal(session, h.policy)
}

// unwrap gives the session of a ticket; without one the handshake is a whole one.
func (h *ticketing) unwrap(ticket []byte, _ tls.ConnectionState) (*tls.SessionState, error) {
	plain := h.keys.open(ticket, h.policy)
	if plain == nil {
		return nil, nil
	}
	s, err := tls.ParseSessionState(plain)
	if err != nil || len(s.Extra) != 1 || len(s.Extra[0]) != 8 {
		return nil, nil // of another version
	}
	began := time.Unix(int64(binary.BigEndian.Uint64(s.Extra[0])), 0)
	if h.keys.now().Sub(began) >= ticketLife {
		return nil, nil
	}
	h.began = began
	return s, nil
}

// anyProcess tells one process from the others: the system's certificates may have changed between them.
var anyProcess = func() []byte {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // cannot fail
	return b
}()

// policyOf sums up what a block asks of a peer's certificate. ca are the bytes of its authorities, nil: the system's.
func policyOf(o *TLSOptions, ca []byte) []byte {
	h := sha256.New()
	add := func(list ...string) {
		fmt.Fprintf(h, "%d:", len(list))
		for _, s := range list {
			fmt.Fprintf(h, "%d:%s", len(s), s)
		}
	}
	fmt.Fprintf(h, "%t %t %t %t ", o.Verify, o.VerifyOptional, o.KnownOnly, ca != nil)
	if ca == nil && (o.Verify || o.VerifyOptional) {
		ca = anyProcess
	}
	add(string(ca))
	add(o.KnownHosts...)
	pins := slices.Clone(o.Pinned)
	slices.Sort(pins)
	add(pins...)
	return h.Sum(nil)
}
