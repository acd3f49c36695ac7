package subject

import (
	"hash/fnv"
	"math/rand/v2"
	"strconv"
	"strings"
)

// A piece makes one token of the destination (split and slice may make several)
// from the tokens of the subject.
type piece interface {
	appendTo(b []byte, tokens []string) []byte
}

// piece gives the piece that does what c says; places are token positions.
func (c *call) piece(places []int) piece {
	switch c.name {
	case fnPartition:
		return partition{buckets: c.size, places: places}
	case fnRandom:
		return random(c.size)
	}
	at := places[0]
	switch c.name {
	case fnSplitFromLeft:
		return cut{at: at, size: c.size, keep: keepBoth}
	case fnSplitFromRight:
		return cut{at: at, size: c.size, fromRight: true, keep: keepBoth}
	case fnLeft:
		return cut{at: at, size: c.size, keep: keepLeft}
	case fnRight:
		return cut{at: at, size: c.size, fromRight: true, keep: keepRight}
	case fnSliceFromLeft:
		return slice{at: at, size: c.size}
	case fnSliceFromRight:
		return slice{at: at, size: c.size, fromRight: true}
	case fnSplit:
		return split{at: at, separator: c.separator}
	default:
		return copied(at)
	}
}

// literal is plain text.
type literal string

func (l literal) appendTo(b []byte, _ []string) []byte { return append(b, l...) }

// copied is the token at a position.
type copied int

func (c copied) appendTo(b []byte, tokens []string) []byte {
	if int(c) >= len(tokens) {
		return b
	}
	return append(b, tokens[c]...)
}

// partition is the number of the bucket that the tokens at places, or the whole
// subject, fall into: FNV-1a, 32 bits, modulo the number of buckets.
type partition struct {
	buckets int
	places  []int
}

func (p partition) appendTo(b []byte, tokens []string) []byte {
	if p.buckets == 0 {
		return append(b, '0')
	}
	h := fnv.New32a()
	if len(p.places) == 0 {
		h.Write([]byte(strings.Join(tokens, ".")))
	}
	for _, at := range p.places {
		h.Write([]byte(tokens[at]))
	}
	return strconv.AppendUint(b, uint64(h.Sum32()%uint32(p.buckets)), 10)
}

// random is a number below the given one.
type random int

func (r random) appendTo(b []byte, _ []string) []byte {
	if r <= 0 {
		return append(b, '0')
	}
	return strconv.AppendInt(b, rand.Int64N(int64(r)), 10)
}

// The parts of a token that cut keeps.
const (
	keepBoth = iota
	keepLeft
	keepRight
)

// cut divides a token at a distance from one of its ends. A token too short to
// be divided stays whole.
type cut struct {
	at, size  int
	fromRight bool
	keep      int
}

func (c cut) appendTo(b []byte, tokens []string) []byte {
	token := tokens[c.at]
	if c.size <= 0 || c.size >= len(token) {
		return append(b, token...)
	}
	place := c.size
	if c.fromRight {
		place = len(token) - c.size
	}
	if c.keep != keepRight {
		b = append(b, token[:place]...)
	}
	if c.keep == keepBoth {
		b = append(b, '.')
	}
	if c.keep != keepLeft {
		b = append(b, token[place:]...)
	}
	return b
}

// slice divides a token into tokens of one size; what is over stands at the far end.
type slice struct {
	at, size  int
	fromRight bool
}

func (s slice) appendTo(b []byte, tokens []string) []byte {
	token := tokens[s.at]
	if s.size <= 0 || s.size >= len(token) {
		return append(b, token...)
	}
	if over := len(token) % s.size; s.fromRight && over > 0 {
		b = append(append(b, token[:over]...), '.')
		token = token[over:]
	}
	for len(token) > s.size {
		b = append(append(b, token[:s.size]...), '.')
		token = token[s.size:]
	}
	return append(b, token...)
}

// split divides a token at each separator; empty parts vanish.
type split struct {
	at        int
	separator string
}

func (s split) appendTo(b []byte, tokens []string) []byte {
	first := true
	for part := range strings.SplitSeq(tokens[s.at], s.separator) {
		if part == "" {
			continue
		}
		if !first {
			b = append(b, '.')
		}
		b = append(b, part...)
		first = false
	}
	return b
}
