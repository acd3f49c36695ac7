package auth

import (
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/jwt/v2"

	"github.com/nats-broker/nats-broker/daemon/logging"
	"github.com/nats-broker/nats-broker/daemon/subject"
)

// enter puts accounts into the book, new ones and changed ones, and tells the core of them and of those that import from
// them.
func (b *Book) enter(list []*ClaimAccount) {
	b.turn.Lock()
	defer b.turn.Unlock()
	if b.stopped {
		return
	}
	var changed []string
	affected := map[string]bool{}
	for _, a := range list {
		b.log.Debug(fmt.Sprintf("Updating account claims: %s/%s", a.ID, a.Name))
		for _, err := range a.faults {
			b.log.Error(fmt.Sprintf("Error of account [%s]: %v", a.Label(), err), logging.Err(err))
		}
		v, had := b.accounts.LoadOrStore(a.ID, &page{})
		e := v.(*page)
		if had {
			changed = append(changed, a.ID)
			b.unlink(e.now.Load())
		}
		e.now.Store(a)
		e.updated = time.Now()
		e.ended.Store(false)
		e.deleted = false
		b.link(a)
		b.expireAt(e, a)
		affected[a.ID] = true
	}
	for _, a := range list {
		for id := range b.importers[a.ID] {
			affected[id] = true
		}
	}
	b.share(affected)
	for _, id := range changed {
		b.core.Recheck(id)
	}
}

// link and unlink keep the table of who imports from whom.
func (b *Book) link(a *ClaimAccount) {
	for _, im := range a.claims.Imports {
		m := b.importers[im.Account]
		if m == nil {
			m = map[string]bool{}
			b.importers[im.Account] = m
		}
		m[a.ID] = true
	}
}

func (b *Book) unlink(a *ClaimAccount) {
	for _, im := range a.claims.Imports {
		delete(b.importers[im.Account], a.ID)
	}
}

// expireAt has the account end when its JWT does.
func (b *Book) expireAt(e *page, a *ClaimAccount) {
	if e.expiry != nil {
		e.expiry.Stop()
		e.expiry = nil
	}
	if a.Expires.IsZero() {
		return
	}
	e.expiry = time.AfterFunc(time.Until(a.Expires), func() {
		if e.now.Load() == a {
			b.end(a.ID, e)
		}
	})
}

// share tells the core of accounts as they are now. turn is held.
func (b *Book) share(ids map[string]bool) {
	var list []*SharedAccount
	for id := range ids {
		v, ok := b.accounts.Load(id)
		if !ok {
			continue // imports from here, but has gone
		}
		e := v.(*page)
		if e.deleted {
			continue
		}
		list = append(list, b.shareOne(e, e.now.Load()))
	}
	b.core.Share(list)
}

// shareOne describes an account, with the imports that are granted.
func (b *Book) shareOne(e *page, a *ClaimAccount) *SharedAccount {
	s := a.share()
	s.Mappings = slices.DeleteFunc(s.Mappings, func(m SharedMapping) bool {
		err := validMapping(m.Subject, a.claims.Mappings[jwt.Subject(m.Subject)])
		if err != nil {
			b.log.Error(fmt.Sprintf("Error adding subject mapping %q for account [%s]: %v", m.Subject, a.Label(), err), logging.Err(err))
		}
		return err != nil
	})
	now := time.Now()
	var next time.Time
	delete(b.granted, a.ID)
	e.incomplete = false
	for _, im := range a.claims.Imports {
		wanted := sharedImport(im)
		until, err := b.grant(a, im, &wanted, now)
		if err != nil {
			e.incomplete = true
			b.log.Debug(fmt.Sprintf("Error adding %s import to account [%s]: %v", im.Type, a.Label(), err))
			continue
		}
		b.granted[a.ID] = append(b.granted[a.ID], wanted)
		if !until.IsZero() && (next.IsZero() || until.Before(next)) {
			next = until
		}
	}
	s.Imports = b.granted[a.ID]
	b.activationEnds(e, a, next)
	return s
}

// grant decides whether an account may import something from another.
func (b *Book) grant(a *ClaimAccount, im *jwt.Import, s *SharedImport, now time.Time) (until time.Time, err error) {
	from := b.Known(s.Account)
	if from == nil {
		return until, ErrAccountMissing
	}
	if !subject.ValidStrict(s.Subject, false) {
		return until, fmt.Errorf("invalid subject %q", s.Subject)
	}
	if until, err = from.grant(a.ID, im, s, now); err != nil {
		return until, err
	}
	for i := range b.granted[a.ID] {
		if g := &b.granted[a.ID][i]; g.Service == s.Service && g.Account == s.Account && g.Subject == s.Subject && (!s.Service || g.local() == s.local()) {
			return until, fmt.Errorf("%s import already exists", im.Type)
		}
	}
	if b.granted.cycles(a.ID, s, b.exports) {
		return until, fmt.Errorf("import forms a cycle")
	}
	if s.Local != "" && s.Local != s.Subject {
		if _, err := subject.NewReversible(starred(s.Subject), subject.Placeholders(s.Local)); err != nil {
			return until, fmt.Errorf("failed to create mapping transform from %q to %q: %w", s.Subject, s.Local, err)
		}
	}
	return until, nil
}

// exports reports whether an account exports a stream that covers a subject.
func (b *Book) exports(id, subj string) bool {
	a := b.Known(id)
	if a == nil {
		return false
	}
	for _, e := range a.claims.Exports {
		if e.Type == jwt.Stream && subject.IsSubset(subj, string(e.Subject)) {
			return true
		}
	}
	return false
}

// activationEnds has an account looked at again when the first of its activations ends.
func (b *Book) activationEnds(e *page, a *ClaimAccount, when time.Time) {
	if e.activation != nil {
		e.activation.Stop()
		e.activation = nil
	}
	if when.IsZero() {
		return
	}
	e.activation = time.AfterFunc(time.Until(when), func() {
		b.turn.Lock()
		defer b.turn.Unlock()
		if !b.stopped && e.now.Load() == a {
			b.share(map[string]bool{a.ID: true})
		}
	})
}

// validMappings holds that every mapping of an account can be put into effect: the claims' own check is weaker.
func validMappings(c *jwt.AccountClaims) error {
	r, faults := resolved(c)
	if len(faults) > 0 {
		return faults[0]
	}
	for source, ways := range r.Mappings {
		if err := validMapping(string(source), ways); err != nil {
			return err
		}
	}
	return nil
}

func validMapping(source string, ways []jwt.WeightedMapping) error {
	if !subject.ValidStrict(source, false) {
		return fmt.Errorf("mapping %q: invalid subject", source)
	}
	seen, total := map[string]bool{}, map[string]int{}
	for _, w := range ways {
		to := string(w.Subject)
		total[w.Cluster] += int(w.GetWeight())
		switch {
		case seen[to]:
			return fmt.Errorf("mapping %q: duplicate entry for %q", source, to)
		case w.GetWeight() > 100:
			return fmt.Errorf("mapping %q: individual weights need to be <= 100", source)
		case total[w.Cluster] > 100:
			return fmt.Errorf("mapping %q: total weight needs to be <= 100", source)
		}
		seen[to] = true
		if _, err := subject.NewTransform(source, to); err != nil {
			return fmt.Errorf("mapping %q -> %q: %w", source, to, err)
		}
	}
	return nil
}
