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
	sig, err := base64.RawURLEncoding.DecodeString(signature)
	if err != nil {
		if sig, err = base64.StdEncoding.DecodeString(signature); err != nil {
			return false
		}
	}
	public, err := nkeys.FromPublicKey(key)
	if err != nil {
		return false
	}
	return public.Verify([]byte(nonce), sig) == nil
}
