package config

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/nats-broker/nats-broker/confparse"
)

// The layers, weakest first. Values of a stronger layer win.
const (
	LayerDefaults    confparse.Layer = "default"
	LayerFile        confparse.Layer = "file"
	LayerDropIn      confparse.Layer = "drop-in"
	LayerEnvironment confparse.Layer = "environment"
	LayerFlags       confparse.Layer = "flags"
)

// layerRank orders layers by strength.
func layerRank(l confparse.Layer) int {
	switch l {
	case LayerFile:
		return 1
	case LayerDropIn:
		return 2
	case LayerEnvironment:
		return 3
	case LayerFlags:
		return 4
	default:
		return 0
	}
}

// A stack is every layer that was read, and what they merge to.
type stack struct {
	main   *confparse.Value // the main file with its includes; nil if there is none
	merged *confparse.Value
	plain  bool // there is nothing but the main file
	files  []confparse.File
	dirs   []string // directories of drop-ins, whether they exist or not

	req *LoadRequest
}

// readLayers reads the main file with its drop-ins and puts the environment and the flags over them: maps merge key by
// key, scalars and arrays are replaced. What could be read is returned with the mistakes.
func readLayers(req *LoadRequest) (*stack, problems) {
	s := &stack{merged: confparse.NewMap(confparse.Span{}), plain: true, req: req}
	env, found := environment(req.Environ)
	if req.File != "" {
		tree := s.parse(req.File, LayerFile, &found)
		s.main, s.merged = tree.Root, tree.Root
		if len(tree.Files) > 0 { // else it could not be read, and drop-ins of nothing say nothing
			s.layDropIns(tree.Files, &found)
		}
	}
	for _, over := range []*confparse.Value{env, req.Invocation.Tree()} {
		if over.Fields().Len() > 0 {
			s.plain = false
			s.merged = confparse.Merge(s.merged, over)
		}
	}
	return s, found
}

// parse reads one file with its includes.
func (s *stack) parse(path string, layer confparse.Layer, found *problems) *confparse.Tree {
	tree, err := confparse.ParseFile(path, confparse.Options{
		Layer:      layer,
		ReadFile:   s.req.ReadFile,
		LookupEnv:  s.req.lookup,
		LookupText: s.credential,
	})
	s.files = append(s.files, tree.Files...)
	var errs confparse.Errors
	if errors.As(err, &errs) {
		found.errs = append(found.errs, errs...)
	}
	return tree
}

// Credentials of systemd (LoadCredential=, SetCredential=, LoadCredentialEncrypted=) are used in files of the
// configuration as variables, which the dialect takes to the next blank:
//
//	password: $CREDENTIAL:route-password                      what the credential holds
//	tls { key_file: $CREDENTIALS_DIRECTORY/server.key }       the path of the credential
//
// What a credential holds is a string, whatever it looks like; one line end at its end does not count.
const (
	credentialText = "CREDENTIAL:"
	credentialPath = "CREDENTIALS_DIRECTORY/"
)

// credential looks up a variable that stands for a credential.
func (s *stack) credential(variable string) (string, bool, error) {
	name, text := strings.CutPrefix(variable, credentialText)
	if !text {
		var path bool
		if name, path = strings.CutPrefix(variable, credentialPath); !path {
			return "", false, nil
		}
	}
	dir := s.req.credentials()
	if dir == "" {
		return "", false, errors.New("there are no credentials: $CREDENTIALS_DIRECTORY is not set; systemd sets it for a unit with LoadCredential=")
	}
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
		return "", false, fmt.Errorf("%q is not the name of a credential", name)
	}
	path := filepath.Join(dir, name)
	if !text {
		return path, true, nil
	}
	content, err := s.req.ReadFile(path)
	if err != nil {
		return "", false, fmt.Errorf("cannot read the credential: %w", err)
	}
	s.files = append(s.files, confparse.File{Path: path, Digest: sha256.Sum256(content)})
	return strings.TrimSuffix(strings.TrimSuffix(string(content), "\n"), "\r"), true, nil
}
