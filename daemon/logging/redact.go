package logging

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"sync"
)

// redacted stands where a secret was, as nats-server writes it.
const redacted = `"[REDACTED]"`

// secretKeys are the members of a CONNECT object that let someone in, or say who it is by a key. nats-server 2.15.3 lets
// the JWT be read.
var secretKeys = []string{"pass", "auth_token", "jwt", "sig", "nkey", "proxy_sig"}

// RedactConnect returns the arguments of a CONNECT with the values of its secrets replaced by "[REDACTED]". The result
// aliases arg when there is nothing to hide. It works on text that is not valid JSON too, since such text is traced
// before it is refused, and knows a key however it is written (case and escapes), as the JSON decoder would.
func RedactConnect(arg []byte) []byte {
	var out []byte // nil while nothing was replaced
	copied := 0
	for i := 0; i < len(arg); {
		if arg[i] != '"' {
			i++
			continue
		}
		end := stringEnd(arg, i)
		value := skipSpace(arg, end)
		if value >= len(arg) || arg[value] != ':' || !isSecretKey(arg[i:end]) {
			i = end
			continue
		}
		value = skipSpace(arg, value+1)
		valueEnd := scalarEnd(arg, value)
		out = append(append(out, arg[copied:value]...), redacted...)
		copied, i = valueEnd, valueEnd
	}
	if out == nil {
		return arg
	}
	return append(out, arg[copied:]...)
}

// stringEnd returns the index behind the string literal that opens at b[i], or len(b) when it does not close.
func stringEnd(b []byte, i int) int {
	for i++; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(b)
}

// scalarEnd returns the index behind the value at b[i]: a string, or anything up to the next comma or brace.
func scalarEnd(b []byte, i int) int {
	if i < len(b) && b[i] == '"' {
		return stringEnd(b, i)
	}
	if n := bytes.IndexAny(b[i:], ",}\r\n"); n >= 0 {
		return i + n
	}
	return len(b)
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\r' || b[i] == '\n') {
		i++
	}
	return i
}

// isSecretKey decodes a quoted key and looks it up.
func isSecretKey(quoted []byte) bool {
	var key string
	if json.Unmarshal(quoted, &key) != nil {
		key = strings.Trim(string(quoted), `"`)
	}
	for _, s := range secretKeys {
		if strings.EqualFold(key, s) {
			return true
		}
	}
	return false
}

// secretText finds what is a secret wherever it stands: JWTs, whose first part is a JSON object in base64, cut off or not,
// and nkey seeds.
var secretText = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`eyJ[A-Za-z0-9_-]{12,}(\.[A-Za-z0-9_-]*){0,2}|\bS[ACNOUX][A-Z2-7]{20,}`)
})

// RedactPayload returns the content of a message, or a text that a client gave, with the JWTs and seeds in it replaced by
// "[REDACTED]": requests to and answers of authorization services and account resolvers hold them. The result aliases
// text when there is nothing to hide.
func RedactPayload(text []byte) []byte {
	if !bytes.Contains(text, []byte("eyJ")) && !bytes.ContainsRune(text, 'S') {
		return text
	}
	return secretText().ReplaceAll(text, []byte("[REDACTED]"))
}
