// Package fieldstest tests records of package fields: that each of their fields is
// written and read, and that states of versions that were released are read still.
package fieldstest

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/nats-broker/nats-broker/daemon/fields"
)

var update = flag.Bool("update", false, "write the golden files of this version anew")

// Complete sees to it that each field of the structure T, and of those inside it, is
// carried: one that the list of [fields.Record] forgets comes back as zero. Those named
// in except, as "T.name", are not carried.
func Complete[T any, P interface {
	*T
	fields.Record
}](t *testing.T, except ...string) {
	t.Helper()
	var full, got T
	f := filler{except: except}
	f.fill(t, reflect.ValueOf(&full).Elem(), "")
	if err := fields.Read(fields.Append(nil, P(&full)), P(&got)); err != nil {
		t.Errorf("%T: %v", full, err)
	}
	if want, is := Dump(&full), Dump(&got); want != is {
		t.Errorf("%T is not carried whole:\n%s", full, difference(want, is))
	}
}

// filler gives each field another value.
type filler struct {
	n      int
	except []string
}

func (f *filler) fill(t *testing.T, v reflect.Value, name string) {
	for _, x := range f.except {
		if x == name {
			return
		}
	}
	f.n++
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(f.n%127 + 1))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(f.n%255 + 1))
	case reflect.String:
		v.SetString(fmt.Sprintf("text %d", f.n))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(t, v.Elem(), name)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fallthrough
	case reflect.Array:
		for i := range v.Len() {
			f.fill(t, v.Index(i), name)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			field := v.Field(i)
			field = reflect.NewAt(field.Type(), unsafe.Pointer(field.UnsafeAddr())).Elem() // also if it is not exported
			f.fill(t, field, v.Type().Name()+"."+v.Type().Field(i).Name)
		}
	default:
		t.Fatalf("%s is of a kind that cannot be carried: %s", name, v.Type())
	}
}

// Golden keeps states in a directory: one file NAME.state for each version that was
// released, and beside it what is read of it, as text. write is what this version
// writes, under the name current; -update writes that one anew and touches no other. A
// version that is released keeps its files for ever, and the next change of the form
// takes another name.
func Golden(t *testing.T, dir, current string, write []byte, read func([]byte) (any, error)) {
	t.Helper()
	of := func(name, ext string) string { return filepath.Join(dir, name+ext) }
	text := func(name string, state []byte) string {
		v, err := read(state)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return ""
		}
		return Dump(v)
	}
	if *update {
		for path, content := range map[string][]byte{of(current, ".state"): write, of(current, ".txt"): []byte(text(current, write))} {
			if err := os.WriteFile(path, content, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	files, err := filepath.Glob(of("*", ".state"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden states in %s (-update writes that of this version), %v", dir, err)
	}
	for _, file := range files {
		state, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(file), ".state")
		if name == current && !bytes.Equal(state, write) {
			t.Errorf("%s is not what this version writes: if %s was released, take another name for the new form", file, current)
		}
		want, err := os.ReadFile(of(name, ".txt"))
		if err != nil {
			t.Fatal(err)
		}
		if got := text(name, state); !sameLines(got, string(want)) {
			t.Errorf("%s is not read as before; was a tag given another meaning?\n%s", file, difference(string(want), got))
		}
	}
}

// sameLines reports whether two texts have the same lines, in whatever order: that of a
// struct's fields is not written down anywhere.
func sameLines(a, b string) bool {
	one, two := strings.Split(a, "\n"), strings.Split(b, "\n")
	slices.Sort(one)
	slices.Sort(two)
	return slices.Equal(one, two)
}

// Dump writes what is not zero in a value, a line for each, so that a field which comes
// later does not show in what was written before it.
func Dump(v any) string {
	var b strings.Builder
	dump(&b, "", reflect.ValueOf(v))
	return b.String()
}

func dump(b *strings.Builder, path string, v reflect.Value) {
	if !v.IsValid() || v.IsZero() && !strings.HasSuffix(path, "]") {
		return
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.Elem().IsZero() {
			fmt.Fprintf(b, "%s is there\n", path)
		}
		dump(b, path, v.Elem())
	case reflect.Struct:
		if v.IsZero() {
			fmt.Fprintf(b, "%s is there\n", path)
		}
		for i := range v.NumField() {
			if v.Type().Field(i).Anonymous { // its fields are those of the struct around it
				dump(b, path, v.Field(i))
				continue
			}
			dump(b, strings.TrimPrefix(path+"."+v.Type().Field(i).Name, "."), v.Field(i))
		}
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 && v.Kind() == reflect.Slice {
			fmt.Fprintf(b, "%s = %q\n", path, v.Bytes())
			return
		}
		for i := range v.Len() {
			dump(b, fmt.Sprintf("%s[%d]", path, i), v.Index(i))
		}
	case reflect.String:
		fmt.Fprintf(b, "%s = %q\n", path, v.String())
	default:
		fmt.Fprintf(b, "%s = %v\n", path, v)
	}
}

// difference lists the lines that only one of two texts has.
func difference(want, got string) string {
	has := func(text string) map[string]bool {
		m := make(map[string]bool)
		for l := range strings.Lines(text) {
			m[l] = true
		}
		return m
	}
	w, g := has(want), has(got)
	var b strings.Builder
	for l := range strings.Lines(want) {
		if !g[l] {
			b.WriteString("  missing: " + l)
		}
	}
	for l := range strings.Lines(got) {
		if !w[l] {
			b.WriteString("  instead: " + l)
		}
	}
	return b.String()
}
