package confparse

import (
	"bufio"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
)

// Digest identifies what a tree says, whatever its layout: the SHA-256 of its
// values as JSON with sorted keys, in the form "sha256:…". It is the digest
// nats-server prints for the same configuration.
func Digest(v *Value) string {
	h := sha256.New()
	w := bufio.NewWriterSize(h, 4096)
	writeJSON(w, v)
	_ = w.WriteByte('\n')
	_ = w.Flush() // a hash takes everything
	return fmt.Sprintf("sha256:%x", h.Sum(nil))
}

// writeJSON writes what encoding/json makes of v.Interface(), without making that.
func writeJSON(w *bufio.Writer, v *Value) {
	switch v.Kind() {
	case Map:
		entries := v.fields.All()
		var few [16]int
		order := few[:0]
		for i := range entries {
			order = append(order, i)
		}
		slices.SortFunc(order, func(a, b int) int { return cmp.Compare(entries[a].Key, entries[b].Key) })
		_ = w.WriteByte('{')
		for n, i := range order {
			comma(w, n)
			writeText(w, entries[i].Key)
			_ = w.WriteByte(':')
			writeJSON(w, entries[i].Value)
		}
		_ = w.WriteByte('}')
	case Array:
		_ = w.WriteByte('[')
		for i, item := range v.items {
			comma(w, i)
			writeJSON(w, item)
		}
		_ = w.WriteByte(']')
	case String:
		writeText(w, v.str)
	case Bool:
		_, _ = w.Write(strconv.AppendBool(w.AvailableBuffer(), v.num != 0))
	case Int:
		_, _ = w.Write(strconv.AppendInt(w.AvailableBuffer(), v.num, 10))
	default:
		writeOther(w, v.Interface())
	}
}

func comma(w *bufio.Writer, i int) {
	if i > 0 {
		_ = w.WriteByte(',')
	}
}

// writeText writes a string; one that needs no escapes as it is.
func writeText(w *bufio.Writer, s string) {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			writeOther(w, s)
			return
		}
	}
	_ = w.WriteByte('"')
	_, _ = w.WriteString(s)
	_ = w.WriteByte('"')
}

// writeOther leaves it to encoding/json. Plain values of the kinds a tree is made of always encode: there are no cycles,
// and a float of the dialect is finite.
func writeOther(w io.Writer, v any) {
	b, _ := json.Marshal(v)
	_, _ = w.Write(b)
}
