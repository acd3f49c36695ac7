package confparse

import (
	"crypto/sha256"
	"fmt"
	"sort"
	"strings"
	"sync/atomic"
	"unicode/utf8"
)

// Layer names what a source contributes to: a main file, a drop-in, the
// environment, the command line. The parser only carries it along; the names
// and their order belong to the caller.
type Layer string

// A Source is one text that was read: a file, an included file, the value of an
// environment variable, a command-line argument. It is immutable and may be
// shared between goroutines.
type Source struct {
	name    string
	layer   Layer
	text    string
	seq     int64   // order of reading, to sort errors by place
	hidden  int     // bytes at the start that the user did not write
	masked  bool    // its text is never shown
	guarded []guard // parts of it that are not; the parser's
	broken  bool    // it has mistakes of syntax: what a line means is not known
	parent  Span    // the include directive or variable that led here
	lines   []int   // offsets where lines begin
}

// reading numbers the sources of a process in the order in which they are made.
var reading atomic.Int64

// NewSource makes a source out of a text that is not a file of the dialect,
// such as the value of a flag, so that values made from it know their place.
// The name is shown to the user as it stands.
func NewSource(name string, layer Layer, text string) *Source {
	s := &Source{name: name, layer: layer, text: text, seq: reading.Add(1)}
	s.lines = make([]int, 1, 1+strings.Count(text, "\n"))
	for i := 0; i < len(text); i++ {
		j := strings.IndexByte(text[i:], '\n')
		if j < 0 {
			break
		}
		i += j
		s.lines = append(s.lines, i+1)
	}
	return s
}

// Name is the path of the file as it was opened, or a name such as
// "environment variable PORT".
func (s *Source) Name() string { return s.name }

// Layer is the layer this source belongs to.
func (s *Source) Layer() Layer { return s.layer }

// Text is the whole text.
func (s *Source) Text() string { return s.text }

// IncludedFrom is the place of the include directive or variable reference that
// led to this source; zero for one that was opened directly.
func (s *Source) IncludedFrom() Span { return s.parent }

// Span is the stretch of s between the byte offsets start and end (exclusive).
func (s *Source) Span(start, end int) Span {
	return Span{src: s, start: int32(start), end: int32(end)}
}

// All is the span of the whole text.
func (s *Source) All() Span { return s.Span(0, len(s.text)) }

// Mask keeps the text of s out of rendered errors, because it may be a secret,
// and returns s. It must be called before s is shared.
func (s *Source) Mask() *Source {
	s.masked = true
	return s
}

// line returns the text of the 1-based line n without its line end.
func (s *Source) line(n int) string {
	from, to := s.lines[n-1], len(s.text)
	if n < len(s.lines) {
		to = s.lines[n] - 1
	}
	line := strings.TrimSuffix(s.text[from:to], "\r")
	if n == 1 {
		line = line[min(s.hidden, len(line)):]
	}
	return line
}

// pos finds line and column of a byte offset.
func (s *Source) pos(offset int) Pos {
	offset = max(min(offset, len(s.text)), s.hidden)
	n := sort.SearchInts(s.lines, offset+1)
	from := s.lines[n-1]
	if n == 1 {
		from = min(s.hidden, offset)
	}
	return Pos{
		File:   s.name,
		Line:   n,
		Column: utf8.RuneCountInString(s.text[from:offset]) + 1,
		Offset: offset - s.hidden,
	}
}

// A Pos is a place in a source.
type Pos struct {
	File   string // name of the source
	Line   int    // from 1
	Column int    // from 1, in characters
	Offset int    // from 0, in bytes
}

// String formats p as file:line:column.
func (p Pos) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// A Span is a stretch of a source, from Start up to but not including End. The
// zero Span is nowhere.
type Span struct {
	src        *Source
	start, end int32
}

// IsZero reports whether s is nowhere: a default, a value made by a program.
func (s Span) IsZero() bool { return s.src == nil }

// Source is the text that s is a part of; nil if s is zero.
func (s Span) Source() *Source { return s.src }

// Start is the place of the first character.
func (s Span) Start() Pos {
	if s.src == nil {
		return Pos{}
	}
	return s.src.pos(int(s.start))
}

// End is the place behind the last character.
func (s Span) End() Pos {
	if s.src == nil {
		return Pos{}
	}
	return s.src.pos(int(s.end))
}

// Text is what was written there.
func (s Span) Text() string {
	if s.src == nil {
		return ""
	}
	return s.src.text[s.start:s.end]
}

// Layer is the layer of the source of s; empty if s is zero.
func (s Span) Layer() Layer {
	if s.src == nil {
		return ""
	}
	return s.src.layer
}

// String formats the start of s as file:line:column.
func (s Span) String() string { return s.Start().String() }

// to is the span from the start of s to the end of e, which must be in the same
// source.
func (s Span) to(e Span) Span { return Span{src: s.src, start: s.start, end: e.end} }

// before orders spans by source in order of reading, then by place.
func (s Span) before(o Span) bool {
	if s.src != o.src {
		if s.src == nil || o.src == nil {
			return s.src == nil
		}
		return s.src.seq < o.src.seq
	}
	return s.start < o.start
}

// A File is a file that was read on the way, for whoever watches for changes.
type File struct {
	Path   string            // as it was opened
	Digest [sha256.Size]byte // of its bytes
	Source *Source
}
