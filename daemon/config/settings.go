package config

import (
	"strings"

	"github.com/nats-broker/nats-broker/confparse"
)

// A settings is a layer made of single values, from flags or the environment, on its way to a tree.
type settings struct {
	order  []string
	values map[string]*confparse.Value
}

// set puts a value at a path of the registry; a later one replaces an earlier one.
func (s *settings) set(path string, v *confparse.Value) {
	if s.values == nil {
		s.values = map[string]*confparse.Value{}
	}
	if _, ok := s.values[path]; !ok {
		s.order = append(s.order, path)
	}
	s.values[path] = v
}

// tree returns the layer as a map.
func (s *settings) tree() *confparse.Value { return s.below("") }

// below returns the map of everything whose path begins with prefix.
func (s *settings) below(prefix string) *confparse.Value {
	var entries []confparse.Entry
	seen := map[string]bool{}
	for _, path := range s.order {
		rest, ok := strings.CutPrefix(path, prefix)
		if !ok {
			continue
		}
		name, deeper, nested := strings.Cut(rest, ".")
		if seen[name] {
			continue
		}
		seen[name] = true
		v := s.values[path]
		span := v.Span()
		if nested && deeper != "" {
			v = s.below(prefix + name + ".")
		}
		entries = append(entries, confparse.Entry{Key: name, KeySpan: span, Value: v})
	}
	var span confparse.Span
	if len(entries) > 0 {
		span = entries[0].KeySpan
	}
	return confparse.NewMap(span, entries...)
}
