package config

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/nats-broker/nats-broker/confparse"
)

// A Setting is one effective value and where it comes from.
type Setting struct {
	Path     string          `json:"path"`  // canonical names, real account names, indexes: "accounts.A.users[0].user"
	Value    any             `json:"value"` // nil: not set; masked if it is a secret; times and durations as they are written
	Layer    confparse.Layer `json:"layer"`
	File     string          `json:"file,omitempty"`
	Line     int             `json:"line,omitempty"`
	Column   int             `json:"column,omitempty"`
	Variable string          `json:"variable,omitempty"` // name of the variable it was written as
}

// A shown is an entry of the effective configuration on its way to the reader: a key with a scalar, an array of scalars,
// or further entries.
type shown struct {
	key    string // empty for the element of an array
	path   string
	value  *confparse.Value // masked
	text   string           // in the dialect; for what has no entries
	inner  []shown
	list   bool             // inner are elements of an array
	unset  bool             // a default that is no value
	origin *confparse.Value // the value whose place counts; nil for a default
}

// Show writes the effective configuration as a file of the dialect: options under their canonical names, secrets masked,
// variables resolved, layers merged. With origin every line says where it comes from; with all, options that nobody set
// are there with their defaults.
func (c *Config) Show(w io.Writer, origin, all bool) error {
	p := showPrinter{origin: origin}
	p.entries(c.shown(all), 0)
	_, err := io.WriteString(w, p.b.String())
	return err
}

// Settings lists the effective values one by one, as Show writes them.
func (c *Config) Settings(all bool) []Setting {
	list := []Setting{}
	var add func(entries []shown)
	add = func(entries []shown) {
		for _, e := range entries {
			if len(e.inner) > 0 {
				add(e.inner)
				continue
			}
			s := Setting{Path: e.path, Value: e.text, Layer: LayerDefault}
			if e.unset {
				s.Value = nil
			} else if e.value != nil {
				s.Value = e.value.Interface()
			}
			if e.origin != nil {
				s.Layer = e.origin.Layer()
				at := e.origin.Span().Start()
				s.File, s.Line, s.Column = at.File, at.Line, at.Column
				if ref := e.origin.Reference(); ref != nil {
					s.Variable = ref.Name
				}
			}
			list = append(list, s)
		}
	}
	add(c.shown(all))
	return list
}

// shown makes the effective configuration.
func (c *Config) shown(all bool) []shown {
	var block any
	if all {
		block = c.Options
	}
	return showMap(registry(), Redact(c.Tree), c.Tree, "", block)
}

// showMap shows a map with the rows of its block. Of several spellings of one scalar the strongest is shown; the order
// is weakest layer first, so that the text, read again, means the same. masked and tree are the same map, with and
// without secrets. block is the decoded struct from which defaults are taken; nil for none.
func showMap(rows []*Option, masked, tree *confparse.Value, path string, block any) []shown {
	entries := slices.Clone(masked.Fields().All())
	slices.SortStableFunc(entries, func(a, b confparse.Entry) int {
		return layerRank(a.Value.Layer()) - layerRank(b.Value.Layer())
	})
	var list []shown
	set := map[*Option]bool{}
	for _, e := range entries {
		row := find(rows, e.Key)
		if row == nil {
			continue // the definition of a variable
		}
		key := row.Name
		if row.IsBlock() && set[row] {
			key = strings.ToLower(e.Key) // another spelling of a block that was shown
		}
		s := showValue(row, e.Value, tree.Fields().Get(e.Key).Value, join(path, row.Name), blockOf(row, block))
		s.key = key
		if i := slices.IndexFunc(list, func(o shown) bool { return o.key == key }); i >= 0 {
			list = slices.Delete(list, i, i+1)
		}
		list = append(list, s)
		set[row] = true
	}
	if block == nil {
		return list
	}
	for _, row := range rows {
		if !set[row] {
			list = append(list, showDefault(row, join(path, row.Name), block)...)
		}
	}
	return list
}

// blockOf is the decoded struct of a block in its parent.
func blockOf(row *Option, parent any) any {
	if parent == nil || row.bind == nil || row.Kind != Block {
		return nil
	}
	return row.bind(parent)
}

// showDefault shows an option that nobody set with the value it has: nothing for blocks, lists, and what another option
// is a spelling of.
func showDefault(row *Option, path string, block any) []shown {
	if row.bind == nil || !row.Built() || !row.IsScalar() || row.Secret || row.Kind == Address || row.Kind == SecretFile {
		return nil
	}
	value := bound(row, block)
	s := shown{key: row.Name, path: path, text: row.Format(value)}
	switch v := value.(type) {
	case time.Duration:
		s.text = strconv.Quote(s.text) // bare, 2m is a number
	case string:
		s.unset = v == ""
	case int, int64:
		s.unset = s.text == "0" && row.within != nil && row.within.min > 0
	}
	return []shown{s}
}

// showValue shows a value of a row.
func showValue(row *Option, v, tree *confparse.Value, path string, block any) shown {
	s := shown{path: path, value: v, origin: tree}
	switch {
	case v.Kind() == confparse.Array:
		s.list = true
		for i, item := range v.Items() {
			s.inner = append(s.inner, showValue(row, item, tree.Items()[i], fmt.Sprintf("%s[%d]", path, i), nil))
		}
	case v.Kind() == confparse.Map && row.IsBlock() && row.Kind.elements != ".*":
		s.inner = showMap(row.Fields(), v, tree, path, block)
	case v.Kind() == confparse.Map:
		for _, e := range v.Fields().All() {
			was := tree.Fields().Get(e.Key).Value
			in := join(path, e.Key)
			var element shown
			if row.IsBlock() && e.Value.Kind() == confparse.Map {
				element = shown{path: in, value: e.Value, origin: was, inner: showMap(row.Fields(), e.Value, was, in, nil)}
			} else {
				element = showValue(row, e.Value, was, in, nil)
			}
			element.key = e.Key
			s.inner = append(s.inner, element)
		}
	default:
		s.text = showScalar(row, v)
	}
	return s
}

// showScalar writes a scalar: sizes with their unit, everything else in canonical form.
func showScalar(row *Option, v *confparse.Value) string {
	if n, ok := v.Int(); ok && row.Kind == Size {
		return FormatSize(n)
	}
	text, err := confparse.PrintValue(v, 0)
	if err != nil { // a time of a far year, which no option takes
		return `""`
	}
	return string(text)
}

// originColumn is where origins stand, if the line is not longer.
const originColumn = 44

type showPrinter struct {
	b      strings.Builder
	origin bool
}

// line writes one line, with its origin if it has one of its own.
func (p *showPrinter) line(depth int, text string, e *shown) {
	text = strings.Repeat("  ", depth) + text
	p.b.WriteString(text)
	if p.origin && e != nil {
		p.b.WriteString(strings.Repeat(" ", max(2, originColumn-utf8.RuneCountInString(text))))
		p.b.WriteString("# " + e.place())
	}
	p.b.WriteByte('\n')
}

// place says where an entry comes from.
func (e *shown) place() string {
	if e.origin == nil {
		return string(LayerDefault)
	}
	at := e.origin.Span().Start()
	where := string(e.origin.Layer())
	switch e.origin.Layer() {
	case LayerMain, LayerDropIn:
		where = fmt.Sprintf("%s %s:%d", where, at.File, at.Line)
	case LayerEnvironment, LayerFlags:
		where = at.File
	}
	if ref := e.origin.Reference(); ref != nil {
		where += ", $" + ref.Name
		if ref.Environment && !strings.HasPrefix(ref.Name, "CREDENTIAL") {
			where += " of the environment"
		}
	}
	return where
}

func (p *showPrinter) entries(list []shown, depth int) {
	for i := range list {
		e := &list[i]
		head := ""
		if e.key != "" {
			key, err := confparse.QuoteKey(e.key)
			if err != nil {
				key = e.key // as it was written, bare
			}
			head = key + ": "
		}
		switch {
		case e.unset:
			p.line(depth, "# "+strings.TrimSuffix(head, ": ")+" is not set", e)
		case e.list && len(e.inner) == 0:
			p.line(depth, head+"[]", e)
		case e.list:
			p.line(depth, head+"[", e)
			p.entries(e.inner, depth+1)
			p.line(depth, "]", nil)
		case e.value.Kind() == confparse.Map && len(e.inner) == 0:
			p.line(depth, head+"{}", e)
		case len(e.inner) > 0:
			p.line(depth, strings.TrimSuffix(head, ": ")+opening(head), e)
			p.entries(e.inner, depth+1)
			p.line(depth, "}", nil)
		default:
			p.line(depth, head+e.text, e)
		}
	}
}

// opening is the brace of a map behind its key, or alone.
func opening(head string) string {
	if head == "" {
		return "{"
	}
	return " {"
}
