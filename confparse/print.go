package confparse

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Print returns a map as the text of a file in canonical form: an entry a line,
// strings in double quotes, numbers without suffix, maps and arrays spread over
// lines. Parsing it gives the same tree. It fails for a value that is not a map
// and for what the dialect cannot express: a key that contains both kinds of
// quotes, a float that is not finite, a year of more than four digits.
func Print(v *Value) ([]byte, error) {
	if v.Kind() != Map {
		return nil, errors.New("only a map can be printed as a file")
	}
	p := printer{}
	p.entries(v.Fields(), 0)
	return p.out, p.err
}

// PrintValue returns a single value in canonical form, as it would stand behind
// its key at the given depth of indentation.
func PrintValue(v *Value, depth int) ([]byte, error) {
	p := printer{}
	p.value(v, depth)
	return p.out, p.err
}

type printer struct {
	out []byte
	err error // the first thing that could not be expressed
}

func (p *printer) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf(format, args...)
	}
}

func (p *printer) indent(depth int) {
	for range depth {
		p.out = append(p.out, "  "...)
	}
}

func (p *printer) entries(f *Fields, depth int) {
	for _, e := range f.All() {
		p.indent(depth)
		key, err := QuoteKey(e.Key)
		if err != nil {
			p.fail("%w", err)
		}
		p.out = append(append(p.out, key...), ": "...)
		p.value(e.Value, depth)
		p.out = append(p.out, '\n')
	}
}

func (p *printer) value(v *Value, depth int) {
	switch v.Kind() {
	case Map:
		if v.Fields().Len() == 0 {
			p.out = append(p.out, "{}"...)
			return
		}
		p.out = append(p.out, "{\n"...)
		p.entries(v.Fields(), depth+1)
		p.indent(depth)
		p.out = append(p.out, '}')
	case Array:
		if len(v.items) == 0 {
			p.out = append(p.out, "[]"...)
			return
		}
		p.out = append(p.out, "[\n"...)
		for _, item := range v.items {
			p.indent(depth + 1)
			p.value(item, depth+1)
			p.out = append(p.out, '\n')
		}
		p.indent(depth)
		p.out = append(p.out, ']')
	case String:
		p.out = AppendQuoted(p.out, v.str)
	case Bool:
		p.out = strconv.AppendBool(p.out, v.num != 0)
	case Int:
		p.out = strconv.AppendInt(p.out, v.num, 10)
	case Float:
		p.float(v)
	case Time:
		t, _ := v.Time()
		if t.Year() < 0 || t.Year() > 9999 {
			p.fail("the year of %v cannot be written", t)
		}
		p.out = t.AppendFormat(p.out, time.RFC3339)
	default:
		p.fail("there is no value to print")
	}
}

// float prints a float with a point, which is what makes it one, and without
// an exponent, which the dialect does not know.
func (p *printer) float(v *Value) {
	f, _ := v.Float()
	if math.IsNaN(f) || math.IsInf(f, 0) {
		p.fail("%v cannot be written", f)
	}
	from := len(p.out)
	p.out = strconv.AppendFloat(p.out, f, 'f', -1, 64)
	if !strings.Contains(string(p.out[from:]), ".") {
		p.out = append(p.out, ".0"...)
	}
}

// QuoteKey returns key as it can stand in a file: bare where it is a plain
// word, in quotes otherwise.
func QuoteKey(key string) (string, error) {
	plain := key != "" && !strings.EqualFold(key, "include")
	for i := 0; i < len(key) && plain; i++ {
		c := key[i]
		plain = c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c == '.'
	}
	switch {
	case plain:
		return key, nil
	case strings.Contains(key, "\x00"):
	case !strings.Contains(key, `"`):
		return `"` + key + `"`, nil
	case !strings.Contains(key, "'"):
		return "'" + key + "'", nil
	}
	return key, fmt.Errorf("the key %q cannot be written in quotes", key)
}

// AppendQuoted appends s as a string in double quotes to out.
func AppendQuoted(out []byte, s string) []byte {
	const hex = "0123456789abcdef"
	out = append(out, '"')
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			if r, w := utf8.DecodeRuneInString(s[i:]); r != utf8.RuneError || w > 1 {
				out = append(out, s[i:i+w]...)
				i += w
				continue
			}
		}
		i++
		switch {
		case c == '"' || c == '\\':
			out = append(out, '\\', c)
		case c == '\n':
			out = append(out, '\\', 'n')
		case c == '\r':
			out = append(out, '\\', 'r')
		case c == '\t':
			out = append(out, '\\', 't')
		case c < ' ' || c >= 0x7f:
			out = append(out, '\\', 'x', hex[c>>4], hex[c&15])
		default:
			out = append(out, c)
		}
	}
	return append(out, '"')
}
