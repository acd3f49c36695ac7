package auth

import (
	"encoding/base64"

	"github.com/nats-io/nkeys"
)

// signed reports whether the signature is the key's under the nonce. The signature is in URL-safe base64 without
// padding, or in the standard one.
func signed(key, nonce, signature string) bool {
	if nonce == "" || signature == "" {
		return false
	}
	sig := decodeSignature(signature)
	if sig == nil {
		return false
	}
	public, err := nkeys.FromPublicKey(key)
	if err != nil {
		return false
	}
	return public.Verify([]byte(nonce), sig) == nil
}

// decodeSignature returns the bytes of a signature, nil if it is in neither form.
func decodeSignature(text string) []byte {
	for _, e := range []*base64.Encoding{base64.RawURLEncoding, base64.StdEncoding} {
		if sig, err := e.DecodeString(text); err == nil && len(sig) > 0 {
			return sig
		}
	}
	return nil
}
