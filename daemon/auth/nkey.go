package auth

import (
	"encoding/base64"

	"github.com/nats-io/nkeys"
)

// proxyOf returns the public key of the trusted proxy that a request came through, empty if it came through none. It is
// not ok if the request was signed by a proxy that is not trusted; where none is, signatures are not looked at.
func (d *directory) proxyOf(r *Request) (key string, ok bool) {
	if r.ProxySignature == "" || len(d.proxies) == 0 {
		return "", true
	}
	sig, err := base64.RawURLEncoding.DecodeString(r.ProxySignature)
	if err != nil || r.Nonce == "" {
		return "", false
	}
	for _, p := range d.proxies {
		if p.Verify([]byte(r.Nonce), sig) == nil {
			key, err := p.PublicKey()
			return key, err == nil
		}
	}
	return "", false
}

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

// through returns the identity with the proxy that it came through: itself, or a copy, since one identity may serve many.
func (id *Identity) through(key string) *Identity {
	if id == nil || id.ProxyKey == key {
		return id
	}
	now := *id
	now.ProxyKey = key
	return &now
}
