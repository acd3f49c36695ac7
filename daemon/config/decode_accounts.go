package config

import (
	"fmt"
	"strings"
	"time"

	"github.com/nats-broker/nats-broker/confparse"
)

// globalAccount is where clients are that belong to no other account. Its name is reserved.
const globalAccount = "$G"

// decodeAccounts reads accounts: a map of blocks, or a list of names.
func decodeAccounts(d *decoder, at place, v *confparse.Value, into any) {
	if v.Kind() == confparse.Array {
		list, items, ok := d.strs(at, v, false)
		if !ok {
			return
		}
		seen := map[string]bool{}
		for i, name := range list {
			switch {
			case name == globalAccount:
				d.fail(at, items[i].Span(), "%q is a reserved account", name)
			case seen[name]:
				d.fail(at, items[i].Span(), "duplicate account entry: %s", name)
			}
			seen[name] = true
			d.element(at, into, name)
			d.origins.set(place{base: join(at.path(), name)}, Origin{Key: items[i].Span(), Value: items[i].Span()})
		}
		return
	}
	if v.Kind() != confparse.Map {
		d.mistyped(at, v)
		return
	}
	if e := v.Fields().Get(globalAccount); e != nil {
		d.fail(at, e.KeySpan, "%q is a reserved account", e.Key)
	}
	decodeBlockMap(d, at, v, into)
}

// finishAccount ties the users to their account and gives them its default permissions.
func finishAccount(d *decoder, at place, v *confparse.Value, block any) {
	a := block.(*Account)
	giveDefaults(a.Users, a.DefaultPermissions)
	for i := range a.Users {
		a.Users[i].Account = a.Name
	}
	if a.Nkey != "" && !validNkey(a.Nkey, keyAccount) {
		d.fail(at, d.origin(join(at.path(), "nkey"), at.key), "not a valid public nkey for an account: %q", a.Nkey)
	}
	finishTrace(d, at, &a.Trace)
}

// finishTrace holds that reports go somewhere.
func finishTrace(d *decoder, at place, t *MsgTrace) {
	path := join(at.path(), "msg_trace")
	where := d.origin(join(path, "dest"), d.origin(path, at.key))
	sampling, said := d.origins.get(join(path, "sampling"))
	switch {
	case t.Dest != "" && !(validSubject(t.Dest) && literal(t.Dest)):
		d.fail(at, where, "trace destination %q is not valid: it must be a subject without wildcards", t.Dest)
	case t.Dest == "" && said:
		d.warn(sampling.Key, "sampling is ignored since there is no destination")
	}
}

// decodeMappings reads a map from subjects to a destination: a subject, a block, or a list of blocks.
func decodeMappings(d *decoder, at place, v *confparse.Value, into any) {
	if v.Kind() != confparse.Map {
		d.mistyped(at, v)
		return
	}
	for _, e := range v.Fields().All() {
		sub := place{opt: at.opt, base: join(at.path(), e.Key), key: e.KeySpan}
		if !validSubject(e.Key) {
			d.fail(sub, e.KeySpan, "subject %q is not a valid subject", e.Key)
			continue
		}
		var dests []MapDestination
		switch e.Value.Kind() {
		case confparse.String:
			s, _ := e.Value.Str()
			dests = []MapDestination{{Subject: s, Weight: 100}}
		case confparse.Map:
			dests = d.destinations(sub, []*confparse.Value{e.Value})
		case confparse.Array:
			dests = d.destinations(sub, e.Value.Items())
		default:
			d.fail(sub, e.Value.Span(), "the destination of %s must be a subject, a block or a list of blocks, found %s",
				e.Key, found(at.opt, e.Value))
			continue
		}
		if into != nil {
			m := at.opt.elem(into, e.Key).(*Mapping)
			m.Destinations = dests
		}
		d.origins.set(sub, Origin{Key: e.KeySpan, Value: e.Value.Span()})
	}
}

func (d *decoder) destinations(at place, items []*confparse.Value) []MapDestination {
	var list []MapDestination
	for i, item := range items {
		sub := at
		sub.base, sub.name = fmt.Sprintf("%s[%d]", at.path(), i), ""
		if item.Kind() != confparse.Map {
			d.fail(sub, item.Span(), "a destination must be a block with destination and weight, found %s", found(at.opt, item))
			continue
		}
		var dest MapDestination
		d.fields(at.opt.Fields(), item.Fields(), &dest, sub.path())
		if _, ok := d.origins.get(join(sub.path(), "weight")); !ok {
			d.fail(sub, item.Span(), "missing weight for mapping destination %q", dest.Subject)
			continue
		}
		list = append(list, dest)
		d.origins.set(sub, Origin{Key: item.Span(), Value: item.Span()})
	}
	return list
}

// finishLatency holds that samples go somewhere.
func finishLatency(d *decoder, at place, v *confparse.Value, block any) {
	if l := block.(*Latency); l.Subject == "" {
		d.fail(at, v.Span(), "latency needs a subject to publish to")
	}
}

// finishExport holds what an export may combine.
func finishExport(d *decoder, at place, v *confparse.Value, block any) {
	for _, row := range at.opt.Fields() {
		if row.Name == "response_type" || row.Name == "threshold" {
			d.once(row, v)
		}
	}
	where := func(key string) confparse.Span { return d.origin(join(at.path(), key), v.Span()) }
	has := func(key string) bool { _, ok := d.origins.get(join(at.path(), key)); return ok }
	if has("stream") && has("service") {
		d.fail(at, where("service"), "an export is a stream or a service, not both").
			WithNote(where("stream"), "the stream is here")
	}
	if !has("service") && has("stream") {
		for _, key := range []string{"response_type", "threshold", "latency", "allow_trace"} {
			if has(key) {
				d.fail(at, where(key), "%s belongs to a service, this is a stream", key).
					WithNote(where("stream"), "the stream is here")
			}
		}
	}
	if !has("service") && !has("stream") {
		d.notice(v.Span(), "this export has neither stream nor service and is ignored")
	}
}

// once refuses a key that is written twice under different names.
func (d *decoder) once(row *Option, v *confparse.Value) {
	var first *confparse.Entry
	for _, e := range v.Fields().All() {
		if find([]*Option{row}, e.Key) == nil {
			continue
		}
		if first != nil {
			d.fail(place{opt: row}, e.KeySpan, "duplicate %s", row.Name).WithNote(first.KeySpan, "already said here")
		}
		entry := e
		first = &entry
	}
}

// finishImport holds what an import may combine.
func finishImport(d *decoder, at place, v *confparse.Value, block any) {
	im := block.(*Import)
	where := func(key string) confparse.Span { return d.origin(join(at.path(), key), v.Span()) }
	if im.Stream.Defined && im.Service.Defined {
		d.fail(at, where("service"), "an import is a stream or a service, not both").
			WithNote(where("stream"), "the stream is here")
	}
	if im.Stream.Defined && im.Prefix != "" && im.To != "" {
		d.fail(at, where("to"), "stream import can not have a 'prefix' and a 'to' property").
			WithNote(where("prefix"), "prefix is here")
	}
	if _, said := d.origins.get(join(at.path(), "allow_trace")); said && im.Service.Defined {
		d.fail(at, where("allow_trace"), "allow_trace belongs to a stream, this is a service")
	}
	if !im.Stream.Defined && !im.Service.Defined {
		d.notice(v.Span(), "this import has neither stream nor service and is ignored")
	}
}

func finishSource(d *decoder, at place, v *confparse.Value, block any) {
	if s := block.(*ImportSource); s.Account == "" || s.Subject == "" {
		d.fail(at, v.Span(), "expected an account name and a subject")
	}
}

// decodeCompression reads the compression of routes: a mode, true or false, or a block with mode and thresholds.
func decodeCompression(d *decoder, at place, v *confparse.Value, into any) {
	switch v.Kind() {
	case confparse.String:
		s, _ := v.Str()
		put(into, Compression{Mode: s})
	case confparse.Bool:
		on, _ := v.Bool()
		mode := "off"
		if on {
			mode = "on"
		}
		put(into, Compression{Mode: mode})
	case confparse.Map:
		d.enter(at, v, into)
	default:
		d.mistyped(at, v)
	}
}

// compressionModes are the spellings of a mode and what each stands for; "on" is the default of its place.
var compressionModes = map[string]string{
	"on": "", "enabled": "", "true": "",
	"not supported": "not supported", "not_supported": "not supported",
	"disabled": "off", "off": "off", "false": "off",
	"accept": "accept",
	"auto":   "s2_auto", "s2_auto": "s2_auto",
	"fast": "s2_fast", "s2_fast": "s2_fast",
	"better": "s2_better", "s2_better": "s2_better",
	"best": "s2_best", "s2_best": "s2_best",
}

// normalMode returns the canonical spelling of a compression mode.
func normalMode(mode, on string) (string, bool) {
	m, ok := compressionModes[strings.ToLower(mode)]
	if ok && m == "" {
		m = on
	}
	return m, ok
}

// responseWord is where a response type lands: its short spellings are made long.
type responseWord struct{ into *ResponseType }

func (w responseWord) set(s string) {
	switch s {
	case "single":
		s = "singleton"
	case "chunk":
		s = "chunked"
	}
	*w.into = ResponseType(s)
}

func decodeAccountNames(d *decoder, at place, v *confparse.Value, into any) {
	if list, _, ok := d.strs(at, v, false); ok {
		put(into, list)
	}
}

func clusterName(v any) string {
	switch s := v.(string); {
	case strings.Contains(s, " "):
		return "cluster name cannot contain spaces"
	case s == leafNoOrigin:
		return fmt.Sprintf("cluster name %q is reserved", s)
	}
	return ""
}

// leafNoOrigin is a cluster name that the route protocol uses for itself.
const leafNoOrigin = "_"

// maxRoutePing is the longest ping interval of routes.
const maxRoutePing = 30 * time.Second

// finishCluster refuses what an authorization block cannot say between servers.
func finishCluster(d *decoder, at place, v *confparse.Value, block any) {
	c := block.(*Cluster)
	where := func(key string) confparse.Span { return d.origin(at.path()+"."+key, at.key) }
	a := &c.Authorization
	if a.Users != nil {
		d.fail(at, where("authorization.users"), "cluster authorization does not allow multiple users")
	}
	if a.Token != "" {
		d.fail(at, where("authorization.token"), "cluster authorization does not support tokens").Secret = true
	}
	if a.Callout.Defined {
		d.fail(at, where("authorization.auth_callout"), "cluster authorization does not support callouts")
	}
	if a.ProxyRequired {
		d.warn(where("authorization.proxy_required"), "proxy_required has no effect between servers")
	}
	if a.DefaultPermissions.Defined {
		d.warn(where("authorization.default_permissions"), `setting "permissions" within cluster authorization block is deprecated`)
		if !c.Permissions.Defined {
			c.Permissions = ClusterPermissions{Defined: true, Import: a.DefaultPermissions.Publish, Export: a.DefaultPermissions.Subscribe}
		}
	}
	if c.Permissions.Responses.Defined {
		d.fail(at, where("permissions.allow_responses"), "cluster permissions do not support dynamic responses")
	}
	if c.PingInterval > maxRoutePing {
		d.warn(where("ping_interval"), "cluster ping_interval will be %v, the longest for routes", maxRoutePing)
		c.PingInterval = maxRoutePing
	}
}
