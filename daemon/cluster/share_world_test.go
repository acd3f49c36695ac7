package cluster

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/nats-broker/nats-broker/daemon/broker"
)

// dice makes worlds at random.
type dice struct {
	*rand.Rand
	words  []string
	tokens int // of a subject, at most
	queued int // percent of the subscriptions
}

// diceOf makes dice for crowded worlds, in which much of what is shared overlaps, and for
// wider ones.
func diceOf(seed uint64) dice {
	d := dice{Rand: rand.New(rand.NewPCG(seed, 16))}
	d.words = []string{"a", "b", "c"}[:2+d.IntN(2)]
	d.tokens = 2 + d.IntN(2)
	d.queued = oneOf(d, []int{20, 40, 70})
	return d
}

func (d dice) chance(percent int) bool { return d.IntN(100) < percent }

func oneOf[T any](d dice, list []T) T { return list[d.IntN(len(list))] }

// shape is a pattern.
func (d dice) shape(wild int) (s shape) {
	for i := range 1 + d.IntN(d.tokens) {
		switch {
		case d.chance(wild / 3):
			return append(s, ">")
		case d.chance(wild):
			s = append(s, fmt.Sprint("*", i+1))
		default:
			s = append(s, oneOf(d, d.words))
		}
	}
	return s
}

// renumbered gives wildcards the numbers that their place says.
func (s shape) renumbered() shape {
	n := 0
	list := slices.Clone(s)
	for i, t := range list {
		if t[0] == '*' {
			n++
			list[i] = fmt.Sprint("*", n)
		}
	}
	return list
}

// share is two shapes with the same wildcards.
func (d dice) share(wild int) share {
	there := d.shape(wild).renumbered()
	here := slices.Clone(there)
	switch d.IntN(5) {
	case 0:
	case 1: // a prefix
		here = append(shape{oneOf(d, d.words)}, here...)
	case 2: // other words
		for i, t := range here {
			if t != ">" && t[0] != '*' {
				here[i] = oneOf(d, d.words)
			}
		}
	case 3: // another order
		end := len(here)
		if here[end-1] == ">" {
			end--
		}
		d.Shuffle(end, func(i, j int) { here[i], here[j] = here[j], here[i] })
	case 4: // one word less, or more
		at := slices.IndexFunc(here, func(t string) bool { return t != ">" && t[0] != '*' })
		if at >= 0 && len(here) > 1 {
			here = slices.Delete(here, at, at+1)
		} else {
			here = append(shape{oneOf(d, d.words)}, here...)
		}
	}
	return share{there: there, here: here, share: d.chance(40)}
}

// world is accounts and clients on some servers. Sound ones are those that nats-server is
// right about: no imports of everything, no circles, and what is asked is not exported as a
// stream.
func (d dice) world(servers int, sound bool) *world {
	w := &world{theirs: sound}
	for i := range 2 + d.IntN(d.tokens+1) {
		w.accounts = append(w.accounts, &shares{name: string(rune('A' + i))})
	}
	for i := range w.accounts {
		d.fill(w, i, sound)
	}
	for range 2 + d.IntN(6) {
		c := &party{id: len(w.clients), of: oneOf(d, w.accounts), server: d.IntN(servers)}
		c.noEcho = servers == 1 && d.chance(20) // what comes back from another server is not known to be its own
		for range d.IntN(5) {
			d.subscribe(c)
		}
		w.clients = append(w.clients, c)
	}
	return w
}

// fill makes what an account shares.
func (d dice) fill(w *world, i int, sound bool) {
	s := w.accounts[i]
	s.services, s.streams, s.mappings = nil, nil, nil
	for range d.IntN(4) {
		im := d.share(25)
		im.of = oneOf(d, w.accounts)
		if im.of == s || sound && (slices.Index(w.accounts, im.of) >= i || im.here.wide() || overlaps(s.services, im)) {
			continue
		}
		s.services = append(s.services, im)
	}
	for range d.IntN(3) {
		im := d.share(50)
		im.of = oneOf(d, w.accounts)
		if im.of == s || sound && (slices.Index(w.accounts, im.of) >= i || overlaps(s.streams, im)) {
			continue
		}
		s.streams = append(s.streams, im)
	}
	for range d.IntN(3) {
		m := d.share(20)
		twice := slices.ContainsFunc(s.mappings, func(o share) bool { return o.there.text() == m.there.text() })
		if !m.there.wide() && !twice && !(sound && len(s.mappings) > 0) && d.chance(60) {
			s.mappings = append(s.mappings, m)
		}
	}
}

// subscribe adds a subscription to a client.
func (d dice) subscribe(c *party) *listening {
	c.sids++
	l := &listening{by: c, sid: c.sids, pattern: d.shape(40)}
	if d.chance(d.queued) {
		l.queue = oneOf(d, []string{"q", "q", "p"})
	}
	c.subs = append(c.subs, l)
	return l
}

// subject is one that an import, a mapping or a subscription may be about.
func (d dice) subject() string {
	var list []string
	for range 1 + d.IntN(d.tokens) {
		list = append(list, oneOf(d, d.words))
	}
	return strings.Join(list, ".")
}

// overlaps reports whether an import begins as another one does.
func overlaps(list []share, im share) bool {
	return slices.ContainsFunc(list, func(o share) bool { return o.here[0] == im.here[0] || o.here.wide() || im.here.wide() })
}

// config is the accounts as nats-server takes them.
func (w *world) config() string {
	var b strings.Builder
	b.WriteString("accounts {\n")
	for _, s := range w.accounts {
		fmt.Fprintf(&b, "%s { users: [{user: %s, password: %s}]\n exports: [", s.name, s.name, s.name)
		for _, o := range w.accounts {
			for _, i := range o.services {
				if i.of == s {
					fmt.Fprintf(&b, " {service: %q},", i.there.text())
				}
			}
			for _, i := range o.streams {
				if i.of == s {
					fmt.Fprintf(&b, " {stream: %q},", i.there.text())
				}
			}
		}
		b.WriteString(" ]\n imports: [")
		for _, i := range s.services {
			fmt.Fprintf(&b, " {service: {account: %s, subject: %q}, to: %q, share: %v},", i.of.name, i.there.text(), i.here.numbered(), i.share)
		}
		for _, i := range s.streams {
			fmt.Fprintf(&b, " {stream: {account: %s, subject: %q}, to: %q},", i.of.name, i.there.text(), i.here.numbered())
		}
		b.WriteString(" ]\n mappings: {")
		for _, m := range s.mappings {
			fmt.Fprintf(&b, " %q: %q\n", m.there.text(), m.here.numbered())
		}
		b.WriteString(" } }\n")
	}
	return b.String() + "}\n"
}

// options is the accounts as the broker takes them.
func (w *world) options() (list []broker.AccountOptions) {
	for _, s := range w.accounts {
		o := broker.AccountOptions{Name: s.name}
		for _, i := range s.services {
			o.Services = append(o.Services, broker.ServiceImport{Account: i.of.name, Subject: i.there.text(), Local: i.here.numbered(), Share: i.share})
		}
		for _, i := range s.streams {
			o.Streams = append(o.Streams, broker.StreamImport{Account: i.of.name, Subject: i.there.text(), Local: i.here.numbered()})
		}
		for _, m := range s.mappings {
			o.Mappings = append(o.Mappings, broker.Mapping{Source: m.there.text(), Destinations: []broker.MappingDestination{{Subject: m.here.numbered(), Weight: 100}}})
		}
		list = append(list, o)
	}
	return list
}
