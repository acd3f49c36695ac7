package monitor

import (
	"cmp"
	"slices"
)

// places divides sources that are many, come and go (accounts, routes) among a bounded
// number of names to be shown, and adds up what each has counted. Whoever has a place keeps
// it; those who have none are summed up under the empty name. It is not safe for concurrent
// use.
type places struct {
	names map[string]bool
	last  map[string]*reading // of the sources there were when last read
	total map[string]*figures // by the name they are shown under
	round uint64
}

// figures are counters of a source: see accountFigures and routeFigures.
type figures [9]uint64

type reading struct {
	figures
	round uint64
}

// candidate is a source as it is now.
type candidate struct {
	id   string // of the source
	name string // to be shown under, if there is a place
	figures
	traffic uint64 // who has most comes first
}

// read divides the places and counts. Where all find room all get one. Otherwise those
// with most traffic do, and those with none wait until they have some.
func (p *places) read(list []candidate, limit int) {
	if p.names == nil {
		p.names, p.last, p.total = make(map[string]bool), make(map[string]*reading), make(map[string]*figures)
	}
	placed := p.assign(list, limit)
	p.round++
	for i := range list {
		c := &list[i]
		was := p.last[c.id]
		known := was != nil
		if !known {
			was = &reading{}
			p.last[c.id] = was
		}
		under := p.shownAs(c.name)
		if known && slices.Contains(placed, c.name) {
			under = "" // it was counted there until now
			p.sum(c.name)
		}
		t := p.sum(under)
		for k := range c.figures {
			t[k] += grown(was.figures[k], c.figures[k])
		}
		was.figures, was.round = c.figures, p.round
	}
	for id, r := range p.last {
		if r.round != p.round {
			delete(p.last, id)
		}
	}
}

// assign gives places away and returns the names that got one.
func (p *places) assign(list []candidate, limit int) (placed []string) {
	wanted := make(map[string]uint64) // traffic by name, of those without
	for i := range list {
		if c := &list[i]; c.name != "" && !p.names[c.name] {
			wanted[c.name] += c.traffic
		}
	}
	room := limit - len(p.names)
	for name, traffic := range wanted {
		if len(wanted) <= room || traffic > 0 {
			placed = append(placed, name)
		}
	}
	slices.SortFunc(placed, func(a, b string) int {
		return cmp.Or(cmp.Compare(wanted[b], wanted[a]), cmp.Compare(a, b))
	})
	placed = placed[:max(0, min(room, len(placed)))]
	for _, name := range placed {
		p.names[name] = true
	}
	return placed
}

// shownAs is the name that a source is shown under.
func (p *places) shownAs(name string) string {
	if p.names[name] {
		return name
	}
	return ""
}

func (p *places) sum(name string) *figures {
	t := p.total[name]
	if t == nil {
		t = new(figures)
		p.total[name] = t
	}
	return t
}

// all is the sum over all names.
func (p *places) all() (sum figures) {
	for _, t := range p.total {
		for k := range t {
			sum[k] += t[k]
		}
	}
	return sum
}

// keep gives a place to a name that had one in the process before.
func (p *places) keep(name string) {
	if p.names == nil {
		p.names, p.last, p.total = make(map[string]bool), make(map[string]*reading), make(map[string]*figures)
	}
	p.names[name] = true
}
