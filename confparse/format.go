package confparse

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"
)

// Format lays out the text of a file: an entry a line, two spaces a level, one
// blank line where there were several. Comments, the order of entries and the
// spelling of every key and value stay; maps and arrays that fit on one line
// stay on one, with the blanks inside the braces of maps. Includes and variables are not followed. What cannot be parsed is
// not touched: the error is an [Errors].
func Format(name string, text []byte) ([]byte, error) {
	in, err := tokens(name, string(text))
	if err != nil {
		return nil, err
	}
	if json.Valid(text) {
		return indentJSON(text)
	}
	f := formatter{src: strings.TrimPrefix(string(text), "\ufeff"), toks: in}
	f.shift = len(text) - len(f.src)
	f.items(0)
	if len(f.out) > 0 && !f.endsInBlock() {
		f.out = append(f.out, '\n')
	}
	// Layout must not change what is said. This is not expected to fail.
	out, err := tokens(name, string(f.out))
	if err != nil || !slices.EqualFunc(in, out, sameToken) {
		return nil, errors.New(name + ": this file cannot be laid out without changing it")
	}
	if json.Valid(f.out) {
		return indentJSON(f.out)
	}
	return f.out, nil
}

// indentJSON lays out JSON, which stays JSON.
func indentJSON(text []byte) ([]byte, error) {
	var out bytes.Buffer
	if err := json.Indent(&out, bytes.TrimSpace(text), "", "  "); err != nil {
		return nil, err
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

// tokens parses a text for its tokens.
func tokens(name, text string) ([]token, error) {
	r := newRun(Options{})
	r.record = &recorder{}
	r.file(name, []byte(text), Span{})
	return r.record.tokens, r.errs.Err()
}

func sameToken(a, b token) bool {
	return a.kind == b.kind && a.value == b.value && a.written() == b.written()
}

// written is the text of a token as Format writes it.
func (t token) written() string {
	switch {
	case t.kind == tokComment:
		return strings.TrimRight(t.text, " \t")
	case t.kind == tokScalar && t.text == "":
		return `""`
	default:
		return t.text
	}
}

func (t token) end() int { return t.start + len(t.text) }

type formatter struct {
	src   string
	shift int // bytes in front of src
	toks  []token
	next  int // index of the token to write
	out   []byte
}

// endsInBlock reports whether the last token is a block string that the file
// ends with, which is another string once a line end follows.
func (f *formatter) endsInBlock() bool {
	last := f.toks[len(f.toks)-1]
	return last.kind == tokScalar && strings.HasPrefix(last.text, "(") && last.end()-f.shift == len(f.src)
}

// gap counts the line ends in front of a token.
func (f *formatter) gap(i int) int {
	from := 0
	if i > 0 {
		from = f.toks[i-1].end() - f.shift
	}
	return strings.Count(f.src[from:max(from, f.toks[i].start-f.shift)], "\n")
}

// line begins a new line, behind a blank one if there was one and it is not the
// first in its map.
func (f *formatter) line(depth int, first bool) {
	if len(f.out) > 0 {
		f.out = append(f.out, '\n')
		if !first && f.gap(f.next) > 1 {
			f.out = append(f.out, '\n')
		}
	}
	for range depth {
		f.out = append(f.out, "  "...)
	}
}

func (f *formatter) write(s string) { f.out = append(f.out, s...) }

// items writes what stands in the file or between brackets, up to the closing
// one, which is left.
func (f *formatter) items(depth int) {
	for first := true; f.next < len(f.toks); first = false {
		switch t := f.toks[f.next]; t.kind {
		case tokClose:
			return
		case tokOpenTop:
			f.line(depth, first)
			f.write("{")
			f.next++
			depth++
			continue
		case tokCloseTop:
			depth--
			f.line(depth, true)
			f.write("}")
			f.next++
		case tokComment:
			if f.next > 0 && f.gap(f.next) == 0 {
				f.write(" ")
			} else {
				f.line(depth, first)
			}
			f.write(t.written())
			f.next++
		case tokInclude:
			f.line(depth, first)
			f.write("include " + t.text)
			f.next++
		default:
			f.line(depth, first)
			f.item(depth)
		}
	}
}

// item writes an entry, or a value of an array.
func (f *formatter) item(depth int) {
	if t := f.toks[f.next]; t.kind == tokKey {
		f.next++
		f.write(t.text)
		v := f.toks[f.next]
		if v.kind != tokOpen || v.text != "{" || strings.EqualFold(t.text, "include") {
			f.write(":")
		}
		f.write(" ")
	}
	t := f.toks[f.next]
	if t.kind != tokOpen {
		f.next++
		f.write(t.written())
		return
	}
	if n := f.inline(f.column()); n > 0 {
		f.next += n
		return
	}
	f.next++
	f.write(t.text)
	f.items(depth + 1)
	f.line(depth, true)
	f.write(f.toks[f.next].text)
	f.next++
}

// column is the width of the line being written.
func (f *formatter) column() int {
	return utf8.RuneCount(f.out[bytes.LastIndexByte(f.out, '\n')+1:])
}

// maxLine is how long a line may become with a map or array on it.
const maxLine = 100

// padded reports whether a blank stood inside the brace of a map that a token is next to.
func (f *formatter) padded(i int) bool {
	prev, t := f.toks[i-1], f.toks[i]
	if (prev.kind == tokOpen) == (t.kind == tokClose) || prev.kind == tokOpen && prev.text != "{" || t.kind == tokClose && t.text != "}" {
		return false
	}
	return t.start > prev.end() && strings.IndexByte(" \t", f.src[t.start-f.shift-1]) >= 0
}

// inline writes a map or array on the line if it was on one line and fits,
// and returns the number of tokens written.
func (f *formatter) inline(column int) int {
	var b strings.Builder
	depth := 0
	for i := f.next; i < len(f.toks); i++ {
		t := f.toks[i]
		if i > f.next {
			prev := f.toks[i-1]
			switch {
			case f.gap(i) > 0, t.kind == tokComment, t.kind == tokInclude,
				t.kind == tokScalar && strings.HasPrefix(t.text, "("), strings.ContainsAny(t.text, "\n\r"):
				return 0
			case prev.kind == tokKey:
				b.WriteString(": ")
			case t.kind == tokClose:
				if t.text == "]" && prev.kind == tokScalar && prev.text != "" && strings.IndexByte("-0123456789", prev.text[0]) >= 0 {
					b.WriteByte(' ') // a bracket right behind a number is part of it
				}
			case prev.kind != tokOpen:
				b.WriteString(", ")
			}
			if f.padded(i) {
				b.WriteByte(' ')
			}
		}
		b.WriteString(t.written())
		switch t.kind {
		case tokOpen:
			depth++
		case tokClose:
			depth--
		}
		if depth == 0 {
			if column+utf8.RuneCountInString(b.String()) > maxLine {
				return 0
			}
			f.write(b.String())
			return i + 1 - f.next
		}
	}
	return 0
}
