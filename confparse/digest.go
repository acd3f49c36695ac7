package confparse

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
)

// Digest identifies what a tree says, whatever its layout: the SHA-256 of its
// values as JSON with sorted keys, in the form "sha256:…". It is the digest
// nats-server prints for the same configuration.
func Digest(v *Value) string {
	h := sha256.New()
	// Plain values of the kinds a tree is made of always encode: there are no
	// cycles, and a float of the dialect is finite.
	_ = json.NewEncoder(h).Encode(v.Interface())
	return fmt.Sprintf("sha256:%x", h.Sum(nil))
}
