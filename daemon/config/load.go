package config

import (
	"crypto/sha256"
	"os"
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
	// Root stands for / in the paths of the packaged file and its drop-ins, for tests.
	Root string
	// Credentials is systemd's credentials directory; empty: $CREDENTIALS_DIRECTORY of Environ.
	Credentials string
	// ReadFile reads the configuration's files and secrets; nil: os.ReadFile.
	ReadFile func(string) ([]byte, error)
	// DropIns are the drop-ins to apply, in this order, instead of those in the directories of the main file; nil:
	// those. With ReadFile it brings back a configuration that was read before.
	DropIns *[]string
}

// A Config is a configuration that was loaded: what is in effect and where it came from. It is immutable.
type Config struct {
	// Options are the typed values.
	Options *Options
	// File is the main file; empty: none.
	File string
	// Tree holds every layer but the defaults, merged; every value knows its layer and place.
	Tree *confparse.Value
	// Files are what was read, with digests: the main file, includes, drop-ins, files of secrets.
	Files []confparse.File
	// Missed are files that belong to it and gave nothing: they could not be read, or are empty drop-ins. When that changes,
	// so does the configuration.
	Missed []string
	// Certificates are the certificates, keys and authorities that the configuration names.
	Certificates []CertificateFile
	// Dirs are directories in which files could appear that would be read: those of drop-ins.
	Dirs []string
	// Digest is nats-server's digest of the configuration, "sha256:…": of the main file with its drop-ins, whatever the
	// environment and the flags say; empty without a file.
	Digest string

	origins *origins
}

// Origin returns where the effective value of an option was written; false if it is a default. The path has canonical
// names, real account names and indexes: "accounts.A.users[0].password".
func (c *Config) Origin(path string) (Origin, bool) {
	return c.origins.get(path)
}

// Forget drops what takes much memory and only questions about the text need: the tree, and the places of what is in lists.
// Options stay. Nobody else may use c during the call.
func (c *Config) Forget() {
	c.Tree = nil
	c.origins.forgetLists()
}

// Load reads all layers, merges, decodes, completes and checks them. On error it returns a [confparse.Errors] with every
// mistake that was found, sorted by place, and a Config as far as it could be made, whose Files tell what to watch.
// Warnings are returned with and without error.
//
// Mistakes that nats-server's -t does not find but its start does are in the error as well.
func Load(req LoadRequest) (*Config, Warnings, error) {
	if req.ReadFile == nil {
		req.ReadFile = os.ReadFile
	}
	if req.Invocation == nil {
		req.Invocation = &Invocation{}
	}
	var missed []string
	read := req.ReadFile
	req.ReadFile = func(path string) ([]byte, error) {
		text, err := read(path)
		if err != nil {
			missed = append(missed, path)
		}
		return text, err
	}
	files, errs := readLayers(Places{
		File: req.File, Root: req.Root, ReadFile: req.ReadFile, LookupEnv: req.lookup, Credentials: req.Credentials,
		DropIns: req.DropIns,
	})
	env, found := environment(req.Environ)
	tree := confparse.Merge(confparse.Merge(files.Tree, env), req.Invocation.Tree())

	d := &decoder{problems: found, origins: newOrigins(), secrets: files.secret, readFile: req.ReadFile}
	d.errs = append(d.errs, errs...)
	d.errs = append(d.errs, req.Invocation.problems...)
	if req.File != "" && files.Tree.Fields().Len() == 0 && len(errs) == 0 {
		d.warn(files.Tree.Span(), "config has no values or is empty")
	}
	o := defaults()
	d.fields(registry(), tree.Fields(), o, "")
	if req.Invocation.noTLS {
		o.TLS = TLS{}
	}
	complete(o)
	d.check(o)
	digest := ""
	if req.File != "" {
		digest = confparse.Digest(files.Tree)
	}
	return &Config{
		Options: o, File: req.File, Tree: tree, Digest: digest,
		Files: files.Files, Missed: append(missed, files.Missed...), Certificates: d.certificates(o), Dirs: files.Dirs, origins: d.origins,
	}, d.warns, d.errs.Err()
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

// A CertificateFile is a file of a TLS block.
type CertificateFile struct {
	Path   string
	Digest [sha256.Size]byte // of its content; zero if it could not be read
}

// certificates lists the files of every TLS block, each once, with the digest of what they hold now.
func (d *decoder) certificates(o *Options) []CertificateFile {
	paths := certificateFiles(o)
	slices.Sort(paths)
	var list []CertificateFile
	for _, p := range slices.Compact(paths) {
		f := CertificateFile{Path: p}
		if text, err := d.readFile(p); err == nil {
			f.Digest = sha256.Sum256(text)
		}
		list = append(list, f)
	}
	return list
}
