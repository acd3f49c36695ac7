package monitor

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// query decodes URL parameters. The first that cannot be decoded is kept in
// err with nats-server's text; later calls return zero values.
type query struct {
	values url.Values
	err    error
}

func (q *query) text(name string) string { return q.values.Get(name) }

func (q *query) boolean(name string) bool {
	return decode(q, name, "boolean", strconv.ParseBool)
}

func (q *query) integer(name string) int {
	return decode(q, name, "int", strconv.Atoi)
}

func (q *query) unsigned(name string) uint64 {
	return decode(q, name, "uint64", func(s string) (uint64, error) { return strconv.ParseUint(s, 10, 64) })
}

func decode[T any](q *query, name, kind string, parse func(string) (T, error)) (v T) {
	s := q.values.Get(name)
	if q.err != nil || s == "" {
		return v
	}
	v, err := parse(s)
	if err != nil {
		q.err = fmt.Errorf("Error decoding %s for '%s': %v", kind, name, err) //nolint:staticcheck // the text is the protocol
		var zero T
		return zero
	}
	return v
}

// subs decodes subs=, which is a boolean or the word "detail".
func (q *query) subs() (list, detail bool) {
	if strings.EqualFold(q.values.Get("subs"), "detail") {
		return false, true
	}
	return q.boolean("subs"), false
}

func (q *query) state() ConnState {
	s := q.values.Get("state")
	if q.err != nil {
		return ConnOpen
	}
	switch strings.ToLower(s) {
	case "", "open":
		return ConnOpen
	case "closed":
		return ConnClosed
	case "any", "all":
		return ConnAll
	}
	q.err = fmt.Errorf("Error decoding state for %s", s) //nolint:staticcheck // the text is the protocol
	return ConnOpen
}
