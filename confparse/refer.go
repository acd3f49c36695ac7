package confparse

import (
	"path/filepath"
	"strings"
	"unicode"
)

// maxIncludes is how deep files include each other: a backstop for cycles that
// symbolic links hide.
const maxIncludes = 100

// include reads the file name behind the word include and puts the entries of
// that file into a map.
func (p *parser) include(into *Fields) {
	p.skipBlanks()
	start := p.pos
	name, ok := p.includeName()
	if !ok {
		p.resync()
		return
	}
	span := p.span(start)
	if p.record != nil {
		p.record.add(tokInclude, span.Text(), start)
		return
	}
	path := filepath.Join(p.dir, name)
	if !p.mayInclude(path, span) {
		return
	}
	text, err := p.opts.ReadFile(path)
	if err != nil {
		e := p.fail(span, "cannot read include file: %v", err)
		if filepath.IsAbs(name) {
			e.WithHint("the name is taken relative to %s, even with a slash at its beginning", p.dir)
		}
		return
	}
	for _, e := range p.file(path, text, span).fields.All() {
		into.set(e)
	}
}

// includeName reads the operand of an include, quoted or bare.
func (p *parser) includeName() (string, bool) {
	start := p.pos
	r, w := p.peek()
	switch {
	case r == '"', r == '\'':
		p.pos++
		for p.pos < len(p.text) && p.text[p.pos] != 0 {
			if rune(p.text[p.pos]) == r {
				p.pos++
				return p.text[start+1 : p.pos-1], true
			}
			p.pos++
		}
		p.unclosed(start, "this file name")
		return "", false
	case strings.ContainsRune("[{(-\\", r) && w > 0, unicode.IsDigit(r), newline(r):
		p.failFound(start, "expected the name of a file to include").WithHint("put quotes around the file name")
		return "", false
	}
	for {
		r, w := p.peek()
		if newline(r) || r == end || r == ';' || r == '}' || blank(r) {
			return p.text[start:p.pos], true
		}
		p.pos += w
		if r == '\'' {
			return p.text[start : p.pos-1], true
		}
	}
}

// mayInclude refuses a file that is being read already.
func (p *parser) mayInclude(path string, span Span) bool {
	depth := 0
	for src := p.src; src != nil; src = src.parent.src {
		if depth++; filepath.Clean(src.name) == path || depth > maxIncludes {
			p.fail(span, "this file includes itself: %s", path)
			return false
		}
	}
	return true
}

// bcryptPrefix begins a word that looks like a variable and is a hash.
const bcryptPrefix = "2a$"

// variable finds the value of $name: among the entries above, innermost map
// first, then in the environment.
func (p *parser) variable(name string, span Span) *Value {
	if strings.HasPrefix(name, bcryptPrefix) || p.record != nil {
		v := NewString(span, "$"+name)
		v.quoted = false
		return v
	}
	for i := len(p.scopes) - 1; i >= 0; i-- {
		if e := p.scopes[i].Get(name); e != nil {
			e.Value.used = true
			v := *e.Value
			v.span, v.used = span, false
			v.ref = &Reference{Name: name, Definition: e.KeySpan}
			return &v
		}
	}
	if p.opts.LookupText != nil {
		text, ok, err := p.opts.LookupText(name)
		if err != nil {
			p.fail(span, "variable $%s: %v", plain(name), plain(err.Error())) // the name of a credential is none
			return nil
		}
		if ok {
			v := NewString(span, text)
			v.ref = &Reference{Name: name, Environment: true}
			return v
		}
	}
	if p.env[name] {
		p.fail(span, "environment variable %s refers to itself", name)
		return nil
	}
	text, ok := p.opts.LookupEnv(name)
	if !ok {
		p.failUndefined(name, span)
		return nil
	}
	return p.environment(name, text, span)
}

// failUndefined reports a variable that is nowhere.
func (p *parser) failUndefined(name string, span Span) {
	e := p.fail(span, "variable $%s is not defined: no entry above and no environment variable of this name", name)
	switch {
	case strings.HasPrefix(name, "2b$"), strings.HasPrefix(name, "2y$"), strings.HasPrefix(name, "2x$"):
		e.Message = "variable $" + name[:3] + "… is not defined"
		e.WithHint("put quotes around a bcrypt hash")
		e.Secret = true
	case strings.HasPrefix(name, "{"):
		e.WithHint("write $NAME, without braces")
	}
}

// environment reads the text of an environment variable as a value.
func (p *parser) environment(name, text string, span Span) *Value {
	p.env[name] = true
	defer delete(p.env, name)

	const key = "pk" // what nats-server calls it; a variable $pk can tell
	src := NewSource("environment variable "+name, p.opts.Layer, key+"="+text)
	src.parent, src.hidden, src.masked = span, len(key)+1, true
	outer := p.errs
	p.errs = nil
	sub := &parser{run: p.run, src: src, text: src.text, dir: "."}
	root := NewMap(src.All())
	sub.parse(root)
	inner := p.errs
	p.errs = outer
	if len(inner) > 0 {
		e := p.fail(span, "environment variable %s cannot be read as a value: %s", plain(name), plain(inner[0].Message))
		e.Notes = append(e.Notes, Note{inner[0].Span, "in its text, here"})
		return nil
	}
	entry := root.fields.Get(key)
	if entry == nil {
		p.fail(span, "environment variable %s holds no value", plain(name))
		return nil
	}
	v := *entry.Value
	v.span, v.used = span, false
	v.ref = &Reference{Name: name, Environment: true}
	return &v
}
