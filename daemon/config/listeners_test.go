package config

import (
	"reflect"
	"slices"
	"testing"
)

// Whatever port is an option is one that something listens on, and is checked as such.
func TestEveryPortIsAListeners(t *testing.T) {
	Walk(func(r *Option) {
		if r.Kind == Port && r.Built() && r.bind != nil && r.listener == nil {
			t.Errorf("%s is the port of no listener: ports are not told apart from it", r.Path)
		}
	})
	o := Options{Host: "h", Port: 1}
	o.Monitor.Host, o.Monitor.Port, o.Monitor.HTTPSPort = "m", 2, 3
	o.Cluster.Host, o.Cluster.Port = "c", 4
	o.Process.ProfPort = 5
	var got []Listener
	for _, l := range o.Listeners() {
		l.What = ""
		got = append(got, l)
	}
	want := []Listener{
		{"", []string{"port", "listen"}, "h", 1}, {"", []string{"prof_port"}, "h", 5},
		{"", []string{"http_port", "http"}, "m", 2}, {"", []string{"https_port", "https"}, "m", 3},
		{"", []string{"cluster.port", "cluster.listen"}, "c", 4},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// The files of a TLS block are watched and compared, whichever block it is.
func TestFilesOfEveryTLSBlock(t *testing.T) {
	blocks := 0
	var fill func(rows []*Option, path string, block any, o *Options)
	fill = func(rows []*Option, path string, block any, o *Options) {
		for _, r := range rows {
			if r.bind == nil || !r.IsBlock() {
				continue
			}
			p := join(path, r.Name)
			switch b := r.bind(block).(type) {
			case *TLS:
				b.CAFile, b.Certificates = p, []CertPair{{p + " cert", p + " key"}}
			case *ClientTLS:
				b.CAFile, b.CertFile, b.KeyFile = p, p+" cert", p+" key"
			default:
				if r.Kind == Block {
					fill(r.Fields(), p, b, o)
				}
				continue
			}
			blocks++
			list := certificateFiles(o)
			for _, f := range []string{p, p + " cert", p + " key"} {
				if !slices.Contains(list, f) {
					t.Errorf("%q is not among %q", f, list)
				}
			}
		}
	}
	var o Options
	fill(registry(), "", &o, &o)
	if blocks < 4 {
		t.Errorf("%d TLS blocks", blocks)
	}
}

// A start makes the rows of no block in which nothing is set.
func TestListenersMakeNoRows(t *testing.T) {
	made := func() (n int) {
		for _, r := range registry() {
			if r.block.rows != nil && r.Name != "proxies" { // which is one row, and kept in Options itself
				n++
			}
		}
		return n
	}
	before := made()
	o := Options{Port: 4222}
	o.Listeners()
	certificateFiles(&o)
	if after := made(); after != before {
		t.Errorf("rows of %d blocks were made", after-before)
	}
}
