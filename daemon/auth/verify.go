package auth

import "golang.org/x/crypto/bcrypt"

// VerifySecret compares a password or token with what is configured, plain or
// a bcrypt hash. A hash takes its time; a plain secret the same time wherever
// the two differ.
func VerifySecret(configured, given string) bool {
	s := newSecret(configured)
	if s.hash != nil {
		return bcrypt.CompareHashAndPassword(s.hash, []byte(given)) == nil
	}
	return s.matchesPlain(given)
}
