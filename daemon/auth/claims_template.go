package auth

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"

	"github.com/nats-io/jwt/v2"

	"github.com/nats-broker/nats-broker/daemon/subject"
)

// A scoped signing key carries the rights of all users it signs, as a template: subjects in which {{name()}} and the
// like stand for what the user's and the account's claims say. A tag with several values makes several subjects.

// maxExpansions bounds the subjects that one list of a template may become (nats-server 2.15.3).
const maxExpansions = 4096

var errExpansions = fmt.Errorf("a template makes more than %d subjects", maxExpansions)

var placeholder = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\{\{([^}]+)\}\}`) })

// filler fills in the templates of one user.
type filler struct {
	user *jwt.UserClaims
	acc  *ClaimAccount
}

// fill returns the rights of the user, made from a template. An allow list of which nothing is left allows nothing.
func (f filler) fill(t jwt.UserPermissionLimits) (jwt.UserPermissionLimits, error) {
	var err error
	each := func(list *jwt.StringList, must bool) {
		if err == nil {
			*list, err = f.list(*list, must)
		}
	}
	had := [2]bool{len(t.Sub.Allow) > 0, len(t.Pub.Allow) > 0}
	each(&t.Sub.Allow, false)
	each(&t.Sub.Deny, true)
	each(&t.Pub.Allow, false)
	each(&t.Pub.Deny, true)
	if err != nil {
		return jwt.UserPermissionLimits{}, err
	}
	for i, p := range []*jwt.Permission{&t.Sub, &t.Pub} {
		if had[i] && len(p.Allow) == 0 {
			p.Deny = append(append(jwt.StringList{}, p.Deny...), ">")
		}
	}
	return t, nil
}

// list fills in one list. What does not become a subject is left out, or an error where leaving it out would give more
// rights than were meant (must).
func (f filler) list(list jwt.StringList, must bool) (jwt.StringList, error) {
	found := false
	for _, s := range list {
		found = found || placeholder().MatchString(s)
	}
	if !found {
		return list, nil
	}
	made := jwt.StringList{}
	for _, s := range list {
		subjects, err := f.expand(s, must, maxExpansions-len(made))
		if err != nil {
			return nil, err
		}
		for _, s := range subjects {
			switch {
			case subject.ValidStrict(s, false):
				made = append(made, s)
			case must:
				return nil, errors.New("a template makes a subject that is not valid")
			}
		}
	}
	return made, nil
}

// expand returns the subjects that one entry stands for, at most room of them. The same operation twice in an entry has
// the same value twice.
func (f filler) expand(entry string, must bool, room int) ([]string, error) {
	texts := []string{entry}
	seen := map[string]bool{}
	for _, m := range placeholder().FindAllStringSubmatch(entry, -1) {
		if seen[m[0]] {
			continue
		}
		seen[m[0]] = true
		values, err := f.values(strings.TrimSpace(m[1]), must)
		if err != nil {
			return nil, err
		}
		if len(values) > 1 && len(texts) > room/len(values) {
			return nil, errExpansions
		}
		next := make([]string, 0, len(texts)*len(values))
		for _, t := range texts {
			for _, v := range values {
				next = append(next, strings.ReplaceAll(t, m[0], v))
			}
		}
		texts = next
	}
	if len(texts) > room {
		return nil, errExpansions
	}
	return texts, nil
}

// values are what an operation stands for: one text, or the values of a tag.
func (f filler) values(op string, must bool) ([]string, error) {
	switch strings.ToLower(op) {
	case "name()":
		return []string{f.user.Name}, nil
	case "subject()":
		return []string{f.user.Subject}, nil
	case "account-name()":
		return []string{f.acc.Name}, nil
	case "account-subject()":
		return []string{f.user.IssuerAccount}, nil
	}
	if tag, ok := argument(op, "tag("); ok {
		return tagValues(f.user.Tags, tag, must)
	}
	if tag, ok := argument(op, "account-tag("); ok {
		return tagValues(f.acc.Tags, tag, must)
	}
	return nil, fmt.Errorf("template operation %q is not defined", op)
}

// argument returns what is between a name with its parenthesis and the closing one.
func argument(op, name string) (string, bool) {
	if len(op) <= len(name) || !strings.EqualFold(op[:len(name)], name) || !strings.HasSuffix(op, ")") {
		return "", false
	}
	return op[len(name) : len(op)-1], true
}

// tagValues returns the values of the tags "name:value". Without one, what the entry becomes is no subject.
func tagValues(tags []string, name string, must bool) ([]string, error) {
	var values []string
	for _, t := range tags {
		if v, ok := strings.CutPrefix(t, strings.ToLower(name)+":"); ok {
			values = append(values, v)
		}
	}
	switch {
	case len(values) > 0:
		return values, nil
	case must:
		return nil, fmt.Errorf("tag %q is not defined", name)
	}
	return []string{" "}, nil
}
