package broker

import (
	"bytes"
	"crypto/rand"
	"testing"

	"github.com/nats-io/nkeys"
)

// The id that others know us by must be what our signatures verify with; two brokers must never share it.
func TestServerKeysAreTheBrokers(t *testing.T) {
	keys := NewServerKeys()
	b, err := New(Options{Keys: keys}, nil)
	if err != nil {
		t.Fatal(err)
	}
	other, err := New(Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if made, err := keys(); err != nil || made.id != b.ID() || made.xkey != b.XKey() {
		t.Errorf("the broker is %s and not %+v (%v)", b.ID(), made, err)
	}
	if b.ID() == other.ID() || b.XKey() == other.XKey() {
		t.Error("two brokers have the same keys")
	}
	if !nkeys.IsValidPublicServerKey(b.ID()) || !nkeys.IsValidPublicCurveKey(b.XKey()) {
		t.Errorf("%s, %s are no keys of a server", b.ID(), b.XKey())
	}
	identity, curve := b.Keys()
	signature, err := identity.Sign([]byte("text"))
	if err != nil {
		t.Fatal(err)
	}
	public, err := nkeys.FromPublicKey(b.ID())
	if err != nil {
		t.Fatal(err)
	}
	if err := public.Verify([]byte("text"), signature); err != nil {
		t.Errorf("the id does not verify the identity's signature: %v", err)
	}
	if x, err := curve.PublicKey(); err != nil || x != b.XKey() {
		t.Errorf("the curve key is %s and not %s (%v)", x, b.XKey(), err)
	}
}

// TestServerIDIsItsPublicKey: the id is calculated beside crypto/ed25519, and has to be what that would say.
func TestServerIDIsItsPublicKey(t *testing.T) {
	seeds := [][]byte{make([]byte, seedSize), bytes.Repeat([]byte{0xff}, seedSize)}
	for range 200 {
		seed := make([]byte, seedSize)
		rand.Read(seed)
		seeds = append(seeds, seed)
	}
	for _, seed := range seeds {
		pair, err := fromSeed(nkeys.PrefixByteServer, seed)
		if err != nil {
			t.Fatal(err)
		}
		want, err := pair.PublicKey()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := serverID(pair, seed); err != nil || got != want {
			t.Errorf("seed %x: %s, %v; want %s", seed, got, err, want)
		}
	}
}

func BenchmarkServerKeys(b *testing.B) {
	for b.Loop() {
		if _, err := makeServerKeys(); err != nil {
			b.Fatal(err)
		}
	}
}
