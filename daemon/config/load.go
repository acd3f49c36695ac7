package config

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nats-broker/nats-broker/confparse"
)

// A LoadRequest says where a configuration comes from. The zero value is the defaults alone.
type LoadRequest struct {
	// File is the main file; empty: none.
	File string
	// Invocation holds the flags; nil: none.
	Invocation *Invocation
	// Environ is the environment as os.Environ gives it: variables of files are looked up in it, and NATS_BROKER_…
	// are a layer of their own. Nil: an empty environment.
	Environ []string
	// Roots are the directories of the packaged file's drop-ins; nil: the system's.
	Roots *Roots
	// Credentials is systemd's credentials directory; empty: $CREDENTIALS_DIRECTORY of Environ.
	Credentials string
	// ReadFile reads the configuration's files and secrets; nil: os.ReadFile.
	ReadFile func(string) ([]byte, error)
}

// A Config is a configuration that was loaded: what is in effect and where it came from. It is immutable.
type Config struct {
	// Options are the typed values.
	Options *Options
	// File is the main file; empty: none.
	File string
	// Tree holds every layer but the defaults, merged; every value knows its layer and place.
	Tree *confparse.Value
	// Files are the configuration's files, the main file first, with digests of what was read.
	Files []confparse.File
	// Others are further files the configuration depends on: certificates, keys, files of secrets.
	Others []string
	// Digest is nats-server's digest of the main file: "sha256:…"; of the merged tree when there are more layers.
	Digest string

	origins map[string]Origin
	dirs    []string
}

// Origin returns where the effective value of an option was written; false if it is a default. The path has canonical
// names, real account names and indexes: "accounts.A.users[0].password".
func (c *Config) Origin(path string) (Origin, bool) {
	o, ok := c.origins[path]
	return o, ok
}

// Load reads all layers, merges, decodes, completes and checks them. On error it returns a [confparse.Errors] with every
// mistake that was found, sorted by place, and a Config as far as it could be made, whose Files tell what to watch.
// Warnings are returned with and without error.
//
// Mistakes that nats-server's -t does not find but its start does are in the error as well; [StartOnly] tells them
// apart.
func Load(req LoadRequest) (*Config, Warnings, error) {
	if req.ReadFile == nil {
		req.ReadFile = os.ReadFile
	}
	if req.Invocation == nil {
		req.Invocation = &Invocation{}
	}
	stack, found := readLayers(&req)
	d := &decoder{origins: map[string]Origin{}, readFile: req.ReadFile, credentials: req.credentials()}
	d.problems = found
	d.errs = append(d.errs, req.Invocation.problems...)
	if req.File != "" && stack.main != nil && stack.main.Fields().Len() == 0 && len(d.errs) == 0 {
		d.warns = append(d.warns, Warning{Fatal: true, Error: &confparse.Error{
			Span: stack.main.Span(), Message: "config has no values or is empty"}})
	}
	o := defaults()
	d.fields(registry, stack.merged.Fields(), o, "")
	if req.Invocation.noTLS {
		o.TLS = TLS{}
	}
	complete(o)
	d.check(o)
	cfg := &Config{
		Options: o, File: req.File, Tree: stack.merged, Files: stack.files, Others: d.others,
		Digest: digest(stack), origins: d.origins, dirs: stack.dirs,
	}
	cfg.Others = append(cfg.Others, certificateFiles(o)...)
	slices.Sort(cfg.Others)
	cfg.Others = slices.Compact(cfg.Others)
	return cfg, d.warns, d.errs.Err()
}

func (req *LoadRequest) credentials() string {
	if req.Credentials != "" {
		return req.Credentials
	}
	dir, _ := req.lookup("CREDENTIALS_DIRECTORY")
	return dir
}

// lookup finds a variable in the request's environment.
func (req *LoadRequest) lookup(name string) (string, bool) {
	for i := len(req.Environ) - 1; i >= 0; i-- {
		if key, value, _ := strings.Cut(req.Environ[i], "="); key == name {
			return value, true
		}
	}
	return "", false
}

// digest is nats-server's: the SHA-256 of the values as JSON, keys sorted.
func digest(s *stack) string {
	tree := s.merged
	if s.plain {
		tree = s.main
	}
	h := sha256.New()
	if tree == nil || json.NewEncoder(h).Encode(tree.Interface()) != nil {
		return ""
	}
	return fmt.Sprintf("sha256:%x", h.Sum(nil))
}

// readSecret reads the file of a secret: a path relative to the directory of the file that names it, or
// "credential:NAME" for one of systemd's credentials. White space at the end does not count.
func (d *decoder) readSecret(name string, at confparse.Span) (string, error) {
	path := name
	if cred, ok := strings.CutPrefix(name, "credential:"); ok {
		if d.credentials == "" {
			return "", fmt.Errorf("there are no credentials: $CREDENTIALS_DIRECTORY is not set")
		}
		if cred == "" || strings.Contains(cred, "/") || cred == ".." {
			return "", fmt.Errorf("%q is not the name of a credential", cred)
		}
		path = filepath.Join(d.credentials, cred)
	} else if !filepath.IsAbs(path) && !at.IsZero() && strings.HasPrefix(string(at.Layer()), "file") {
		path = filepath.Join(filepath.Dir(at.Start().File), path)
	}
	d.others = append(d.others, path)
	text, err := d.readFile(path)
	if err != nil {
		return "", err
	}
	return strings.TrimRight(string(text), " \t\r\n"), nil
}

// certificateFiles lists the files of every TLS block.
func certificateFiles(o *Options) []string {
	var list []string
	add := func(files ...string) {
		for _, f := range files {
			if f != "" {
				list = append(list, f)
			}
		}
	}
	for _, t := range []*TLS{&o.TLS, &o.Cluster.TLS} {
		for _, c := range t.Certificates {
			add(c.CertFile, c.KeyFile)
		}
		add(t.CAFile)
	}
	r := o.Log.Remote.TLS
	add(r.CAFile, r.CertFile, r.KeyFile)
	return list
}
