package config

import (
	"fmt"
	"reflect"
)

// A Change is one option whose effective value differs between two configurations.
type Change struct {
	Path  string // full path, with names: "accounts.A.users.bob.password"
	Old   string // value before, as it would be written; secrets masked; empty if it was not there
	New   string // value after; empty if it is gone
	Class Class  // what the change needs
}

// String is the line of the reload report: "max_payload: 1MB -> 2MB (live)".
func (c Change) String() string {
	switch {
	case c.Old == "" && c.New != "":
		return fmt.Sprintf("%s: added (%s)", c.Path, c.Class)
	case c.New == "" && c.Old != "":
		return fmt.Sprintf("%s: removed (%s)", c.Path, c.Class)
	case c.Old == c.New:
		return fmt.Sprintf("%s: changed (%s)", c.Path, c.Class)
	}
	return fmt.Sprintf("%s: %s -> %s (%s)", c.Path, c.Old, c.New, c.Class)
}

// Diff lists what differs between two configurations, in the order of the registry. A file of the same name whose
// content changed (a renewed certificate) is a change too.
func Diff(old, new *Config) []Change {
	d := differ{}
	d.rows(registry(), "", old.Options, new.Options)
	before := map[string]CertificateFile{}
	for _, f := range old.Certificates {
		before[f.Path] = f
	}
	for _, f := range new.Certificates {
		if b, ok := before[f.Path]; ok && b.Digest != f.Digest {
			d.changes = append(d.changes, Change{Path: f.Path, Old: "old content", New: "new content", Class: Live})
		}
	}
	return d.changes
}

type differ struct{ changes []Change }

// rows compares two structs field by field. Rows that are another spelling of fields that have rows of their own are
// left out.
func (d *differ) rows(rows []*Option, path string, old, new any) {
	for _, r := range rows {
		if r.bind == nil || r.Kind == Address || r.Kind == SecretFile {
			continue
		}
		a, b := bound(r, old), bound(r, new)
		if reflect.DeepEqual(a, b) {
			continue
		}
		p := join(path, r.Name)
		switch r.Kind {
		case Block:
			d.block(r, p, old, new)
		case Switch:
			d.switched(r, p, old, new)
		case Blocks, AccountSet, MappingSet:
			d.list(r, p, reflect.ValueOf(a), reflect.ValueOf(b))
		default:
			d.changes = append(d.changes, Change{p, r.Format(a), r.Format(b), r.Class})
		}
	}
}

// block compares two blocks; one that appears or goes as a whole is one change, which needs a restart if one of the
// options that come or go with it does.
func (d *differ) block(r *Option, path string, old, new any) {
	a, b := r.bind(old), r.bind(new)
	if was, is := written(a), written(b); was != is {
		c := Change{Path: path, Class: r.Class}
		if is {
			c.New = "added"
		} else {
			c.Old = "removed"
		}
		var inside differ
		inside.rows(r.Fields(), path, a, b)
		for _, one := range inside.changes {
			if one.Class == Restart {
				c.Class = Restart
			}
		}
		d.changes = append(d.changes, c)
		return
	}
	d.rows(r.Fields(), path, a, b)
}

// switched compares two blocks that can be switched on and off; one that is switched is one change.
func (d *differ) switched(r *Option, path string, old, new any) {
	a, b := r.bind(old), r.bind(new)
	if enabled(a) != enabled(b) {
		d.changes = append(d.changes, Change{path, r.Format(bound(r, old)), r.Format(bound(r, new)), r.Class})
		return
	}
	d.rows(r.Fields(), path, a, b)
}

// enabled reports whether a block that can be switched on is.
func enabled(block any) bool {
	f := reflect.ValueOf(block).Elem().FieldByName("Enabled")
	return f.IsValid() && f.Bool()
}

// written reports whether a block that remembers it was written; others always are.
func written(block any) bool {
	if f := reflect.ValueOf(block).Elem().FieldByName("Defined"); f.IsValid() {
		return f.Bool()
	}
	return true
}

// bound returns the value of a row in a struct.
func bound(r *Option, block any) any {
	if w, ok := r.bind(block).(responseWord); ok {
		return string(*w.into)
	}
	return reflect.ValueOf(r.bind(block)).Elem().Interface()
}

// list compares lists of named things by name, and others as a whole.
func (d *differ) list(r *Option, path string, a, b reflect.Value) {
	old, new := named(a), named(b)
	if old == nil || new == nil {
		d.changes = append(d.changes, Change{path, fmt.Sprintf("%d entries", a.Len()), fmt.Sprintf("%d entries", b.Len()), r.Class})
		return
	}
	for i := range a.Len() {
		name := nameOf(a.Index(i))
		p := join(path, name)
		was := a.Index(i)
		is, ok := new[name]
		if ok && is.CanAddr() && was.CanAddr() && reflect.DeepEqual(was.Addr().Interface(), is.Addr().Interface()) {
			continue // without copying
		}
		switch {
		case !ok:
			d.changes = append(d.changes, Change{Path: p, Old: "removed", Class: r.Class})
		case reflect.DeepEqual(was.Interface(), is.Interface()):
		case r.Kind == MappingSet:
			m, n := was.Interface().(Mapping), is.Interface().(Mapping)
			d.changes = append(d.changes, Change{p, format(r, m.Destinations), format(r, n.Destinations), r.Class})
		default:
			d.rows(r.Fields(), p, was.Addr().Interface(), is.Addr().Interface())
		}
	}
	for i := range b.Len() {
		if name := nameOf(b.Index(i)); !old[name].IsValid() {
			d.changes = append(d.changes, Change{Path: join(path, name), New: "added", Class: r.Class})
		}
	}
}

// named indexes a list by name; nil if its elements have none.
func named(list reflect.Value) map[string]reflect.Value {
	m := make(map[string]reflect.Value, list.Len())
	for i := range list.Len() {
		name := nameOf(list.Index(i))
		if name == "" {
			return nil
		}
		m[name] = list.Index(i)
	}
	return m
}

func nameOf(v reflect.Value) string {
	if v.CanAddr() { // without copying
		if u, ok := v.Addr().Interface().(*User); ok {
			return u.Name + u.Nkey
		}
	}
	switch e := v.Interface().(type) {
	case User:
		return e.Name + e.Nkey
	case Account:
		return e.Name
	case Mapping:
		return e.Subject
	case CertPair:
		return e.CertFile
	}
	return ""
}
