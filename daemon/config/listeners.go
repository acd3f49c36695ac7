package config

import (
	"fmt"
	"reflect"
	"slices"
)

// listenerRow makes a row of kind Port the row of a listener: ports are checked and told
// apart, wherever in the registry they are.
type listenerRow struct {
	what    string           // "the client port", in messages
	address string           // the sibling that sets host and port; empty: none
	host    func(any) string // of the block that the row is in; empty: all
}

// listensOn makes a listenerRow; host finds the host in the block of the row.
func listensOn[T any](what, address string, host func(*T) string) *listenerRow {
	return &listenerRow{what, address, func(block any) string { return host(block.(*T)) }}
}

// A Listener is a port that something is to listen on, as a row says.
type Listener struct {
	What  string   // "the client port"
	Paths []string // options that may have set it
	Host  string
	Port  int
}

// Listeners lists the listeners that the options set, in the order of the registry. Those
// with port 0 are left out.
func (o *Options) Listeners() (list []Listener) {
	eachBound(registry(), "", o, func(r *Option, path string, block any) {
		if r.listener == nil {
			return
		}
		l := Listener{What: r.listener.what, Paths: []string{path}, Host: r.listener.host(block), Port: *r.bind(block).(*int)}
		if l.Port == 0 {
			return
		}
		if r.listener.address != "" {
			l.Paths = append(l.Paths, path[:len(path)-len(r.Name)]+r.listener.address)
		}
		list = append(list, l)
	})
	return list
}

// certified is a block that names files of certificates and keys.
type certified interface {
	files() []string
	pairs() []CertPair
}

func (t *TLS) files() []string {
	var list []string
	for _, c := range t.Certificates {
		list = append(list, c.CertFile, c.KeyFile)
	}
	return append(list, t.CAFile)
}

func (t *TLS) pairs() []CertPair { return t.Certificates }

func (t *ClientTLS) pairs() []CertPair { return []CertPair{{CertFile: t.CertFile, KeyFile: t.KeyFile}} }

func (t *ClientTLS) files() []string { return []string{t.CAFile, t.CertFile, t.KeyFile} }

// certificateFiles lists the files of every TLS block.
func certificateFiles(o *Options) (list []string) {
	eachBound(registry(), "", o, func(r *Option, _ string, block any) {
		if !r.IsBlock() {
			return
		}
		if c, ok := r.bind(block).(certified); ok {
			list = append(list, c.files()...)
		}
	})
	return slices.DeleteFunc(list, func(f string) bool { return f == "" })
}

// eachBound calls f for each row that is kept in options, with its path as a user would
// write it and the block that it is in. It does not look into blocks in which nothing is
// set, whose rows nobody has made yet, nor into maps of accounts and lists of users.
func eachBound(rows []*Option, path string, block any, f func(r *Option, path string, block any)) {
	for _, r := range rows {
		if r.bind == nil {
			continue
		}
		p := join(path, r.Name)
		f(r, p, block)
		if !r.IsBlock() {
			continue
		}
		v := reflect.ValueOf(r.bind(block))
		if v.Kind() != reflect.Pointer || v.Elem().IsZero() {
			continue
		}
		switch r.Kind {
		case Block:
			eachBound(r.Fields(), p, v.Interface(), f)
		case Blocks:
			if _, users := r.bind(block).(*[]User); users { // very many, and nothing in them that anybody looks for
				continue
			}
			for i := range v.Elem().Len() {
				eachBound(r.Fields(), fmt.Sprintf("%s[%d]", p, i), v.Elem().Index(i).Addr().Interface(), f)
			}
		}
	}
}
