package cluster

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// This file is a model of who may receive what among accounts that share: pure, slow, and
// written from what is promised, not from how the broker does it. It knows no servers: a
// cluster behaves as one.

// shape is a pattern of tokens: literal ones, wildcards "*1", "*2" … by their number, and
// ">" at the end. Two shapes with the same wildcards say how one subject becomes another.
type shape []string

// text is the shape as it is written in a subscription.
func (s shape) text() string {
	var list []string
	for _, t := range s {
		if t[0] == '*' {
			t = "*"
		}
		list = append(list, t)
	}
	return strings.Join(list, ".")
}

// numbered is the shape as the destination of a mapping.
func (s shape) numbered() string {
	var list []string
	for _, t := range s {
		if t[0] == '*' {
			t = "$" + t[1:]
		}
		list = append(list, t)
	}
	return strings.Join(list, ".")
}

// wide reports whether the shape begins with a wildcard.
func (s shape) wide() bool { return s[0][0] == '*' || s[0] == ">" }

// bind matches a subject, and says what the wildcards stand for.
func (s shape) bind(subject string) (map[string]string, bool) {
	tokens, bound := strings.Split(subject, "."), map[string]string{}
	for i, t := range s {
		switch {
		case i >= len(tokens):
			return nil, false
		case t == ">":
			bound[t] = strings.Join(tokens[i:], ".")
			return bound, true
		case t[0] == '*':
			bound[t] = tokens[i]
		case t != tokens[i]:
			return nil, false
		}
	}
	return bound, len(tokens) == len(s)
}

func (s shape) matches(subject string) bool { _, ok := s.bind(subject); return ok }

// render is the subject of the shape for what the wildcards stand for.
func (s shape) render(bound map[string]string) string {
	var list []string
	for _, t := range s {
		if v, ok := bound[t]; ok {
			t = v
		}
		list = append(list, t)
	}
	return strings.Join(list, ".")
}

// rename is what becomes of a subject from one shape to another.
func rename(from, to shape, subject string) (string, bool) {
	bound, ok := from.bind(subject)
	if !ok {
		return "", false
	}
	return to.render(bound), true
}

// world is accounts that share, and the clients there are.
type world struct {
	accounts []*shares
	clients  []*party

	// theirs has the model follow nats-server where that differs on purpose: a message that
	// enters by an import of a service is private though it asks for no answer, and what is
	// published on a way back is exported as a stream.
	theirs bool
}

// shares is what one account shares.
type shares struct {
	name     string
	services []share
	streams  []share
	mappings []share // of is nil
}

// share is an import, or a mapping of the subjects "there" to those "here".
type share struct {
	of          *shares // the account it comes from
	there, here shape
	share       bool // the service is told all of who asks
}

// party is a client.
type party struct {
	id      int
	of      *shares
	server  int
	noEcho  bool
	subs    []*listening
	sids    int // subscriptions ever
	talking *talk
}

// listening is a subscription.
type listening struct {
	by      *party
	sid     int
	pattern shape
	queue   string
}

// note is what a subscription is given.
type note struct {
	to      *listening
	subject string
	reply   *place // nil: no reply subject
	told    string // of who asks: the account, "+" if more, and for whom; "any": the model does not know
}

// place is where an answer goes: a subject that a client has named, or the way back of a
// request.
type place struct {
	subject string
	from    *shares // of the service that is asked; nil for a subject
	back    *shares // of who asks
	reply   *place  // there
	closed  bool
}

func (p *place) text() string {
	switch {
	case p == nil:
		return ""
	case p.from != nil:
		return wayBack
	}
	return p.subject
}

// wayBack stands for reply subjects that the broker makes: three tokens, as they have.
const wayBack = "_R_.0.0"

// audience is who gets a message: each of the plain ones, and one of each group.
type audience struct {
	plain  []note
	groups [][]note
}

// arrival is how a message comes into an account.
type arrival struct {
	by      *party // who published
	answer  bool
	request bool // or what an answer has become
	came    *shares
	via     []*share
	told    string
}

const mostHops = 16

// published is what becomes of a message that a client publishes.
func (w *world) published(by *party, subject string, reply *place) (o audience) {
	w.enter(by.of, by.of.mapped(subject), reply, arrival{by: by}, &o)
	return o
}

// answered is what becomes of an answer that a client publishes to a way back.
func (w *world) answered(by *party, to *place) (o audience) {
	w.enter(by.of, wayBack, nil, arrival{by: by}, &o)
	if by.of == to.from {
		w.back(to, arrival{by: by}, &o)
	}
	return o
}

// back lets an answer go where it is waited for.
func (w *world) back(to *place, a arrival, o *audience) {
	if to.closed {
		return
	}
	to.closed = true
	a = arrival{by: a.by, answer: true, came: to.from, told: "any"}
	w.enter(to.back, to.reply.text(), nil, a, o)
	if to.reply.from != nil {
		w.back(to.reply, a, o)
	}
}

func (s *shares) mapped(subject string) string {
	for _, m := range s.mappings {
		if to, ok := rename(m.there, m.here, subject); ok {
			return to
		}
	}
	return subject
}

// enter gives a message to who receives it in an account, and sends it on.
func (w *world) enter(in *shares, subject string, reply *place, a arrival, o *audience) {
	groups := map[string][]note{}
	give := func(l *listening, as, told string) {
		switch {
		case l.by == a.by && l.by.noEcho:
		case l.queue == "":
			o.plain = append(o.plain, note{l, as, reply, told})
		default:
			groups[l.queue] = append(groups[l.queue], note{l, as, reply, told})
		}
	}
	private := a.answer || a.request || subject == wayBack
	if w.theirs {
		private = a.answer || len(a.via) > 0
	}
	for _, c := range w.clients {
		for _, l := range c.subs {
			if c.of == in && l.pattern.matches(subject) {
				give(l, subject, a.told)
			}
			for i := range c.of.streams {
				im := &c.of.streams[i]
				as, ok := rename(im.there, im.here, subject)
				if im.of == in && ok && l.pattern.matches(as) && !private {
					give(l, as, "")
				}
			}
		}
	}
	for _, name := range slices.Sorted(func(yield func(string) bool) {
		for k := range groups {
			if !yield(k) {
				return
			}
		}
	}) {
		o.groups = append(o.groups, groups[name])
	}
	if subject == wayBack {
		return // for who asks
	}
	for i := range in.services {
		im := &in.services[i]
		to, ok := rename(im.here, im.there, subject)
		switch {
		case !ok, len(a.via) == mostHops, slices.Contains(a.via, im):
			continue
		case a.answer && (im.here.wide() || im.of == a.came):
			continue
		}
		next := arrival{by: a.by, request: reply != nil || a.answer || a.request, via: append(slices.Clone(a.via), im), told: a.told}
		switch {
		case a.told == "any": // who answered on another server is not known where the answer goes on
		case len(a.via) == 0:
			next.told = a.by.of.name
			if im.share {
				next.told += "+"
			}
		default:
			first, _, _ := strings.Cut(a.told, " ")
			next.told = first + " for " + in.name
		}
		var back *place
		if reply != nil {
			back = &place{from: im.of, back: in, reply: reply}
		}
		w.enter(im.of, im.of.mapped(to), back, next, o)
	}
}

// fits compares what was received with what may be: it returns what is wrong, and for each
// note received the one of the audience that it is, if only one can be meant.
func (o *audience) fits(got []note) (wrong string, meant map[int]note) {
	meant = map[int]note{}
	left := make([]int, 0, len(got))
	plain := slices.Clone(o.plain)
	for i, g := range got {
		if g.to.queue != "" {
			left = append(left, i)
			continue
		}
		at := slices.IndexFunc(plain, func(p note) bool { return p.is(g) })
		if at < 0 {
			return "nobody sent " + g.String(), nil
		}
		if one, ok := only(o.plain, g); ok {
			meant[i] = one
		}
		plain = slices.Delete(plain, at, at+1)
	}
	if len(plain) > 0 {
		return "lost: " + plain[0].String(), nil
	}
	var need [][]note
	for _, g := range o.groups {
		if len(g) > 0 {
			need = append(need, g)
		}
	}
	if len(need) != len(left) {
		return fmt.Sprintf("%d messages for %d queue groups: %v of %v", len(left), len(need), pick(got, left), need), nil
	}
	if !pair(got, left, need, make([]bool, len(need))) {
		return fmt.Sprintf("the queue groups %v have %v", need, pick(got, left)), nil
	}
	for _, i := range left {
		if one, ok := only(slices.Concat(need...), got[i]); ok {
			meant[i] = one
		}
	}
	return "", meant
}

// only finds the one note that a received one can be.
func only(list []note, got note) (one note, ok bool) {
	for _, n := range list {
		if n.is(got) {
			if ok {
				return note{}, false
			}
			one, ok = n, true
		}
	}
	return one, ok
}

// pair finds for each message a group that it can be of.
func pair(got []note, left []int, need [][]note, taken []bool) bool {
	if len(left) == 0 {
		return true
	}
	for k, g := range need {
		if taken[k] || !slices.ContainsFunc(g, func(p note) bool { return p.is(got[left[0]]) }) {
			continue
		}
		taken[k] = true
		if pair(got, left[1:], need, taken) {
			return true
		}
		taken[k] = false
	}
	return false
}

func pick(got []note, which []int) (list []note) {
	for _, i := range which {
		list = append(list, got[i])
	}
	return list
}

// is reports whether a note received can be n.
func (n note) is(got note) bool {
	return n.to == got.to && n.subject == got.subject && n.reply.text() == got.reply.text() && (n.told == "any" || n.told == got.told)
}

func (n note) String() string {
	s := n.to.String() + " gets " + n.subject
	if n.reply != nil {
		s += " reply " + n.reply.text()
	}
	if n.told != "" {
		s += " told " + strconv.Quote(n.told)
	}
	return s
}

func (l *listening) String() string {
	s := fmt.Sprintf("%s%d[%s", l.by.of.name, l.by.id, l.pattern.text())
	if l.queue != "" {
		s += " " + l.queue
	}
	return s + "]"
}

func (w *world) String() string {
	var b strings.Builder
	for _, s := range w.accounts {
		fmt.Fprintf(&b, "%s\n", s.name)
		for _, i := range s.services {
			fmt.Fprintf(&b, "  service %s of %s, here %s, share %v\n", i.there.text(), i.of.name, i.here.numbered(), i.share)
		}
		for _, i := range s.streams {
			fmt.Fprintf(&b, "  stream %s of %s, here %s\n", i.there.text(), i.of.name, i.here.numbered())
		}
		for _, m := range s.mappings {
			fmt.Fprintf(&b, "  mapping %s to %s\n", m.there.text(), m.here.numbered())
		}
	}
	for _, c := range w.clients {
		fmt.Fprintf(&b, "%s%d on server %d, no echo %v:", c.of.name, c.id, c.server, c.noEcho)
		for _, l := range c.subs {
			fmt.Fprintf(&b, " %s", l)
		}
		b.WriteString("\n")
	}
	return b.String()
}
