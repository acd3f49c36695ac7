package broker

import (
	"encoding/json"
)

// readConnect reads what CONNECT says into o. The plain form in which client libraries
// write it is read here; for everything else encoding/json says what it means and
// what is wrong with it.
func readConnect(text []byte, o *ConnectOptions) error {
	before := *o
	if readPlainConnect(text, o) {
		return nil
	}
	*o = before
	return json.Unmarshal(text, o)
}

// readPlainConnect reads an object of known keys, with values of their types and no
// escapes. It reports false for anything else, o being anything then. What it
// understands it understands as encoding/json does.
func readPlainConnect(text []byte, o *ConnectOptions) bool {
	t := connectText{text}
	if !t.take('{') {
		return false
	}
	for more := !t.take('}'); more; {
		key, ok := t.quoted()
		if !ok || !t.take(':') || !t.value(o, key) {
			return false
		}
		if !t.take(',') {
			if !t.take('}') {
				return false
			}
			more = false
		}
	}
	t.blanks()
	return len(t.rest) == 0
}

// connectText is what is left of the text of a CONNECT.
type connectText struct{ rest []byte }

func (t *connectText) blanks() {
	for len(t.rest) > 0 && (t.rest[0] == ' ' || t.rest[0] == '\t' || t.rest[0] == '\r' || t.rest[0] == '\n') {
		t.rest = t.rest[1:]
	}
}

// take takes one character, with blanks in front of it, if it comes next.
func (t *connectText) take(c byte) bool {
	t.blanks()
	if len(t.rest) == 0 || t.rest[0] != c {
		return false
	}
	t.rest = t.rest[1:]
	return true
}

// word is take for a word.
func (t *connectText) word(w string) bool {
	if len(t.rest) < len(w) || string(t.rest[:len(w)]) != w {
		return false
	}
	t.rest = t.rest[len(w):]
	return true
}

// quoted takes a string of printable ASCII without escapes.
func (t *connectText) quoted() (s []byte, ok bool) {
	if !t.take('"') {
		return nil, false
	}
	for i, c := range t.rest {
		switch {
		case c == '"':
			s, t.rest = t.rest[:i], t.rest[i+1:]
			return s, true
		case c < ' ' || c > '~' || c == '\\':
			return nil, false
		}
	}
	return nil, false
}

// value takes the value of a key.
func (t *connectText) value(o *ConnectOptions, key []byte) bool {
	if f := o.flag(key); f != nil {
		t.blanks()
		*f = t.word("true")
		return *f || t.word("false")
	}
	if f := o.text(key); f != nil {
		s, ok := t.quoted()
		*f = string(s)
		return ok
	}
	if string(key) != "protocol" {
		return false
	}
	t.blanks()
	if len(t.rest) < 2 || t.rest[0] < '0' || t.rest[0] > '9' {
		return false
	}
	switch t.rest[1] {
	case ',', '}', ' ':
		o.Protocol = int(t.rest[0] - '0')
		t.rest = t.rest[1:]
		return true
	}
	return false
}

// flag returns the field of a key that is true or false, nil if it is none.
func (o *ConnectOptions) flag(key []byte) *bool {
	switch string(key) {
	case "echo":
		return &o.Echo
	case "verbose":
		return &o.Verbose
	case "pedantic":
		return &o.Pedantic
	case "tls_required":
		return &o.TLSRequired
	case "new_account":
		return &o.NewAccount
	case "headers":
		return &o.Headers
	case "no_responders":
		return &o.NoResponders
	}
	return nil
}

// text returns the field of a key that is a string, nil if it is none.
func (o *ConnectOptions) text(key []byte) *string {
	switch string(key) {
	case "nkey":
		return &o.Nkey
	case "jwt":
		return &o.JWT
	case "sig":
		return &o.Sig
	case "auth_token":
		return &o.Token
	case "user":
		return &o.User
	case "pass":
		return &o.Pass
	case "name":
		return &o.Name
	case "lang":
		return &o.Lang
	case "version":
		return &o.Version
	case "account":
		return &o.Account
	case "proxy_sig":
		return &o.ProxySig
	}
	return nil
}
