package broker

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/nats-broker/nats-broker/daemon/proto"
	"github.com/nats-broker/nats-broker/daemon/subject"
)

// Mapping renames subjects that clients publish on, before anything else looks at
// them.
type Mapping struct {
	Source       string
	Destinations []MappingDestination
}

// MappingDestination is one way a mapping goes.
type MappingDestination struct {
	Subject string
	Weight  int    // percent of the messages
	Cluster string // only in the cluster of this name; empty: in any without ways of its own
}

// mapping is a Mapping in use.
type mapping struct {
	source string
	ways   []way            // by weight
	local  map[string][]way // of clusters
}

// way is a destination with the share of draws that go there: those below upto and
// not below that of the way before. Draws that no way takes lose the message.
type way struct {
	to   *subject.Transform
	upto uint32
}

func newMapping(m Mapping) (*mapping, error) {
	made := &mapping{source: m.Source, local: make(map[string][]way)}
	weights := map[string][]MappingDestination{"": nil}
	seen := make(map[string]bool)
	for _, d := range m.Destinations {
		if seen[d.Subject] {
			return nil, fmt.Errorf("duplicate entry for %q", d.Subject)
		}
		seen[d.Subject] = true
		if d.Weight > 100 || d.Weight < 0 {
			return nil, fmt.Errorf("individual weights need to be <= 100")
		}
		weights[d.Cluster] = append(weights[d.Cluster], d)
	}
	for cluster, list := range weights {
		ways, err := waysOf(m.Source, list, seen[m.Source])
		if err != nil {
			return nil, err
		}
		if cluster == "" {
			made.ways = ways
		} else {
			made.local[cluster] = ways
		}
	}
	return made, nil
}

// waysOf adds the weights up. What they leave of 100 stays as it is, unless the
// source itself is named, which says that the rest is to be lost.
func waysOf(source string, list []MappingDestination, loss bool) ([]way, error) {
	total := 0
	for _, d := range list {
		total += d.Weight
	}
	if total > 100 {
		return nil, fmt.Errorf("total weight needs to be <= 100")
	}
	if total < 100 && !loss {
		list = append(slices.Clone(list), MappingDestination{Subject: subject.Placeholders(source), Weight: 100 - total})
	}
	slices.SortStableFunc(list, func(a, b MappingDestination) int { return cmp.Compare(a.Weight, b.Weight) })
	var ways []way
	upto := uint32(0)
	for _, d := range list {
		t, err := subject.NewTransform(source, d.Subject)
		if err != nil {
			return nil, err
		}
		upto += uint32(d.Weight)
		ways = append(ways, way{t, upto})
	}
	return ways, nil
}

// waysIn returns the ways of a mapping in a cluster.
func (m *mapping) waysIn(cluster string) []way {
	if w, ok := m.local[cluster]; ok && cluster != "" {
		return w
	}
	return m.ways
}

// waysFor returns the ways of a subject, nil if it is not mapped.
func (a *Account) waysFor(s string) []way {
	sh := a.shares.now.Load()
	if sh == nil {
		return nil
	}
	for _, m := range sh.mappings {
		if subject.Matches(m.source, s) {
			return m.waysIn(a.broker.opts.Load().Cluster)
		}
	}
	return nil
}

// mappedStep sends each message the way that chance decides.
type mappedStep struct {
	ways  []way
	plans []*plan // of each way; nil where the way varies
	from  string
}

func (m *mappedStep) deliver(s *sender, _ []byte, f *proto.Frame) bool {
	draw := s.draw(100)
	for i, w := range m.ways {
		if draw >= w.upto {
			continue
		}
		p := m.plans[i]
		if p == nil {
			p = s.planOf(w.to.Apply(m.from))
		}
		s.mapTraced(p.subject)
		if s.traced && s.self != nil {
			s.self.traceMapping(m.from, p.subject)
		}
		if s.self.refused(p) {
			return true // the client knows
		}
		return s.within(s.hop, p, f)
	}
	s.mapTraced("")
	return true // lost, as the mapping says
}

// fillMapped makes the plan of a subject that is mapped.
func (s *sender) fillMapped(p *plan, ways []way) {
	if len(ways) == 1 && ways[0].upto == 100 && !ways[0].to.Varies() {
		p.as = ways[0].to.Apply(p.subject)
		s.fillFrom(p)
		return
	}
	m := &mappedStep{ways: ways, from: p.subject, plans: make([]*plan, len(ways))}
	for i, w := range ways {
		if !w.to.Varies() {
			m.plans[i] = s.planOf(w.to.Apply(p.subject))
			p.dependOn(s.acc, m.plans[i])
		}
	}
	p.steps = append(p.steps, m)
}

// planOf makes a plan for a subject of the account at hand, outside the cache.
func (s *sender) planOf(to string) *plan {
	p := newPlan(to)
	s.fillFrom(p)
	return p
}

// within delivers a message by a plan of a hop's account, in the middle of the delivery
// by another plan.
func (s *sender) within(h hop, p *plan, f *proto.Frame) bool {
	was, subject := s.hop, f.Subject
	s.hop, f.Subject = h, asBytes(p.subject)
	s.base = len(s.chosen)
	if !s.dry() {
		for _, n := range p.nodes {
			n.Msgs.Add(1)
		}
	}
	delivered := s.deliver(p, f)
	s.chosen = s.chosen[:s.base]
	s.hop, f.Subject = was, subject
	return delivered
}
