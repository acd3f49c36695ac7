package confparse

import (
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"
	"unicode/utf8"
)

// Colours of a rendered error, as compilers use them.
const (
	colourBold  = "\x1b[1m"
	colourError = "\x1b[1;31m"
	colourNote  = "\x1b[1;36m"
	colourCaret = "\x1b[1;32m"
	colourOff   = "\x1b[0m"
)

// Render writes every error with its line, a caret under the place, the hint
// and the notes; with colours if colour is set.
func (l Errors) Render(w io.Writer, colour bool) error {
	for _, e := range l {
		if err := e.Render(w, colour); err != nil {
			return err
		}
	}
	return nil
}

// Render writes one error. See [Errors.Render].
func (e *Error) Render(w io.Writer, colour bool) error {
	r := renderer{colour: colour}
	r.chain(e.Span)
	r.syntax = e.syntax
	r.place(e.Span, e.Message, "", e.Hint, e.Secret)
	for _, n := range e.Notes {
		r.place(n.Span, n.Message, "note: ", "", e.Secret)
	}
	_, err := io.WriteString(w, r.b.String())
	return err
}

type renderer struct {
	syntax bool // the error is one of syntax
	b      strings.Builder
	colour bool
}

func (r *renderer) paint(colour, s string) {
	if r.colour && s != "" {
		s = colour + s + colourOff
	}
	r.b.WriteString(s)
}

// chain writes how the source of a span came to be read, the include nearest to
// the main file first.
func (r *renderer) chain(at Span) {
	if at.src == nil {
		return
	}
	var from []Span
	for s := at.src.parent; !s.IsZero(); s = s.src.parent {
		from = append(from, s)
	}
	for i := len(from) - 1; i >= 0; i-- {
		fmt.Fprintf(&r.b, "included from %s:\n", from[i].Start())
	}
}

// place writes a message with the line it is about.
func (r *renderer) place(at Span, message, label, hint string, secret bool) {
	if !at.IsZero() {
		r.paint(colourBold, at.String()+":")
		r.b.WriteByte(' ')
	}
	if label != "" {
		r.paint(colourNote, label)
		r.b.WriteString(message)
	} else if r.colour {
		r.paint(colourError, message)
	} else {
		r.b.WriteString(message)
	}
	r.b.WriteByte('\n')
	if at.IsZero() || at.src.masked || secret || (r.syntax || at.src.broken) && at.Guarded() {
		if hint != "" {
			fmt.Fprintf(&r.b, "       | %s\n", hint)
		}
		return
	}
	r.excerpt(at, hint)
}

// maxExcerpt is how much of a line is shown, in characters.
const maxExcerpt = 160

// excerpt writes the first line of a span with a caret under it.
func (r *renderer) excerpt(at Span, hint string) {
	start, stop := at.Start(), at.End()
	line := at.src.line(start.Line)
	senseless := r.syntax || at.src.broken
	shown := hideSecrets(printable(line), senseless)
	if senseless {
		shown = both(shown, at.src.hideGuarded(start.Line, line))
	}
	line = shown
	width := utf8.RuneCountInString(line) - (start.Column - 1)
	if stop.Line == start.Line {
		width = stop.Column - start.Column
	}
	column := start.Column
	line, column = clip(line, column)
	width = max(1, min(width, utf8.RuneCountInString(line)-column+1))

	fmt.Fprintf(&r.b, "%5d | %s\n      | ", start.Line, line)
	for _, c := range line {
		if column--; column == 0 {
			break
		}
		if c != '\t' {
			c = ' '
		}
		r.b.WriteRune(c)
	}
	for ; column > 1; column-- { // behind the end of the line
		r.b.WriteByte(' ')
	}
	r.paint(colourCaret, "^"+strings.Repeat("~", width-1))
	if hint != "" {
		r.b.WriteByte(' ')
		r.b.WriteString(hint)
	}
	r.b.WriteByte('\n')
}

// secrets finds what looks like a secret on a line: the value of a key that is
// called like one, what a URL has in front of its host, and a hash.
var secrets = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)(?:(?:[\w-]*(?:` + strings.Join(secretWords[:], "|") + `)|\b(?:prev_)?ek)\b["']?(?:\s*[:=]\s*|\s+))("(?:[^"\\]|\\.)*"?|'[^']*'?|[^\s"',;})\]]\S*)` +
		`|://[^\s@"':]*:?([^\s"']*)@|(\$2[abxy]\$[^\s,;}\]"']*)`)
})

// hideSecrets replaces secrets on a line by as many stars: an error beside a
// password must not carry it into a log. Where the line makes no sense, all that stands
// behind the beginning of a secret without quotes may belong to it.
func hideSecrets(line string, senseless bool) string {
	out := []byte(nil)
	from := 0
	for _, m := range secrets().FindAllStringSubmatchIndex(line, -1) {
		for group := 2; group < len(m); group += 2 {
			if m[group] < 0 || m[group] < from || variable(line[m[group]:]) {
				continue
			}
			to := m[group+1]
			switch first := line[m[group]]; {
			case group != 2 || first == '"' || first == '\'':
			case senseless || strings.IndexByte("{[(", first) >= 0:
				to = len(line)
			default: // a comma in the middle belongs to the secret, most likely
				to = m[group] + max(1, len(strings.TrimRight(line[m[group]:to], ",;}])")))
			}
			out = append(out, line[from:m[group]]...)
			out = append(out, strings.Repeat("*", utf8.RuneCountInString(line[m[group]:to]))...)
			from = to
		}
	}
	return string(append(out, line[from:]...))
}

// variable reports whether a value is a variable, which is no secret, rather
// than a bcrypt hash.
func variable(value string) bool {
	return strings.HasPrefix(value, "$") && !strings.HasPrefix(value, "$2")
}

// clip cuts a long line down to the part around column.
func clip(line string, column int) (string, int) {
	chars := []rune(line)
	if len(chars) <= maxExcerpt {
		return line, column
	}
	from := max(0, min(column-1-maxExcerpt/2, len(chars)-maxExcerpt))
	return string(chars[from : from+maxExcerpt]), column - from
}

// printable replaces what would disturb a terminal, one character for one.
func printable(line string) string {
	return strings.Map(func(c rune) rune {
		if c != '\t' && (c < ' ' || c == 0x7f || c >= 0x80 && c < 0xa0) {
			return utf8.RuneError
		}
		return c
	}, line)
}
