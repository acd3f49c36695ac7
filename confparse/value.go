package confparse

import (
	"math"
	"time"
)

// Kind says what a value is.
type Kind uint8

// The kinds of values.
const (
	Invalid Kind = iota // no value; only where an error was reported
	Map
	Array
	String
	Bool
	Int
	Float
	Time
)

// String names k in words for a user: "a map", "a string", "a whole number".
func (k Kind) String() string {
	switch k {
	case Map:
		return "a map"
	case Array:
		return "an array"
	case String:
		return "a string"
	case Bool:
		return "true or false"
	case Int:
		return "a whole number"
	case Float:
		return "a number with a fraction"
	case Time:
		return "a time"
	default:
		return "nothing"
	}
}

// A Value is one value of the tree. It is immutable once parsed and may be
// shared between goroutines. Two entries can share one map or array when one is
// a variable that refers to the other.
type Value struct {
	kind   Kind
	quoted bool
	used   bool
	span   Span
	str    string // String
	num    int64  // Bool, Int, Float (bits), Time (Unix seconds)
	items  []*Value
	fields *Fields
	ref    *Reference
}

// A Reference tells that a value was written as a variable.
type Reference struct {
	Name        string // without the '$'
	Definition  Span   // the entry it was found in; zero if from the environment
	Environment bool   // found in the environment
}

// NewString makes a string value placed at span.
func NewString(span Span, s string) *Value {
	return &Value{kind: String, span: span, str: s, quoted: true}
}

// NewBool makes a boolean value placed at span.
func NewBool(span Span, b bool) *Value {
	v := &Value{kind: Bool, span: span}
	if b {
		v.num = 1
	}
	return v
}

// NewInt makes an integer value placed at span.
func NewInt(span Span, n int64) *Value { return &Value{kind: Int, span: span, num: n} }

// NewFloat makes a float value placed at span.
func NewFloat(span Span, f float64) *Value {
	return &Value{kind: Float, span: span, num: int64(math.Float64bits(f))}
}

// NewTime makes a time value placed at span; t is cut to whole seconds in UTC,
// the precision of the dialect.
func NewTime(span Span, t time.Time) *Value {
	return &Value{kind: Time, span: span, num: t.Unix()}
}

// NewArray makes an array value placed at span. It keeps items.
func NewArray(span Span, items ...*Value) *Value {
	return &Value{kind: Array, span: span, items: items}
}

// NewMap makes a map value placed at span with the given entries in order.
func NewMap(span Span, entries ...Entry) *Value {
	v := &Value{kind: Map, span: span, fields: &Fields{}}
	for _, e := range entries {
		v.fields.set(e)
	}
	return v
}

// Kind says what v is; Invalid for nil.
func (v *Value) Kind() Kind {
	if v == nil {
		return Invalid
	}
	return v.kind
}

// Span is where v is written: for a quoted string with its quotes, for a
// variable the reference, for a map or array from bracket to bracket.
func (v *Value) Span() Span {
	if v == nil {
		return Span{}
	}
	return v.span
}

// Text is v as it was written.
func (v *Value) Text() string { return v.Span().Text() }

// Layer is the layer of the source v was written in.
func (v *Value) Layer() Layer { return v.Span().Layer() }

// Quoted reports whether v is a string that stood in quotes or in a block.
func (v *Value) Quoted() bool { return v.quoted }

// Reference tells which variable v was written as; nil if it was not.
func (v *Value) Reference() *Reference { return v.ref }

// UsedAsVariable reports whether another entry refers to v by `$key`. Such
// entries are definitions and need not be options.
func (v *Value) UsedAsVariable() bool { return v.used }

// Str returns the string v is.
func (v *Value) Str() (string, bool) {
	if v.Kind() != String {
		return "", false
	}
	return v.str, true
}

// Bool returns the boolean v is.
func (v *Value) Bool() (value, ok bool) {
	if v.Kind() != Bool {
		return false, false
	}
	return v.num != 0, true
}

// Int returns the integer v is, suffix applied.
func (v *Value) Int() (int64, bool) {
	if v.Kind() != Int {
		return 0, false
	}
	return v.num, true
}

// Float returns the float v is. An integer is not a float.
func (v *Value) Float() (float64, bool) {
	if v.Kind() != Float {
		return 0, false
	}
	return math.Float64frombits(uint64(v.num)), true
}

// Time returns the time v is, in UTC.
func (v *Value) Time() (time.Time, bool) {
	if v.Kind() != Time {
		return time.Time{}, false
	}
	return time.Unix(v.num, 0).UTC(), true
}

// Items returns the values of an array, nil for anything else. The caller must
// not change the slice.
func (v *Value) Items() []*Value {
	if v.Kind() != Array {
		return nil
	}
	return v.items
}

// Fields returns the entries of a map, nil for anything else. A nil *Fields is
// an empty one.
func (v *Value) Fields() *Fields {
	if v.Kind() != Map {
		return nil
	}
	return v.fields
}

// Interface returns v as plain Go values: map[string]any, []any, string, bool,
// int64, float64, time.Time.
func (v *Value) Interface() any {
	switch v.Kind() {
	case Map:
		m := make(map[string]any, v.fields.Len())
		for _, e := range v.fields.All() {
			m[e.Key] = e.Value.Interface()
		}
		return m
	case Array:
		list := make([]any, len(v.items))
		for i, item := range v.items {
			list[i] = item.Interface()
		}
		return list
	case String:
		return v.str
	case Bool:
		return v.num != 0
	case Int:
		return v.num
	case Float:
		f, _ := v.Float()
		return f
	case Time:
		t, _ := v.Time()
		return t
	default:
		return nil
	}
}

// An Entry is a key and its value.
type Entry struct {
	Key     string
	KeySpan Span // with quotes, if there are any
	Value   *Value
	Shadows []Span // keys of earlier entries of the same name, replaced by this one
}

// Span is the stretch from the key to the end of the value, or the key alone
// where they are in different sources.
func (e *Entry) Span() Span {
	if v := e.Value.Span(); v.src == e.KeySpan.src && v.end > e.KeySpan.end {
		return e.KeySpan.to(v)
	}
	return e.KeySpan
}

// Fields are the entries of a map in the order they were first written. The
// methods work on a nil *Fields.
type Fields struct {
	entries []Entry
	index   map[string]int // made once there are many
}

// Len is the number of entries.
func (f *Fields) Len() int {
	if f == nil {
		return 0
	}
	return len(f.entries)
}

// All returns the entries in order. The caller must not change the slice.
func (f *Fields) All() []Entry {
	if f == nil {
		return nil
	}
	return f.entries
}

// Get returns the entry of a key, exactly as written; nil if there is none.
func (f *Fields) Get(key string) *Entry {
	if i := f.find(key); i >= 0 {
		return &f.entries[i]
	}
	return nil
}

// indexFrom is the number of entries from which a map is searched by hash.
const indexFrom = 9

func (f *Fields) find(key string) int {
	if f == nil {
		return -1
	}
	if f.index != nil {
		if i, ok := f.index[key]; ok {
			return i
		}
		return -1
	}
	for i := range f.entries {
		if f.entries[i].Key == key {
			return i
		}
	}
	return -1
}

// set adds an entry, or replaces the one of the same key in its place.
func (f *Fields) set(e Entry) {
	if i := f.find(e.Key); i >= 0 {
		old := &f.entries[i]
		e.Shadows = append(append(old.Shadows, old.KeySpan), e.Shadows...)
		f.entries[i] = e
		return
	}
	if f.entries == nil {
		f.entries = make([]Entry, 0, 3)
	}
	f.entries = append(f.entries, e)
	switch n := len(f.entries); {
	case f.index != nil:
		f.index[e.Key] = n - 1
	case n >= indexFrom:
		f.index = make(map[string]int, 2*n)
		for i := range f.entries {
			f.index[f.entries[i].Key] = i
		}
	}
}
