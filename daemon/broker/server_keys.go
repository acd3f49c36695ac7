package broker

import (
	"crypto/fips140"
	"crypto/rand"
	"crypto/sha512"
	"fmt"

	"filippo.io/edwards25519"
	"github.com/nats-io/nkeys"
)

// ServerKeys are what a broker proves by that it is itself, and what can be encrypted for it. They are made at each
// start.
type ServerKeys struct {
	identity, curve nkeys.KeyPair
	id, xkey        string // their public halves
}

// NewServerKeys begins to make keys; what it returns waits for them, and may be called from any goroutine and more than
// once. A start can do something else meanwhile.
func NewServerKeys() func() (*ServerKeys, error) {
	var (
		keys *ServerKeys
		err  error
		made = make(chan struct{})
	)
	go func() { // ends when they are made
		defer close(made)
		if keys, err = makeServerKeys(); err != nil {
			err = fmt.Errorf("making the server's keys: %w", err)
		}
	}()
	return func() (*ServerKeys, error) {
		<-made
		return keys, err
	}
}

func makeServerKeys() (*ServerKeys, error) {
	var seeds [2][seedSize]byte
	for i := range seeds {
		rand.Read(seeds[i][:]) // ends the process rather than fail
	}
	k := &ServerKeys{}
	var err error
	if k.identity, err = fromSeed(nkeys.PrefixByteServer, seeds[0][:]); err != nil {
		return nil, err
	}
	if k.curve, err = fromSeed(nkeys.PrefixByteCurve, seeds[1][:]); err != nil {
		return nil, err
	}
	if k.xkey, err = k.curve.PublicKey(); err != nil {
		return nil, err
	}
	if k.id, err = serverID(k.identity, seeds[0][:]); err != nil {
		return nil, err
	}
	return k, nil
}

// seedSize is the length of the seeds of both kinds of keys.
const seedSize = 32

func fromSeed(kind nkeys.PrefixByte, seed []byte) (nkeys.KeyPair, error) {
	text, err := nkeys.EncodeSeed(kind, seed)
	if err != nil {
		return nil, err
	}
	if kind == nkeys.PrefixByteCurve {
		return nkeys.FromCurveSeed(text)
	}
	return nkeys.FromSeed(text)
}

// serverID is the public half of an identity. crypto/ed25519 would multiply by a table of multiples of the base point,
// which it makes first: a millisecond of processor time, and a seventh of a start, for one multiplication. The first
// signature makes it, if there is one. Without it this is RFC 8032, 5.1.5.
func serverID(identity nkeys.KeyPair, seed []byte) (string, error) {
	if fips140.Enabled() { // only what has been certified may touch a key
		return identity.PublicKey()
	}
	digest := sha512.Sum512(seed)
	secret, err := new(edwards25519.Scalar).SetBytesWithClamping(digest[:seedSize])
	if err != nil {
		return "", err
	}
	public := new(edwards25519.Point).ScalarMult(secret, edwards25519.NewGeneratorPoint())
	id, err := nkeys.Encode(nkeys.PrefixByteServer, public.Bytes())
	return string(id), err
}

// ID returns the server's id, a public nkey.
func (b *Broker) ID() string { return b.id }

// XKey returns the server's public curve key.
func (b *Broker) XKey() string { return b.xkey }

// Keys returns the broker's identity, which [Broker.ID] is the public half of, and its curve key, likewise of
// [Broker.XKey]. They must not be wiped.
func (b *Broker) Keys() (identity, curve nkeys.KeyPair) { return b.keys.identity, b.keys.curve }
