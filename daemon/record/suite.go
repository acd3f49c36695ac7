package record

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"math"

	"golang.org/x/crypto/chacha20poly1305"
)

// suite is a cipher suite: RFC 8446, section B.4.
type suite struct {
	keyLen int
	hash   func() hash.Hash
	size   int // of the hash, and of a secret
	aead   func(key []byte) (cipher.AEAD, error)
}

var suites = map[uint16]*suite{
	tls.TLS_AES_128_GCM_SHA256:       {16, sha256.New, sha256.Size, gcm},
	tls.TLS_AES_256_GCM_SHA384:       {32, sha512.New384, sha512.Size384, gcm},
	tls.TLS_CHACHA20_POLY1305_SHA256: {chacha20poly1305.KeySize, sha256.New, sha256.Size, chacha20poly1305.New},
}

func gcm(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// expand is HKDF-Expand-Label with an empty context: RFC 8446, section 7.1.
func (s *suite) expand(secret []byte, label string, n int) ([]byte, error) {
	info := make([]byte, 0, 32)
	info = binary.BigEndian.AppendUint16(info, uint16(n))
	info = append(info, byte(len("tls13 ")+len(label)))
	info = append(info, "tls13 "...)
	info = append(info, label...)
	info = append(info, 0)
	return hkdf.Expand(s.hash, secret, string(info), n)
}

// Keys is one direction of a session at a moment: all that is needed to go on.
type Keys struct {
	Secret []byte // application_traffic_secret_N
	Seq    uint64 // the number of the next record under it
}

// Wipe overwrites the secret.
func (k *Keys) Wipe() { clear(k.Secret) }

// errNumbers: a record more would use a nonce twice.
var errNumbers = errors.New("tls: no more records under this key")

// half is one direction.
type half struct {
	suite  *suite
	secret []byte
	aead   cipher.AEAD
	seq    uint64
	worn   uint64 // the number of records after which the key is to change
	iv     [nonceLen]byte
	nonce  [nonceLen]byte  // of the record under work
	head   [HeaderLen]byte // the same
}

// begin starts a direction. The secret is copied.
func (h *half) begin(id uint16, k Keys) error {
	s := suites[id]
	if s == nil {
		return fmt.Errorf("cipher suite %#04x is none of TLS 1.3", id)
	}
	if len(k.Secret) != s.size {
		return fmt.Errorf("a secret of %d bytes instead of %d", len(k.Secret), s.size)
	}
	h.suite, h.worn = s, maxRecords
	return h.use(append([]byte(nil), k.Secret...), k.Seq)
}

// use derives the keys from a secret, which is the half's from now on.
func (h *half) use(secret []byte, seq uint64) error {
	key, err := h.suite.expand(secret, "key", h.suite.keyLen)
	if err != nil {
		return err
	}
	iv, err := h.suite.expand(secret, "iv", nonceLen)
	if err != nil {
		return err
	}
	if h.aead, err = h.suite.aead(key); err != nil {
		return err
	}
	clear(key)
	clear(h.secret)
	h.secret, h.seq = secret, seq
	copy(h.iv[:], iv)
	clear(iv)
	return nil
}

// update goes on to the next secret: RFC 8446, section 7.2.
func (h *half) update() error {
	next, err := h.suite.expand(h.secret, "traffic upd", h.suite.size)
	if err != nil {
		return err
	}
	return h.use(next, 0)
}

// number makes the nonce of the next record and counts it.
func (h *half) number() error {
	if h.seq == math.MaxUint64 {
		return errNumbers
	}
	h.nonce = h.iv
	low := h.nonce[nonceLen-8:]
	binary.BigEndian.PutUint64(low, binary.BigEndian.Uint64(low)^h.seq)
	h.seq++
	return nil
}

// Keys returns a copy of what is needed to go on behind the last record.
func (h *half) Keys() Keys { return Keys{append([]byte(nil), h.secret...), h.seq} }

// Wipe overwrites what can be reached of the keys. The direction is of no use any more.
func (h *half) Wipe() {
	clear(h.secret)
	clear(h.iv[:])
	clear(h.nonce[:])
	h.aead = nil
	h.seq = math.MaxUint64
}
