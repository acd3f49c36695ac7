package config

import (
	"slices"
	"strings"
	"sync"

	"github.com/nats-broker/nats-broker/confparse"
)

// Class says what a change of an option needs.
type Class uint8

const (
	// Live changes apply at once, to connections that exist as well.
	Live Class = iota
	// NewConnections changes apply to connections made after the change.
	NewConnections
	// Restart changes are refused by a reload; they need a new process.
	Restart
)

// String returns the words of the reload report.
func (c Class) String() string {
	switch c {
	case NewConnections:
		return "applies to new connections"
	case Restart:
		return "needs a restart"
	default:
		return "live"
	}
}

// Origin of an option's definition: the dialect of nats-server, or an extension of ours.
const (
	sinceNATS = "nats-server"
	sinceOurs = "nats-broker"
)

// An Option is one row of the registry: everything that is known about one key of the configuration.
//
// Rows form a tree: a block's Fields are the rows of its keys. Rows may be read from any goroutine and are never changed.
type Option struct {
	Name    string   // canonical key, lower case
	Aliases []string // other spellings that nats-server takes, lower case
	Kind    *Kind    // how the value is read, and its unit
	Default string   // default in the dialect's own spelling; empty: none or derived, see Doc
	Class   Class    // what a change needs
	Secret  bool     // never shown: not in errors, reports, logs or `config show`
	Feature Feature  // the feature it belongs to
	Since   string   // "nats-server", or "nats-broker" for extensions
	Values  []string // the words accepted by an enumeration
	Doc     string   // one sentence, for people
	// SecretFile is the sibling option that names a file holding this value ("password_file"); empty: none.
	SecretFile string
	// Path is the full path: "cluster.authorization.user", "accounts.*.users[].password".
	Path string

	// fields makes the rows of a block's keys; nil for what has none. block keeps them.
	fields func() []*Option
	block  struct {
		once sync.Once
		rows []*Option
	}

	// zeroIsDefault: the value 0 stands for the default, as in nats-server.
	zeroIsDefault bool
	// within bounds an integer, inclusive, where nats-server's own check does; nil: no bounds.
	within *bounds
	// foldCase: the case of a word does not matter.
	foldCase bool
	// listener says that something listens on the port that the row is; nil for others.
	listener *listenerRow
	// bind returns the address of the Go value in the struct of the block the row is in. Nil for options of features
	// that are not built: they are checked for form and not kept.
	bind func(block any) any
	// elem appends an element to the list or map at list and returns its address; key is the element's name in a map.
	elem func(list any, key string) any
	// finish looks at a whole block, or an element of a list of blocks, once its keys are decoded.
	finish func(d *decoder, at place, v *confparse.Value, block any)
	// check looks at a decoded scalar and returns what is wrong with it in the user's words.
	check func(value any) string
}

// Needs says in words what a change of the option needs. A block that is read at once may hold options that need a
// restart; so does then that it comes or goes.
func (o *Option) Needs() string {
	switch {
	case o.Kind == Switch && o.Class == Restart:
		return "depends on its options; that it is switched on or off needs a restart"
	case o.Kind != Block || o.Class == Restart:
		return o.Class.String()
	}
	for _, f := range o.Fields() {
		if f.Class == Restart {
			return "depends on its options; that it comes or goes needs a restart"
		}
	}
	return o.Class.String()
}

// appended makes an elem function for a list.
func appended[T any]() func(any, string) any {
	return func(list any, _ string) any {
		s := list.(*[]T)
		var zero T
		*s = append(*s, zero)
		return &(*s)[len(*s)-1]
	}
}

// keyed makes an elem function for a map kept as a slice, whose elements know their key; an element that exists is
// returned as it is, so that layers merge.
func keyed[T any](key func(*T) *string) func(any, string) any {
	return func(list any, name string) any {
		s := list.(*[]T)
		for i := range *s {
			if *key(&(*s)[i]) == name {
				return &(*s)[i]
			}
		}
		var zero T
		*s = append(*s, zero)
		e := &(*s)[len(*s)-1]
		*key(e) = name
		return e
	}
}

type bounds struct{ min, max int64 }

// field makes a bind function from a function that finds the field in its struct; the types are checked by the compiler.
func field[T, F any](at func(*T) *F) func(any) any {
	return func(block any) any { return at(block.(*T)) }
}

// IsBlock reports whether the option has keys of its own, directly or in the elements of its list or map.
func (o *Option) IsBlock() bool { return o.fields != nil }

// Fields returns the rows of a block's keys, in the order of the manual; nil for what is no block. They must not be changed.
func (o *Option) Fields() []*Option {
	if o.fields == nil {
		return nil
	}
	o.block.once.Do(func() { o.block.rows = settle(o.fields(), o, o.Path+o.Kind.elements+".") })
	return o.block.rows
}

// Flags returns the command-line flags that set this option, without dashes, the preferred one first.
func (o *Option) Flags() []string {
	var names []string
	for i := range Flags {
		if f := &Flags[i]; !f.late && slices.Contains(f.Paths, o.Path) {
			names = f.Names // the last one is the option's own, the others set several
		}
	}
	return names
}

// Env returns the environment variable that sets this option; empty for options inside lists and maps and for blocks.
func (o *Option) Env() string {
	if !o.IsScalar() || strings.ContainsAny(o.Path, "*[") {
		return ""
	}
	return envName(o.Path)
}

// Words returns the words that the value, or an element of a list, may be, whatever else it may; nil for none. They must
// not be changed.
func (o *Option) Words() []string {
	switch {
	case len(o.Values) > 0:
		return o.Values
	case o.Kind == Ciphers:
		return cipherNames()
	case o.Kind == Curves:
		return curveNames()
	case o.Kind == ConnTypes:
		return connectionTypes
	}
	return nil
}

// IsScalar reports whether the option is a single value that the environment and flags can set.
func (o *Option) IsScalar() bool { return o.Kind.scalar }

// Built reports whether the option does anything in this build.
func (o *Option) Built() bool { return o.Feature.Built() }

// find returns the row that key names among rows, by canonical name or alias, without regard to case.
func find(rows []*Option, key string) *Option {
	key = strings.ToLower(key)
	for _, r := range rows {
		if r.Name == key || slices.Contains(r.Aliases, key) {
			return r
		}
	}
	return nil
}

// names lists the canonical names and the aliases of rows, for suggestions.
func names(rows []*Option) []string {
	var list []string
	for _, r := range rows {
		list = append(list, r.Name)
		list = append(list, r.Aliases...)
	}
	return list
}
