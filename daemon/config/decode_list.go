package config

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/nats-broker/nats-broker/confparse"
)

// strs reads a list of strings; single says whether one string alone stands for a list of one.
func (d *decoder) strs(at place, v *confparse.Value, single bool) ([]string, []*confparse.Value, bool) {
	if s, ok := v.Str(); ok && single {
		return []string{s}, []*confparse.Value{v}, true
	}
	if v.Kind() != confparse.Array {
		d.mistyped(at, v)
		return nil, nil, false
	}
	list, ok := []string{}, true
	for _, item := range v.Items() {
		s, is := item.Str()
		if !is {
			d.fail(at, item.Span(), "every entry of %s must be a string, found %s", at.label(), found(at.opt, item))
			ok = false
			continue
		}
		list = append(list, s)
	}
	return list, v.Items(), ok
}

func decodeStrings(d *decoder, at place, v *confparse.Value, into any) {
	if list, _, ok := d.strs(at, v, true); ok {
		put(into, list)
	}
}

func decodeStringMap(d *decoder, at place, v *confparse.Value, into any) {
	if v.Kind() != confparse.Map {
		d.mistyped(at, v)
		return
	}
	m := make(map[string]string, v.Fields().Len())
	for _, e := range v.Fields().All() {
		s, ok := e.Value.Str()
		if !ok {
			d.fail(at, e.Value.Span(), "%s in %s must be a string, found %s", e.Key, at.label(), found(at.opt, e.Value))
			continue
		}
		if at.opt.check != nil {
			if wrong := at.opt.check([2]string{e.Key, s}); wrong != "" {
				d.fail(at, e.Value.Span(), "%s", wrong)
				continue
			}
		}
		m[e.Key] = s
	}
	put(into, m)
}

func decodeBoolMap(d *decoder, at place, v *confparse.Value, into any) {
	if v.Kind() != confparse.Map {
		d.mistyped(at, v)
		return
	}
	m := make(map[string]bool, v.Fields().Len())
	for _, e := range v.Fields().All() {
		b, ok := e.Value.Bool()
		if !ok {
			d.fail(at, e.Value.Span(), "%s in %s must be true or false, found %s", e.Key, at.label(), found(at.opt, e.Value))
			continue
		}
		m[e.Key] = b
	}
	put(into, m)
}

// decodeURLs reads the URLs of peers. One that is there twice is taken once, with a warning.
func decodeURLs(d *decoder, at place, v *confparse.Value, into any) { d.urls(at, v, false, into) }

// decodeURLOrList takes a single URL too.
func decodeURLOrList(d *decoder, at place, v *confparse.Value, into any) { d.urls(at, v, true, into) }

func (d *decoder) urls(at place, v *confparse.Value, single bool, into any) {
	list, items, ok := d.strs(at, v, single)
	if !ok {
		return
	}
	urls, seen := make([]*url.URL, 0, len(list)), map[string]bool{}
	for i, s := range list {
		if seen[s] {
			d.warns = append(d.warns, Warning{Fatal: true, Error: &confparse.Error{
				Span: items[i].Span(), Message: fmt.Sprintf("duplicate %s entry", singular(at.opt.Name)), Secret: true,
			}})
			continue
		}
		seen[s] = true
		u, err := url.Parse(strings.TrimSpace(s))
		if err != nil {
			// The text may hold a password; it is not shown.
			d.fail(at, items[i].Span(), "this %s is not a URL: %s", singular(at.opt.Name), urlProblem(err)).Secret = true
			continue
		}
		urls = append(urls, u)
	}
	put(into, urls)
}

// urlProblem is what is wrong with a URL, without the URL, which may hold a password.
func urlProblem(err error) string {
	if e, ok := err.(*url.Error); ok {
		text := e.Err.Error()
		if strings.Contains(text, "port") {
			return "its port is not a number"
		}
		if strings.Contains(text, "scheme") {
			return "it has no scheme such as nats://"
		}
	}
	return "expected a form like nats://user:password@host:port"
}

func singular(name string) string { return strings.TrimSuffix(name, "s") }

func decodeDurations(d *decoder, at place, v *confparse.Value, into any) {
	list, items, ok := d.strs(at, v, false)
	if !ok {
		return
	}
	durs := make([]time.Duration, 0, len(list))
	for i, s := range list {
		dur, err := time.ParseDuration(s)
		if err != nil {
			d.fail(at, items[i].Span(), "error parsing %s: %s", at.label(), durationProblem(s))
			continue
		}
		durs = append(durs, dur)
	}
	put(into, durs)
}
