package confparse

import "strings"

// top reads the entries of a file. Braces around entries at the top do not
// make a map: the entries inside belong to the file, so that JSON is a subset.
func (p *parser) top(into *Fields) {
	var open []Span // braces around the current place
	for !p.stop {
		p.skipSpace()
		if p.comment() {
			continue
		}
		start := p.pos
		switch r, w := p.peek(); {
		case w == 0:
			return
		case r == '{':
			p.pos++
			open = append(open, p.span(start))
			p.record.add(tokOpenTop, "{", start)
			continue
		case r == '}' && len(open) > 0:
			open = p.closeTop(open)
			continue
		case r == '}' && len(p.errs) > 0:
			p.pos++ // would be a key; more likely it closes something misread
			continue
		case r == '/':
			p.pos++
			p.fail(p.span(start), "unexpected '/'").WithHint("comments begin with // or #")
			p.resyncTop(len(open))
			continue
		case r == end:
			p.pos++
			p.fail(p.span(start), "unexpected NUL byte")
			p.resyncTop(len(open))
			continue
		}
		v := p.entry(into)
		if p.stop {
			return
		}
		if len(open) == 0 {
			p.endTop(v)
		} else {
			open = p.endBraced(v, open)
		}
	}
}

// resyncTop goes on behind a mistake among the entries of the file, where
// nothing is open that a stray bracket could close, unless braces are.
func (p *parser) resyncTop(open int) {
	p.resync()
	if p.pos < len(p.text) && p.text[p.pos] != '\n' && open == 0 {
		p.pos++
	}
}

// endTop takes what ends an entry of the file: a line end, a separator, a
// comment, or, to the surprise of many, a brace that closes nothing.
func (p *parser) endTop(v *Value) {
	for {
		start := p.pos
		if p.comment() {
			return
		}
		switch r := p.next(); {
		case newline(r), r == end, r == ';', r == ',', r == '}':
			return
		case blank(r), r == '/':
		default:
			p.failEnd(v, start, "the end of the line, ',' or ';'")
			p.pos = start
			p.resyncTop(0)
			return
		}
	}
}

// endBraced takes what ends an entry inside braces at the top.
func (p *parser) endBraced(v *Value, open []Span) []Span {
	for {
		start := p.pos
		if p.comment() {
			continue
		}
		switch r := p.next(); {
		case newline(r), r == ';', r == ',':
			return open
		case r == '}':
			p.pos = start
			return p.closeTop(open)
		case blank(r), r == '/':
		default:
			p.failEnd(v, start, "the end of the line, ',', ';' or '}'")
			p.pos = start
			p.resyncTop(len(open))
			return open
		}
	}
}

// closeTop takes a closing brace at the top and, inside further braces, what
// may follow it.
func (p *parser) closeTop(open []Span) []Span {
	for {
		start := p.pos
		if p.comment() {
			return open
		}
		switch r := p.next(); {
		case r == '}':
			p.record.add(tokCloseTop, "}", start)
			if open = open[:len(open)-1]; len(open) == 0 {
				return open
			}
		case r == ';', r == ',':
			return open
		case newline(r), blank(r), r == '/':
		default:
			p.failFound(start, "expected '}'").WithNote(open[len(open)-1], "the brace is opened here")
			p.resyncTop(len(open))
			return open
		}
	}
}

// entry reads a key and its value, or an include, among the entries of the
// file. It returns the value for the sake of error messages.
func (p *parser) entry(into *Fields) *Value {
	key, span, ok := p.key(true)
	if !ok {
		return nil
	}
	if p.isInclude(key, span) {
		p.include(into)
		return nil
	}
	p.skipSpace()
	switch r, _ := p.peek(); {
	case r == end:
		if key == "}" && p.atEnd() {
			return nil // JSON with a brace too many
		}
		p.failMissing(span, key)
		p.stop = p.stop || p.atEnd()
		p.resync()
		return nil
	case keySep(r):
		p.pos++
	}
	return p.field(into, key, span)
}

// field reads a value and files it under key.
func (p *parser) field(into *Fields, key string, span Span) *Value {
	p.record.key(span)
	v := p.guarded(key)
	if v != nil {
		into.set(Entry{Key: key, KeySpan: span, Value: v})
	}
	return v
}

// key reads a key, quoted or bare. At the top of a file a key may end with the
// file, in a map it may not.
func (p *parser) key(top bool) (string, Span, bool) {
	start := p.pos
	switch r, _ := p.peek(); {
	case keySep(r):
		p.pos++
		p.fail(p.span(start), "expected a key before '%c'", r)
		p.resync()
		return "", Span{}, false
	case r == '"', r == '\'':
		return p.quotedKey(r)
	}
	return p.bareKey(top)
}

// bareKey reads a key without quotes. Its first character may be anything: the
// callers have looked at it, except behind a stray slash.
func (p *parser) bareKey(top bool) (string, Span, bool) {
	start := p.pos
	p.next()
	for {
		r, w := p.peek()
		if space(r) || keySep(r) {
			break
		}
		if r == end {
			if !top {
				p.failMissing(p.span(start), p.text[start:p.pos])
				p.stop = true
				return "", Span{}, false
			}
			break
		}
		p.pos += w
	}
	return p.text[start:p.pos], p.span(start), true
}

// quotedKey reads a key in quotes, in which nothing is an escape.
func (p *parser) quotedKey(quote rune) (string, Span, bool) {
	start := p.pos
	p.pos++
	for p.pos < len(p.text) && p.text[p.pos] != 0 {
		if rune(p.text[p.pos]) == quote {
			p.pos++
			return p.text[start+1 : p.pos-1], p.span(start), true
		}
		p.pos++
	}
	p.pos = start + 1
	p.fail(p.span(start), "the quote around this key is not closed")
	p.pos = start
	p.skipLine()
	return "", Span{}, false
}

// isInclude reports whether the key just read is the word include followed by
// white space; in quotes or before a separator it is a key like any other.
func (p *parser) isInclude(key string, span Span) bool {
	r, _ := p.peek()
	return len(key) == len("include") && strings.EqualFold(key, "include") &&
		int(span.end-span.start) == len(key) && space(r)
}

// mapping reads the entries of a map up to its brace; the opening one is taken.
func (p *parser) mapping(opened Span) *Value {
	v := NewMap(opened)
	p.scopes = append(p.scopes, v.fields)
	defer func() { p.scopes = p.scopes[:len(p.scopes)-1] }()
	for !p.stop {
		p.skipSpace()
		if p.comment() {
			continue
		}
		start := p.pos
		switch r, w := p.peek(); {
		case w == 0 || r == end:
			p.failOpen(opened, "map", '}')
			return nil
		case r == '}':
			p.pos++
			p.record.add(tokClose, "}", start)
			v.span = opened.to(p.span(start))
			return v
		case r == ']':
			p.pos++
			p.fail(p.span(start), "expected a key or '}', found ']'").WithNote(opened, "the map begins here")
			p.resync()
			continue
		case r == '/':
			p.pos++ // dropped, whatever follows begins the key
			if p.atEnd() {
				continue
			}
		}
		last, closed := p.mapEntry(v.fields, p.pos > start)
		if closed || p.stop {
			v.span = opened.to(p.src.Span(p.pos, p.pos))
			return v
		}
		p.endMapEntry(last, opened)
	}
	return nil
}

// mapEntry reads one entry of a map. It reports whether the map was closed in
// place of a value, which is a mistake but ends the map.
func (p *parser) mapEntry(into *Fields, slashed bool) (last *Value, closed bool) {
	var (
		key  string
		span Span
		ok   bool
	)
	if slashed {
		key, span, ok = p.bareKey(false)
	} else {
		key, span, ok = p.key(false)
	}
	if !ok {
		return nil, false
	}
	if p.isInclude(key, span) {
		p.include(into)
		return nil, false
	}
	p.skipSpace()
	if r, _ := p.peek(); keySep(r) {
		p.pos++
		p.skipSpace()
	}
	switch start := p.pos; {
	case p.ahead(","):
		p.pos++
		p.failMissing(p.span(start), key)
		p.pos = start
		return nil, false
	case p.ahead("}"):
		p.failMissing(span, key)
		p.pos++
		p.record.add(tokClose, "}", start)
		return nil, true
	}
	return p.field(into, key, span), false
}

// endMapEntry takes what ends an entry of a map, except the closing brace.
func (p *parser) endMapEntry(v *Value, opened Span) {
	for !p.stop {
		start := p.pos
		if p.comment() {
			continue
		}
		if p.ahead("}") {
			return
		}
		switch r := p.next(); {
		case newline(r), r == ';', r == ',', r == '/':
			return
		case blank(r):
		case r == end:
			p.failOpen(opened, "map", '}')
			return
		default:
			p.failEnd(v, start, "the end of the line, ',', ';' or '}'")
			p.pos = start
			p.resync()
			return
		}
	}
}

// array reads the values of an array up to its bracket; the opening one is
// taken.
func (p *parser) array(opened Span) *Value {
	v := NewArray(opened)
	for !p.stop {
		p.skipSpace()
		if p.comment() {
			continue
		}
		start := p.pos
		switch r, w := p.peek(); {
		case w == 0:
			p.failOpenArray(v)
			return nil
		case r == ']':
			p.pos++
			p.record.add(tokClose, "]", start)
			v.span = opened.to(p.span(start))
			return v
		case r == '}':
			p.fail(p.src.Span(start, start+1), "expected ']', found '}'").WithNote(opened, "the array begins here")
			return nil
		case r == ',' || r == '/':
			p.pos++
			p.fail(p.span(start), "expected a value, found '%c'", r)
			continue
		}
		item := p.value()
		if p.stop {
			return nil
		}
		if item != nil {
			v.items = append(v.items, item)
		}
		if !p.endItem(item, v) {
			return nil
		}
	}
	return nil
}

// endItem takes what ends a value of an array, except the closing bracket. It
// reports false if the array makes no sense any more.
func (p *parser) endItem(v, array *Value) bool {
	for !p.stop {
		start := p.pos
		if p.comment() {
			continue
		}
		if p.ahead("]") {
			return true
		}
		switch r := p.next(); {
		case newline(r), r == ',', r == '/':
			return true
		case blank(r):
		case r == end:
			p.failOpenArray(array)
			return false
		case r == '}':
			p.pos = start
			p.fail(p.src.Span(start, start+1), "expected ']', found '}'").WithNote(array.span, "the array begins here")
			return false
		default:
			p.failEnd(v, start, "the end of the line, ',' or ']'")
			p.pos = start
			p.resync()
			return true
		}
	}
	return false
}
