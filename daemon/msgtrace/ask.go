package msgtrace

import (
	"bytes"
	"strconv"
	"strings"
)

// The header fields, as nats-server 2.15.3 has them.
const (
	DestField = "Nats-Trace-Dest"
	HopField  = "Nats-Trace-Hop"

	onlyField   = "Nats-Trace-Only"
	originField = "Nats-Trace-Origin-Account" // of older servers
	acceptField = "Accept-Encoding"
	parentField = "traceparent" // of W3C's Trace Context, in any case
)

// Disabled is the destination of a message that is not to be traced any more.
const Disabled = "trace disabled"

// Ask is what a header may ask for.
type Ask uint8

// What there is to ask.
const (
	Nothing  Ask = iota
	Directly     // it names a destination, or says that it shall not be traced
	ByParent     // it is part of a trace that begins elsewhere: the account may want to know
)

const firstLine = "NATS/1.0\r\n"

// Shortest is the length below which a header asks for nothing.
const Shortest = len(firstLine) + len(parentField) + len(":\r\n")

// Asks looks for a field by which a message may ask for a report. It is quick and allocates
// nothing; [Read] finds out whether the message does ask.
func Asks(header []byte) (a Ask) {
	if len(header) < Shortest {
		return Nothing
	}
	for {
		at := 1 + bytes.IndexByte(header, '\n')
		if at == 0 || len(header)-at <= len(parentField) {
			return a
		}
		header = header[at:]
		switch header[0] {
		case 'N':
			if len(header) > len(DestField) && string(header[:len(DestField)]) == DestField && header[len(DestField)] == ':' {
				return Directly
			}
		case 't', 'T':
			if header[len(parentField)] == ':' && strings.EqualFold(string(header[:len(parentField)]), parentField) {
				a = ByParent
			}
		}
	}
}

// Request is what a message asks for.
type Request struct {
	Header   map[string][]string // all fields, named as they were written
	Dest     string              // of the report; empty if Parent
	Parent   bool                // it asks by being part of a trace: the account says where reports go
	Only     bool                // it is to be delivered to nobody
	Hop      string              // its number, if another server has sent it
	Encoding string              // of the report, in the words of Accept-Encoding
	Origin   string              // what an older server has written; such messages are not traced
}

// Read reads a header; nil: it asks for nothing.
func Read(header []byte) *Request {
	if !bytes.HasPrefix(header, []byte(firstLine)) {
		return nil
	}
	r := &Request{Header: make(map[string][]string)}
	var dest, parent bool
	for line := range bytes.SplitSeq(header[len(firstLine):], []byte("\r\n")) {
		name, value, ok := bytes.Cut(line, []byte(":"))
		value = bytes.Trim(value, " \t")
		if !ok || len(name) == 0 || len(value) == 0 {
			continue
		}
		key, text := string(name), string(value)
		switch {
		case key == DestField && !dest:
			if text == Disabled {
				return nil
			}
			dest = true
		case strings.EqualFold(key, parentField):
			parent = parent || sampled(text)
		}
		r.Header[key] = append(r.Header[key], text)
	}
	if !dest && !parent {
		return nil
	}
	r.Hop, r.Encoding, r.Origin = r.first(HopField), r.first(acceptField), r.first(originField)
	if r.Parent = !dest; r.Parent {
		return r
	}
	r.Dest = r.first(DestField)
	switch strings.ToLower(r.first(onlyField)) {
	case "1", "true", "on":
		r.Only = true
	}
	return r
}

func (r *Request) first(name string) string {
	if v := r.Header[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// sampled reports whether a traceparent says that its trace is recorded.
func sampled(parent string) bool {
	fields := strings.Split(parent, "-")
	if len(fields) != 4 || len(fields[3]) != 2 {
		return false
	}
	flags, err := strconv.ParseUint(fields[3], 16, 8)
	return err == nil && flags&1 == 1
}

// With returns a header, through its blank line, in which a field has one value in place of all it had. header may be
// nil, and is not changed.
func With(header []byte, name, value string) []byte {
	b := make([]byte, 0, len(firstLine)+len(header)+len(name)+len(value)+len(": \r\n\r\n\r\n"))
	if len(header) <= len("\r\n") {
		header = []byte(firstLine)
	}
	if bytes.HasSuffix(header, []byte("\r\n\r\n")) {
		header = header[:len(header)-len("\r\n")]
	}
	for line := range bytes.Lines(header) {
		if len(line) > len(name) && line[len(name)] == ':' && string(line[:len(name)]) == name {
			continue
		}
		b = append(b, line...)
	}
	if !bytes.HasSuffix(b, []byte("\r\n")) {
		b = append(b, "\r\n"...) // there was no blank line
	}
	b = append(append(append(b, name...), ": "...), value...)
	return append(b, "\r\n\r\n"...)
}
