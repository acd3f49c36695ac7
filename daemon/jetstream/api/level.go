package api

import (
	"bytes"
	"strconv"
)

// Header returns the value of a header of a message, without the spaces before it. The name is compared as it is
// written; the first line that has it counts.
func Header(header []byte, name string) ([]byte, bool) {
	for {
		end := bytes.Index(header, crlf)
		if end < 0 {
			return nil, false
		}
		line := header[:end]
		header = header[end+2:]
		if len(line) > len(name) && line[len(name)] == ':' && string(line[:len(name)]) == name {
			return bytes.TrimLeft(line[len(name)+1:], " "), true
		}
	}
}

var crlf = []byte("\r\n")

// LevelRefused reports whether a request needs an API level that this is not.
func LevelRefused(header []byte) bool {
	v, ok := Header(header, "Nats-Required-Api-Level")
	if !ok || len(v) == 0 {
		return false
	}
	n, err := strconv.Atoi(string(v))
	return err != nil || n > Level
}
