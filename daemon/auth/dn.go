package auth

import (
	"encoding/hex"
	"slices"
	"strings"
)

// parseDN reads a distinguished name as RFC 4514 writes it: "CN=alice,OU=ops,O=Bank". ok is false for what is none, as
// most names of users are.
func parseDN(s string) (dn distinguishedName, ok bool) {
	var part []string
	for {
		name, rest, found := strings.Cut(s, "=")
		name = strings.ToUpper(strings.TrimSpace(name))
		if !found || name == "" || strings.ContainsAny(name, ",+\\") || strings.HasPrefix(rest, "#") {
			return nil, false
		}
		value, end, rest, good := dnValue(rest)
		if !good {
			return nil, false
		}
		part = append(part, attribute(name, value))
		if end != '+' {
			dn = append(dn, strings.Join(sorted(part), "\x01"))
			part = nil
		}
		if end == 0 {
			return dn, true
		}
		s = rest
	}
}

// dnValue reads a value up to the comma or plus behind it, or the end (0). Spaces around it are not part of it unless
// they are escaped.
func dnValue(s string) (value string, end byte, rest string, ok bool) {
	var b []byte
	keep := 0 // the value's length up to what is not a bare space
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case ',', '+':
			return string(b[:keep]), c, s[i+1:], true
		case '\\':
			char, n, good := unescapeDN(s[i+1:])
			if !good {
				return "", 0, "", false
			}
			b = append(b, char)
			i += n
			keep = len(b)
		case ' ':
			if len(b) > 0 {
				b = append(b, c)
			}
		default:
			b = append(b, c)
			keep = len(b)
		}
	}
	return string(b[:keep]), 0, "", true
}

// unescapeDN reads what follows a backslash: a special character, or two hexadecimal digits. n is how many bytes it has.
func unescapeDN(s string) (char byte, n int, ok bool) {
	if s == "" {
		return 0, 0, false
	}
	if strings.IndexByte(` "#+,;<=>\`, s[0]) >= 0 {
		return s[0], 1, true
	}
	if len(s) < 2 {
		return 0, 0, false
	}
	b, err := hex.DecodeString(s[:2])
	if err != nil {
		return 0, 0, false
	}
	return b[0], 2, true
}

func attribute(name, value string) string { return name + "\x02" + value }

func sorted(parts []string) []string {
	s := slices.Clone(parts)
	slices.Sort(s)
	return s
}
