package stream

import (
	"bytes"
	"slices"
)

// lineOf returns the value of the first line of a header with a name.
func lineOf(header []byte, name string) (value []byte, ok bool) {
	from, to := findLine(header, name)
	if from < 0 {
		return nil, false
	}
	return bytes.TrimLeft(header[from+len(name)+1:to], " "), true
}

// findLine returns where the first line with a name begins, and where its line end does; -1: nowhere.
func findLine(header []byte, name string) (from, to int) {
	at := 0
	for {
		i := bytes.Index(header[at:], crlf)
		if i < 0 {
			return -1, -1
		}
		at += i + 2
		line := header[at:]
		if len(line) > len(name) && string(line[:len(name)]) == name && line[len(name)] == ':' {
			if end := bytes.Index(line, crlf); end >= 0 {
				return at, at + end
			}
		}
	}
}

// WithoutLine returns a header without the lines that have a name; nil if nothing is left. What there was is not changed.
func WithoutLine(header []byte, name string) []byte {
	for {
		from, to := findLine(header, name)
		if from < 0 {
			return header
		}
		rest := header[to+2:]
		if from == len(version) && len(rest) <= len(crlf) {
			return nil
		}
		header = append(append(make([]byte, 0, len(header)), header[:from]...), rest...)
	}
}

// WithLine returns a header, which may be nil, with a line more at its end. What there was is not changed.
func WithLine(header []byte, name string, value []byte) []byte {
	if len(header) <= len(crlf) {
		header = []byte(version + "\r\n")
	}
	b := append(make([]byte, 0, len(header)+len(name)+len(value)+4), header[:len(header)-2]...)
	b = append(append(b, name...), ": "...)
	return append(append(b, value...), "\r\n\r\n"...)
}

const version = "NATS/1.0\r\n"

// withoutLines returns a header without the lines that begin with one of some texts; nil if nothing is left. What there was is not
// changed.
func withoutLines(header []byte, begins ...string) []byte {
	if len(header) < len(version) {
		return nil
	}
	b := append(make([]byte, 0, len(header)), header[:len(version)]...)
	for line := range bytes.SplitAfterSeq(header[len(version):], crlf) {
		if !slices.ContainsFunc(begins, func(p string) bool { return bytes.HasPrefix(line, []byte(p)) }) {
			b = append(b, line...)
		}
	}
	if len(b) <= len(version)+len(crlf) {
		return nil
	}
	return b
}
