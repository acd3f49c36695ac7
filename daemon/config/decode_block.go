package config

import (
	"fmt"
	"strings"

	"github.com/nats-broker/nats-broker/confparse"
)

// definer is a block that remembers that it was written.
type definer interface{ define() }

func decodeBlock(d *decoder, at place, v *confparse.Value, into any) {
	if v.Kind() != confparse.Map {
		d.mistyped(at, v)
		return
	}
	d.enter(at, v, into)
}

// enter decodes the keys of one block and lets its row look at the whole.
func (d *decoder) enter(at place, v *confparse.Value, into any) {
	if b, ok := into.(definer); ok {
		b.define()
	}
	d.fields(at.opt.Fields(), v.Fields(), into, at.path())
	if at.opt.finish != nil && into != nil {
		at.opt.finish(d, at, v, into)
	}
}

// decodeBlocks reads a list of blocks. A stronger layer's list replaces a weaker one's.
func decodeBlocks(d *decoder, at place, v *confparse.Value, into any) {
	if v.Kind() != confparse.Array {
		d.mistyped(at, v)
		return
	}
	reset(into, len(v.Items()))
	for i, item := range v.Items() {
		elem := at
		elem.base, elem.name = fmt.Sprintf("%s[%d]", at.path(), i), ""
		if item.Kind() != confparse.Map {
			d.fail(elem, item.Span(), "every entry of %s must be a block { … }, found %s", at.label(), found(at.opt, item))
			continue
		}
		elem.key = item.Span()
		d.enter(elem, item, d.element(at, into, ""))
		d.origins.set(elem, Origin{Key: item.Span(), Value: item.Span()})
	}
}

func decodeBlockMap(d *decoder, at place, v *confparse.Value, into any) {
	if v.Kind() != confparse.Map {
		d.mistyped(at, v)
		return
	}
	for _, e := range v.Fields().All() {
		if e.Value.UsedAsVariable() {
			continue
		}
		elem := place{opt: at.opt, base: join(at.path(), e.Key), key: e.KeySpan}
		if e.Value.Kind() != confparse.Map {
			d.fail(elem, e.Value.Span(), "%s must be a block { … }, found %s", e.Key, found(at.opt, e.Value))
			continue
		}
		d.enter(elem, e.Value, d.element(at, into, e.Key))
		d.origins.set(elem, Origin{Key: e.KeySpan, Value: e.Value.Span()})
	}
}

func (d *decoder) element(at place, into any, key string) any {
	if into == nil || at.opt.elem == nil {
		return nil
	}
	return at.opt.elem(into, key)
}

// reset makes a list empty but present. Of users there may be many, so it has room for so many.
func reset(into any, room int) {
	switch list := into.(type) {
	case *[]User:
		*list = make([]User, 0, room)
	case *[]Proxy:
		*list = []Proxy{}
	case *[]CertPair:
		*list = []CertPair{}
	case *[]Export:
		*list = []Export{}
	case *[]Import:
		*list = []Import{}
	}
}

// turn switches the block at into on or off, if it is one that can be.
func turn(into any, on bool) {
	if b, ok := into.(interface{ turn(on bool) }); ok {
		b.turn(on)
	}
}

// decodeSwitch reads what can be switched on and off or described by a block.
func decodeSwitch(d *decoder, at place, v *confparse.Value, into any) {
	switch v.Kind() {
	case confparse.Bool:
		on, _ := v.Bool()
		turn(into, on)
	case confparse.String:
		s, _ := v.Str()
		switch strings.ToLower(s) {
		case "enabled", "enable":
			turn(into, true)
		case "disabled", "disable":
			turn(into, false)
		default:
			d.mistyped(at, v)
		}
	case confparse.Map:
		d.enter(at, v, into)
	default:
		d.mistyped(at, v)
	}
}

// decodeSubjectOrBlock reads a subject, which stands for a block with only that subject in its first field.
func decodeSubjectOrBlock(d *decoder, at place, v *confparse.Value, into any) {
	switch v.Kind() {
	case confparse.String:
		if b, ok := into.(definer); ok {
			b.define()
		}
		first := at.opt.Fields()[0]
		d.option(place{opt: first, base: join(at.path(), first.Name), key: at.key}, v, into)
		if at.opt.finish != nil && into != nil {
			at.opt.finish(d, at, v, into)
		}
	case confparse.Map:
		d.enter(at, v, into)
	default:
		d.mistyped(at, v)
	}
}
