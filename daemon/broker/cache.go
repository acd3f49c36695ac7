package broker

// planCache is a sender's plans by subject: a set-associative table, so that it is
// bounded, needs no removal, and a subject that is used once costs nothing but its
// lookup. It grows with the number of plans.
type planCache struct {
	sets []planSet
	n    int      // plans put in since it last grew
	seen []uint16 // hashes of subjects that missed, see worthy
}

const (
	planWays    = 4
	maxPlanSets = 1024 // times planWays plans
	minPlanSets = 4
	seenSize    = 2048
)

type planSet struct {
	plans [planWays]*plan
	next  uint8 // to be replaced
}

// get returns the plan for a subject, current or not; nil if there is none.
func (c *planCache) get(subject []byte, hash uint64) *plan {
	if len(c.sets) == 0 {
		return nil
	}
	set := &c.sets[hash&uint64(len(c.sets)-1)]
	for _, p := range &set.plans {
		if p != nil && p.hash == hash && p.subject == string(subject) {
			return p
		}
	}
	return nil
}

// worthy reports whether a subject that missed should be given a place: always
// while there are few, then only if it missed before.
func (c *planCache) worthy(hash uint64) bool {
	if c.n < 64 {
		return true
	}
	if c.seen == nil {
		c.seen = make([]uint16, seenSize)
	}
	at, mark := &c.seen[hash>>32%seenSize], uint16(hash>>48)|1
	if *at == mark {
		return true
	}
	*at = mark
	return false
}

// put gives p a place, pushing another out if need be.
func (c *planCache) put(p *plan) {
	if c.n >= len(c.sets)*planWays && len(c.sets) < maxPlanSets {
		c.grow()
	}
	set := &c.sets[p.hash&uint64(len(c.sets)-1)]
	c.n++
	for i, q := range &set.plans {
		if q == nil {
			set.plans[i] = p
			return
		}
	}
	set.plans[set.next%planWays] = p
	set.next++
}

func (c *planCache) grow() {
	old := c.sets
	c.sets = make([]planSet, max(minPlanSets, len(old)*4))
	c.n = 0
	for i := range old {
		for _, p := range &old[i].plans {
			if p != nil {
				c.put(p)
			}
		}
	}
}

// clear forgets all plans.
func (c *planCache) clear() { *c = planCache{} }
