package broker

import (
	"fmt"

	"github.com/nats-io/nkeys"
)

// ServerKeys are what a broker proves by that it is itself, and what can be encrypted for it. They are made at each
// start.
type ServerKeys struct {
	identity, curve nkeys.KeyPair
	id, xkey        string // their public halves
}

// NewServerKeys begins to make keys; what it returns waits for them, and may be called from any goroutine and more than
// once. They take a millisecond, in which a start can do something else.
func NewServerKeys() func() (*ServerKeys, error) {
	var (
		keys *ServerKeys
		err  error
		made = make(chan struct{})
	)
	go func() { // ends when they are made
		defer close(made)
		keys, err = makeServerKeys()
	}()
	return func() (*ServerKeys, error) {
		<-made
		return keys, err
	}
}

func makeServerKeys() (*ServerKeys, error) {
	k := &ServerKeys{}
	var err error
	if k.identity, err = nkeys.CreateServer(); err != nil {
		return nil, fmt.Errorf("making the server's identity: %w", err)
	}
	if k.id, err = k.identity.PublicKey(); err != nil {
		return nil, fmt.Errorf("making the server's identity: %w", err)
	}
	if k.curve, err = nkeys.CreateCurveKeys(); err != nil {
		return nil, fmt.Errorf("making the server's curve key: %w", err)
	}
	if k.xkey, err = k.curve.PublicKey(); err != nil {
		return nil, fmt.Errorf("making the server's curve key: %w", err)
	}
	return k, nil
}

// ID returns the server's id, a public nkey.
func (b *Broker) ID() string { return b.id }

// XKey returns the server's public curve key.
func (b *Broker) XKey() string { return b.xkey }

// Keys returns the broker's identity, which [Broker.ID] is the public half of, and its curve key, likewise of
// [Broker.XKey]. They must not be wiped.
func (b *Broker) Keys() (identity, curve nkeys.KeyPair) { return b.keys.identity, b.keys.curve }
