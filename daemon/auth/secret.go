package auth

import (
	"crypto/sha256"
	"crypto/subtle"
	"regexp"
	"sync"

	"golang.org/x/crypto/bcrypt"
)

// secret is a password or token as it is configured.
type secret struct {
	sum  [sha256.Size]byte // of what is configured; the identity of the secret
	hash []byte            // bcrypt; nil: plain
}

// bcryptHash is what nats-server takes for a bcrypt hash.
var bcryptHash = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^\$2[abxy]\$\d{2}\$`) })

func newSecret(s string) secret {
	c := secret{sum: sha256.Sum256([]byte(s))}
	if bcryptHash().MatchString(s) {
		c.hash = []byte(s)
	}
	return c
}

// matchesPlain compares with a secret that is not hashed, in the same time wherever they differ and however long they
// are.
func (s *secret) matchesPlain(given string) bool {
	sum := sha256.Sum256([]byte(given))
	return subtle.ConstantTimeCompare(sum[:], s.sum[:]) == 1
}

// cost returns how dear the hash is, 0 for a plain secret.
func (s *secret) cost() int {
	if s.hash == nil {
		return 0
	}
	n, err := bcrypt.Cost(s.hash)
	if err != nil {
		return 0
	}
	return n
}
