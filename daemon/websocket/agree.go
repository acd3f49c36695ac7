package websocket

import (
	"crypto/sha1"
	"encoding/base64"
	"strconv"
	"strings"
)

// keyGUID is what RFC 6455, section 1.3, has appended to the key.
const keyGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// AcceptKey is the value of Sec-WebSocket-Accept for a Sec-WebSocket-Key.
func AcceptKey(key string) string {
	sum := sha1.Sum([]byte(key + keyGUID))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// ValidKey reports whether a Sec-WebSocket-Key is one: 16 bytes in base64.
func ValidKey(key string) bool {
	raw, err := base64.StdEncoding.DecodeString(key)
	return err == nil && len(raw) == 16
}

// HasToken reports whether a list of header values has a token in it, whatever its case.
func HasToken(values []string, token string) bool {
	for _, v := range values {
		for t := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.Trim(t, " \t"), token) {
				return true
			}
		}
	}
	return false
}

// Deflate is what is agreed on about compression.
type Deflate struct {
	// Context: what was sent before may be referred to by what we send. The peer never refers to what it has sent
	// before, so that nothing has to be kept of it.
	Context bool
}

// ChooseDeflate looks for an offer of permessage-deflate that can be met in the values of Sec-WebSocket-Extensions:
// the first one. An offer that asks for a smaller window than ours is not, since we promise none.
func ChooseDeflate(values []string) (Deflate, bool) {
	for _, v := range values {
		for offer := range strings.SplitSeq(v, ",") {
			if d, ok := readOffer(offer); ok {
				return d, true
			}
		}
	}
	return Deflate{}, false
}

// Names of the extension and its parameters: RFC 7692, section 7.
const (
	extDeflate        = "permessage-deflate"
	serverNoContext   = "server_no_context_takeover"
	clientNoContext   = "client_no_context_takeover"
	serverMaxWindow   = "server_max_window_bits"
	clientMaxWindow   = "client_max_window_bits"
	largestWindowBits = 15
)

func readOffer(offer string) (Deflate, bool) {
	name, params, _ := strings.Cut(offer, ";")
	if !strings.EqualFold(strings.Trim(name, " \t"), extDeflate) {
		return Deflate{}, false
	}
	d := Deflate{Context: true}
	seen := make(map[string]bool, 4)
	for p := range strings.SplitSeq(params, ";") {
		if p = strings.Trim(p, " \t"); p == "" {
			continue
		}
		name, value, valued := strings.Cut(p, "=")
		name = strings.ToLower(strings.Trim(name, " \t"))
		value = strings.Trim(strings.Trim(value, " \t"), `"`)
		if seen[name] {
			return Deflate{}, false
		}
		seen[name] = true
		switch name {
		case serverNoContext:
			if valued {
				return Deflate{}, false
			}
			d.Context = false
		case clientNoContext:
			if valued {
				return Deflate{}, false
			}
		case serverMaxWindow:
			if windowBits(value) != largestWindowBits {
				return Deflate{}, false
			}
		case clientMaxWindow: // it may use less; we read all
			if valued && windowBits(value) == 0 {
				return Deflate{}, false
			}
		default:
			return Deflate{}, false
		}
	}
	return d, true
}

// windowBits reads a number of bits, 0 if it is none.
func windowBits(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil || n < 8 || n > largestWindowBits || s[0] == '0' || s[0] == '+' {
		return 0
	}
	return n
}

// Answer is the value of Sec-WebSocket-Extensions that says what was agreed on.
func (d Deflate) Answer() string {
	if d.Context {
		return extDeflate + "; " + clientNoContext
	}
	return extDeflate + "; " + serverNoContext + "; " + clientNoContext
}
