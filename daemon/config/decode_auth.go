package config

import (
	"fmt"
	"strings"

	"github.com/nats-io/nkeys"

	"github.com/nats-broker/nats-broker/confparse"
)

// decodeRules reads subject permissions: the plain form, a subject or a list of subjects that are allowed, or the block
// with allow and deny. queues says whether an entry may name a queue after its subject.
func decodeRules(queues bool) func(*decoder, place, *confparse.Value, any) {
	return func(d *decoder, at place, v *confparse.Value, into any) {
		rules := SubjectRules{Defined: true}
		if v.Kind() != confparse.Map {
			list, ok := d.subjects(at, v, queues)
			if !ok {
				return
			}
			rules.Allow = list
			put(into, rules)
			return
		}
		if v.Fields().Len() == 0 {
			return // an empty block permits what no block permits: everything
		}
		for _, e := range v.Fields().All() {
			var to *[]string
			switch strings.ToLower(e.Key) {
			case "allow":
				to = &rules.Allow
			case "deny":
				to = &rules.Deny
			default:
				if !e.Value.UsedAsVariable() {
					d.unknown(at.opt.Fields(), e)
				}
				continue
			}
			sub := place{opt: find(at.opt.Fields(), e.Key), base: join(at.path(), strings.ToLower(e.Key)), key: e.KeySpan}
			if list, ok := d.subjects(sub, e.Value, queues); ok {
				*to = list
				d.origins.set(sub, Origin{Key: e.KeySpan, Value: e.Value.Span()})
			}
		}
		put(into, rules)
	}
}

// subjects reads a subject or a list of them. An empty list is nil: nats-server takes it as not written.
func (d *decoder) subjects(at place, v *confparse.Value, queues bool) ([]string, bool) {
	list, items, ok := d.strs(at, v, true)
	if !ok {
		return nil, false
	}
	for i, s := range list {
		if wrong := wrongRule(s, queues); wrong != "" {
			d.fail(at, items[i].Span(), "%s", wrong)
			ok = false
		}
	}
	if len(list) == 0 {
		return nil, ok
	}
	return list, ok
}

// wrongRule says what is wrong with an entry of a permission; empty if nothing is.
func wrongRule(s string, queues bool) string {
	if validSubject(s) {
		return ""
	}
	words := strings.Fields(s)
	switch {
	case !queues || len(words) != 2:
		return fmt.Sprintf("subject %q is not a valid subject", s)
	case !validSubject(words[0]):
		return fmt.Sprintf("subject %q is not a valid subject", words[0])
	case !validSubject(words[1]):
		return fmt.Sprintf("queue %q is not a valid queue", words[1])
	}
	return ""
}

// decodeResponses reads allow_responses: true for the defaults, or a block.
func decodeResponses(d *decoder, at place, v *confparse.Value, into any) {
	rule := ResponseRule{Defined: true, Max: defaultResponses, Expires: defaultResponseTime}
	switch v.Kind() {
	case confparse.Bool:
		if on, _ := v.Bool(); on {
			put(into, rule)
		}
	case confparse.Map:
		var said ResponseRule
		d.fields(at.opt.Fields(), v.Fields(), &said, at.path())
		if said.Max != 0 {
			rule.Max = said.Max
		}
		if said.Expires != 0 {
			rule.Expires = said.Expires
		}
		put(into, rule)
	default:
		d.mistyped(at, v)
	}
}

// connectionTypes are the words of allowed_connection_types.
var connectionTypes = []string{"STANDARD", "WEBSOCKET", "LEAFNODE", "LEAFNODE_WS", "MQTT", "MQTT_WS", "IN_PROCESS"}

func decodeConnTypes(d *decoder, at place, v *confparse.Value, into any) {
	list, items, ok := d.strs(at, v, true)
	if !ok {
		return
	}
	types := make([]string, 0, len(list))
next:
	for i, s := range list {
		for _, known := range connectionTypes {
			if strings.EqualFold(s, known) {
				types = append(types, known)
				continue next
			}
		}
		err := d.fail(at, items[i].Span(), "invalid connection type %q", s)
		if near := closest(s, lowerAll(connectionTypes)); near != "" {
			err.WithHint("did you mean %q?", strings.ToUpper(near))
		} else {
			err.WithHint("the types are %s", strings.Join(connectionTypes, ", "))
		}
	}
	put(into, types)
}

func lowerAll(list []string) []string {
	low := make([]string, len(list))
	for i, s := range list {
		low[i] = strings.ToLower(s)
	}
	return low
}

// finishPermissions makes a rule for responses turn off the blanket right to publish, whatever the order of the keys.
func finishPermissions(d *decoder, at place, v *confparse.Value, block any) {
	p := block.(*Permissions)
	if p.Responses.Defined {
		p.Publish.Defined = true
		if p.Publish.Allow == nil {
			p.Publish.Allow = []string{}
		}
	}
}

// finishUser holds what makes a user: a name, or a key and nothing else.
func finishUser(d *decoder, at place, v *confparse.Value, block any) {
	u := block.(*User)
	span := v.Span()
	if span.IsZero() {
		span = at.key
	}
	switch {
	case u.Nkey == "" && u.Name == "":
		d.fail(at, span, "user entry requires a user")
	case u.Nkey != "" && !validNkey(u.Nkey, keyUser):
		d.fail(at, d.origin(join(at.path(), "nkey"), span), "not a valid public nkey for a user")
	case u.Nkey != "" && (u.Name != "" || u.Password != ""):
		d.fail(at, d.origin(join(at.path(), "nkey"), span), "nkey users do not take usernames or passwords")
	}
}

// origin returns the place of a value that was decoded, or else.
func (d *decoder) origin(path string, or confparse.Span) confparse.Span {
	if o, ok := d.origins.get(path); ok {
		return o.Value
	}
	return or
}

// finishAuthorization gives the users without permissions the default ones.
func finishAuthorization(d *decoder, at place, v *confparse.Value, block any) {
	a := block.(*Authorization)
	giveDefaults(a.Users, a.DefaultPermissions)
}

func giveDefaults(users []User, p Permissions) {
	if !p.Defined {
		return
	}
	for i := range users {
		if !users[i].Permissions.Defined {
			users[i].Permissions = p
		}
	}
}

// finishCallout holds that a callout has keys that can be keys, and users to log in its service.
func finishCallout(d *decoder, at place, v *confparse.Value, block any) {
	c := block.(*Callout)
	span := v.Span()
	if span.IsZero() {
		span = at.key
	}
	where := func(key string) confparse.Span { return d.origin(join(at.path(), key), span) }
	switch {
	case c.Issuer == "":
		d.fail(at, span, "authorization callouts require an issuer to be specified")
	case !validNkey(c.Issuer, keyAccount):
		d.badKey(at, where("issuer"), "expected callout user to be a valid public account nkey, got", c.Issuer)
	}
	if c.XKey != "" && !validNkey(c.XKey, keyCurve) {
		d.badKey(at, where("xkey"), "expected callout xkey to be a valid public xkey, got", c.XKey)
	}
	if len(c.Users) == 0 {
		d.fail(at, span, "authorization callouts require authorized users to be specified")
	}
}

// badKey refuses what is not the public key that is wanted. A seed in its place is not shown.
func (d *decoder) badKey(at place, span confparse.Span, text, key string) {
	if _, err := nkeys.FromSeed([]byte(key)); err == nil {
		d.fail(at, span, "%s: it is a seed, which is secret", text).Secret = true
		return
	}
	d.fail(at, span, "%s %q", text, clip(key))
}

// finishProxy holds that a trusted proxy has a key.
func finishProxy(d *decoder, at place, v *confparse.Value, block any) {
	key := block.(*Proxy).Key
	if !nkeys.IsValidPublicKey(key) {
		d.badKey(at, d.origin(join(at.path(), "key"), v.Span()), "invalid proxy key", key)
	}
}
