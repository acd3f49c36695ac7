package config

import (
	"errors"
	"os"
	"slices"

	"github.com/nats-broker/nats-broker/confparse"
)

// The layers a value can come from, weakest first. Values of a stronger layer win.
const (
	LayerDefault     confparse.Layer = "default"
	LayerMain        confparse.Layer = "main file"
	LayerDropIn      confparse.Layer = "drop-in"
	LayerEnvironment confparse.Layer = "environment"
	LayerFlags       confparse.Layer = "command line"
)

// layerRank orders layers: a higher rank wins.
func layerRank(l confparse.Layer) int {
	return slices.Index([]confparse.Layer{LayerDefault, LayerMain, LayerDropIn, LayerEnvironment, LayerFlags}, l)
}

// Places say where files of configuration are read from.
type Places struct {
	// File is the main file; empty: none.
	File string
	// Root stands for / in the paths of the packaged file and its drop-ins, for tests.
	Root string
	// ReadFile reads files; nil: os.ReadFile.
	ReadFile func(string) ([]byte, error)
	// LookupEnv looks up environment variables; nil: os.LookupEnv.
	LookupEnv func(string) (string, bool)
	// Credentials is the directory of systemd's credentials; empty: what $CREDENTIALS_DIRECTORY says.
	Credentials string
	// DropIns replace what is found in the directories of drop-ins; nil: they do not.
	DropIns *[]string
}

// layers are the main file and its drop-ins, read and merged.
type layers struct {
	// Tree is the main file with the drop-ins laid over it; an empty map without a main file.
	Tree *confparse.Value
	// Files are what was read so far, the main file first; secrets are added as they are read.
	Files []confparse.File
	// Dirs are the directories of drop-ins, whether they exist or not.
	Dirs []string
	// Missed are drop-ins that are not looked into: what they lead to cannot be found out, or they hide others.
	Missed []string

	places Places
}

// readLayers reads the main file and puts its drop-ins over it: maps merge key by key, scalars and arrays are replaced.
// What could be read is returned with the mistakes.
func readLayers(p Places) (*layers, confparse.Errors) {
	if p.ReadFile == nil {
		p.ReadFile = os.ReadFile
	}
	if p.LookupEnv == nil {
		p.LookupEnv = os.LookupEnv
	}
	if p.Credentials == "" {
		p.Credentials, _ = p.LookupEnv("CREDENTIALS_DIRECTORY")
	}
	l := &layers{places: p, Tree: confparse.NewMap(confparse.Span{})}
	if p.File == "" {
		return l, nil
	}
	main, errs := l.parse(p.File, LayerMain)
	l.Tree = main.Root
	if len(main.Files) == 0 { // it could not be read, and drop-ins of nothing say nothing
		return l, errs
	}
	return l, append(errs, l.layDropIns(main.Files)...)
}

// parse reads one file with its includes.
func (l *layers) parse(path string, layer confparse.Layer) (*confparse.Tree, confparse.Errors) {
	n := len(l.Files)
	tree, err := confparse.ParseFile(path, confparse.Options{
		Layer:      layer,
		ReadFile:   l.places.ReadFile,
		LookupEnv:  l.places.LookupEnv,
		LookupText: l.credential,
	})
	l.Files = slices.Insert(l.Files, n, tree.Files...) // before credentials that it uses
	var errs confparse.Errors
	errors.As(err, &errs)
	return tree, errs
}
