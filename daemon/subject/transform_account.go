package subject

import (
	"crypto/sha256"
	"strings"
)

// Accounts are the names that stand behind the functions of accounts in a
// subject: {{account-hash()}} and {{account-hash-import()}}. An empty one is not
// known where the subject is written.
type Accounts struct {
	Account string // to which the subject belongs
	Import  string // from which it imports
}

// accountFunctions are the functions that are resolved when a subject is
// installed, and not for each message: so they may stand where nothing is
// transformed. Those of nats-server 2.15.3; the one of leaf nodes has no value here.
var accountFunctions = []struct {
	name  fn
	value func(Accounts) string
}{
	{"Account-Hash", func(a Accounts) string { return a.Account }},
	{"Account-Hash-Import", func(a Accounts) string { return a.Import }},
	{"Account-Hash-Leaf-Remote", func(Accounts) string { return "" }},
}

// accountFunction returns the value of a function of accounts, or nil if the name is of another.
func accountFunction(name string) func(Accounts) string {
	for _, f := range accountFunctions {
		if f.name.is(name) {
			return f.value
		}
	}
	return nil
}

// Resolve puts the hashes of accounts where a subject names them, and leaves
// everything else as it is. An error is a *MappingError.
func (a Accounts) Resolve(s string) (string, error) {
	if !strings.Contains(s, "{{") {
		return s, nil
	}
	tokens := strings.Split(s, ".")
	for i, token := range tokens {
		if !isCall(token) {
			continue
		}
		name, args, _ := splitCall(token)
		f := accountFunction(name)
		if f == nil {
			continue
		}
		if len(args) > 1 || strings.TrimSpace(args[0]) != "" {
			return "", &MappingError{token, ErrMappingManyArgs}
		}
		value := f(a)
		if value == "" {
			return "", &MappingError{token, ErrMappingUnavailable}
		}
		tokens[i] = NameHash(value)
	}
	return strings.Join(tokens, "."), nil
}

// ResolveAll resolves several subjects in place.
func (a Accounts) ResolveAll(subjects ...*string) error {
	for _, s := range subjects {
		r, err := a.Resolve(*s)
		if err != nil {
			return err
		}
		*s = r
	}
	return nil
}

// NameHash is the short hash of a name that nats-server uses in subjects: eight letters and digits.
func NameHash(name string) string {
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	sum := sha256.Sum256([]byte(name))
	b := sum[:8]
	for i := range b {
		b[i] = digits[int(b[i])%len(digits)]
	}
	return string(b)
}
