package config

import (
	"github.com/nats-broker/nats-broker/confparse"
)

// The layers, weakest first. Values of a stronger layer win.
const (
	LayerDefaults    confparse.Layer = "default"
	LayerFile        confparse.Layer = "file"
	LayerDropIn      confparse.Layer = "drop-in"
	LayerEnvironment confparse.Layer = "environment"
	LayerFlags       confparse.Layer = "flags"
)

// layerRank orders layers by strength.
func layerRank(l confparse.Layer) int {
	switch l {
	case LayerFile:
		return 1
	case LayerDropIn:
		return 2
	case LayerEnvironment:
		return 3
	case LayerFlags:
		return 4
	default:
		return 0
	}
}

// Roots are the directories that hold drop-ins of the packaged configuration file, weakest first.
type Roots struct {
	Vendor, Volatile, Admin string
}

// A stack is every layer that was read, and what they merge to.
type stack struct {
	main   *confparse.Value // the main file; nil if there is none
	merged *confparse.Value
	plain  bool // there is nothing but the main file
	files  []confparse.File
	dirs   []string // directories whose files are read
}

// readLayers reads the main file and puts the environment and the flags over it.
func readLayers(req *LoadRequest) (*stack, problems) {
	s := &stack{merged: confparse.NewMap(confparse.Span{}), plain: true}
	env, found := environment(req.Environ)
	if req.File != "" {
		tree, err := confparse.ParseFile(req.File, confparse.Options{Layer: LayerFile, ReadFile: req.ReadFile, LookupEnv: req.lookup})
		if errs, ok := err.(confparse.Errors); ok {
			found.errs = append(found.errs, errs...)
		}
		s.main, s.merged, s.files = tree.Root, tree.Root, tree.Files
	}
	for _, over := range []*confparse.Value{env, req.Invocation.Tree()} {
		if over.Fields().Len() > 0 {
			s.plain = false
			s.merged = mergeMaps(s.merged, over)
		}
	}
	return s, found
}

// mergeMaps puts the entries of over on top of those of base: maps key by key, everything else replaced.
func mergeMaps(base, over *confparse.Value) *confparse.Value {
	var list []confparse.Entry
	for _, e := range base.Fields().All() {
		if o := over.Fields().Get(e.Key); o != nil {
			if e.Value.Kind() == confparse.Map && o.Value.Kind() == confparse.Map {
				e.Value = mergeMaps(e.Value, o.Value)
			} else {
				e = *o
			}
		}
		list = append(list, e)
	}
	for _, o := range over.Fields().All() {
		if base.Fields().Get(o.Key) == nil {
			list = append(list, o)
		}
	}
	return confparse.NewMap(base.Span(), list...)
}
