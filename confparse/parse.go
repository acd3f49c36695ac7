package confparse

import (
	"crypto/sha256"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
)

// Options say what a parse may reach for. The zero value reads the real file
// system and the real environment.
type Options struct {
	// Layer is carried by every source of this parse.
	Layer Layer
	// ReadFile reads the main file and includes; nil means os.ReadFile.
	ReadFile func(path string) ([]byte, error)
	// LookupEnv looks up variables that no entry defines; nil means os.LookupEnv.
	LookupEnv func(name string) (string, bool)
	// LookupText is asked before LookupEnv. What it finds is a string as it
	// stands, not a value of the dialect, and never shown in errors. Nil finds
	// nothing.
	LookupText func(name string) (text string, ok bool, err error)
}

// A Tree is a parsed file with everything it includes.
type Tree struct {
	Root  *Value // a map
	Files []File // what was read, the main file first, in order of reading
}

// Parse parses text, which is called name in errors and whose includes are
// relative to the directory of name. The error, if any, is an [Errors]; the tree
// is returned all the same, with whatever could be understood, so that a caller
// can go on and find more mistakes.
func Parse(name string, text []byte, opts Options) (*Tree, error) {
	r := newRun(opts)
	r.file(name, text, Span{})
	return r.tree, r.errs.Err()
}

// ParseFile reads and parses the file at path. See [Parse].
func ParseFile(path string, opts Options) (*Tree, error) {
	r := newRun(opts)
	text, err := r.opts.ReadFile(path)
	if err != nil {
		r.tree.Root = NewMap(Span{})
		return r.tree, Errors{{Message: fmt.Sprintf("cannot read configuration file: %v", err)}}
	}
	r.file(path, text, Span{})
	return r.tree, r.errs.Err()
}

// maxErrors ends a parse that finds nothing but mistakes: whatever it is
// reading, it is not a configuration.
const maxErrors = 100

// A run is what the parsers of one file, its includes and its variables share.
type run struct {
	opts Options
	tree *Tree
	errs Errors
	env  map[string]bool // environment variables being read, against cycles

	// record keeps tokens for the formatter; nil when parsing for values.
	record *recorder
}

func newRun(opts Options) *run {
	if opts.ReadFile == nil {
		opts.ReadFile = os.ReadFile
	}
	if opts.LookupEnv == nil {
		opts.LookupEnv = os.LookupEnv
	}
	return &run{opts: opts, tree: &Tree{}, env: map[string]bool{}}
}

// file parses a file and makes it the root if it is the first.
func (r *run) file(path string, text []byte, from Span) *Value {
	src := NewSource(path, r.opts.Layer, string(text))
	src.parent = from
	if strings.HasPrefix(src.text, "\ufeff") {
		src.hidden = len("\ufeff")
	}
	r.tree.Files = append(r.tree.Files, File{Path: path, Digest: sha256.Sum256(text), Source: src})
	root := NewMap(src.All())
	if r.tree.Root == nil {
		r.tree.Root = root
	}
	if len(text) > math.MaxInt32 {
		r.errs = append(r.errs, Errorf(src.Span(0, 0), "file is larger than 2 GiB"))
		return root
	}
	p := &parser{run: r, src: src, text: src.text, pos: src.hidden, dir: filepath.Dir(path)}
	p.parse(root)
	return root
}

// A parser reads one source. It descends into maps and arrays by calling
// itself; where the text makes no sense it reports, skips and goes on.
type parser struct {
	*run
	src    *Source
	text   string
	pos    int
	dir    string    // includes are relative to it
	scopes []*Fields // the maps around the current place, outermost first
	depth  int
	quiet  int  // where resync stopped: a mistake right there is the same one
	stop   bool // reached a point where nothing after makes sense
}

// parse reads the whole source into root.
func (p *parser) parse(root *Value) {
	p.scopes = append(p.scopes, root.fields)
	p.top(root.fields)
}

// span is the stretch from start to the current place.
func (p *parser) span(start int) Span { return p.src.Span(start, p.pos) }

// fail reports an error and returns it for a hint or a note.
func (p *parser) fail(span Span, format string, args ...any) *Error {
	e := Errorf(span, format, discreet(span, args)...)
	e.syntax, e.Secret, p.src.broken = true, span.Guarded(), true
	if span.src == p.src && p.quiet > 0 && int(span.start) == p.quiet {
		return e
	}
	p.errs = append(p.errs, e)
	if len(p.errs) >= maxErrors {
		p.stop = true
		if len(p.errs) == maxErrors {
			p.errs = append(p.errs, Errorf(p.src.Span(p.pos, p.pos), "too many errors, not looking further"))
		}
	}
	return e
}
