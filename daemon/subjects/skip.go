package subjects

import "github.com/nats-broker/nats-broker/daemon/subject"

// seek says where a search through sorted names goes on behind name: at *to, the smallest name
// behind it that the filter may ask for, which is written into to. match reports that name
// itself is asked for; to is not set then. more is false if nothing behind it can match.
//
// So a wildcard in the middle costs as many steps as there are different tokens at its place,
// not as many as there are names.
func (f *Filter) seek(name, to []byte) (next []byte, match, more bool) {
	if f.All() {
		return to, true, true
	}
	if len(f.patterns) == 1 {
		return seekPattern(f.patterns[0], name, to[:0])
	}
	var best, other []byte
	for _, p := range f.patterns {
		t, match, ok := seekPattern(p, name, other[:0])
		if match {
			return to, true, true
		}
		if ok && (!more || string(t) < string(best)) {
			best, other, more = t, best, true
		}
	}
	return append(to[:0], best...), false, more
}

// seekPattern is seek for one pattern.
//
// Names that begin with the same tokens, the dot behind them included, lie together. So
// whatever cannot match below such a beginning is passed over as a whole, by going to the beginning
// with its dot replaced by the next byte.
func seekPattern(pattern string, name, to []byte) (next []byte, match, more bool) {
	const afterDot = '.' + 1
	back := -1 // the end of the last token that a wildcard matched
	rest, at := pattern, 0
	for {
		p, prest, pmore := subject.Next(rest)
		t, _, tmore := subject.Next(name[at:])
		end := at + len(t)
		switch {
		case p == ">" && !pmore:
			if subject.Matches(">", name[at:]) {
				return to, true, true
			}
			return append(append(to, name...), 0), false, true
		case p == "*":
			if len(t) == 0 {
				return append(append(to, name...), 0), false, true
			}
			back = end
		case p != string(t):
			to = append(append(to, name[:at]...), p...)
			if pmore {
				to = append(to, '.')
			}
			if string(to) > string(name) {
				return to, false, true
			}
			if back < 0 {
				return to, false, false
			}
			return append(append(to[:0], name[:back]...), afterDot), false, true
		}
		switch {
		case !pmore && !tmore:
			return to, true, true
		case !pmore:
			// The pattern ends and the name does not: neither does any below this token.
			return append(append(to, name[:end]...), afterDot), false, true
		case !tmore:
			// The name ends first. What follows may be longer, or another token at this place.
			return append(append(to, name...), 0), false, true
		}
		rest, at = prest, end+1
	}
}

// start returns the smallest name that the filter may ask for; ok is false for a filter that
// asks for everything.
func (f *Filter) start(to []byte) (first []byte, ok bool) {
	if f.All() {
		return to, false
	}
	var best []byte
	for i, p := range f.patterns {
		head := literalHead(p)
		if i == 0 || head < string(best) {
			best = append(best[:0], head...)
		}
	}
	return append(to[:0], best...), true
}

// literalHead returns what every subject begins with that matches a pattern.
func literalHead(pattern string) string {
	rest := pattern
	for {
		p, prest, more := subject.Next(rest)
		if p == "*" || p == ">" && !more {
			return pattern[:len(pattern)-len(rest)]
		}
		if !more {
			return pattern
		}
		rest = prest
	}
}
