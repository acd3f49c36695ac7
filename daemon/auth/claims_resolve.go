package auth

import (
	"fmt"

	"github.com/nats-io/jwt/v2"

	"github.com/nats-broker/nats-broker/daemon/subject"
)

// resolved returns the claims with the hashes of accounts where subjects name them by a function, and what could not be
// resolved: it is left out. The claims themselves stay as they were signed.
func resolved(c *jwt.AccountClaims) (*jwt.AccountClaims, []error) {
	out := *c
	var errs []error
	failed := func(kind string, s jwt.Subject, err error) {
		errs = append(errs, fmt.Errorf("adding %s %q: %w", kind, s, err))
	}
	own := subject.Accounts{Account: c.Subject}
	out.Exports, out.Imports, out.Mappings = nil, nil, jwt.Mapping{}
	for _, x := range c.Exports {
		e := *x
		if err := resolve(own, &e.Subject); err != nil {
			failed(e.Type.String()+" export", e.Subject, err)
			continue
		}
		out.Exports = append(out.Exports, &e)
	}
	for _, x := range c.Imports {
		i := *x
		local := jwt.Subject(i.LocalSubject)
		//lint:ignore SA1019 old claims have it
		if err := resolve(subject.Accounts{Account: c.Subject, Import: i.Account}, &i.Subject, &i.To, &local); err != nil {
			failed(i.Type.String()+" import", i.Subject, err)
			continue
		}
		i.LocalSubject = jwt.RenamingSubject(local)
		out.Imports = append(out.Imports, &i)
	}
	for source, ways := range c.Mappings {
		ways = append([]jwt.WeightedMapping(nil), ways...)
		err := resolve(own, &source)
		for k := range ways {
			if err == nil {
				err = resolve(own, &ways[k].Subject)
			}
		}
		if err != nil {
			failed("subject mapping", source, err)
			continue
		}
		out.Mappings[source] = ways
	}
	return &out, errs
}

// resolve resolves subjects of claims in place.
func resolve(names subject.Accounts, subjects ...*jwt.Subject) error {
	for _, s := range subjects {
		r, err := names.Resolve(string(*s))
		if err != nil {
			return err
		}
		*s = jwt.Subject(r)
	}
	return nil
}
