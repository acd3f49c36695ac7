package config

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/nats-broker/nats-broker/confparse"
)

// Credentials of systemd (LoadCredential=, SetCredential=, LoadCredentialEncrypted=) are used in every file of the
// configuration as variables, whose names the dialect takes to the next blank:
//
//	password: $CREDENTIAL:route-password                       what the credential holds
//	password_file: $CREDENTIALS_DIRECTORY/route-password       the path of the credential
//	tls { key_file: $CREDENTIALS_DIRECTORY/server.key }
//
// What a credential holds is a string, whatever it looks like; one line end at its end does not count.
const (
	credentialText = "CREDENTIAL:"
	credentialPath = "CREDENTIALS_DIRECTORY/"
)

// maxSecret is how large a file of a secret may be, in bytes.
const maxSecret = 64 << 10

// credential looks up a variable that stands for a credential.
func (l *layers) credential(variable string) (string, bool, error) {
	name, text := strings.CutPrefix(variable, credentialText)
	if !text {
		var path bool
		if name, path = strings.CutPrefix(variable, credentialPath); !path {
			return "", false, nil
		}
	}
	if l.places.Credentials == "" {
		return "", false, errors.New("there are no credentials: $CREDENTIALS_DIRECTORY is not set; systemd sets it for a unit with LoadCredential=")
	}
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
		return "", false, fmt.Errorf("%q is not the name of a credential", name)
	}
	path := filepath.Join(l.places.Credentials, name)
	if !text {
		return path, true, nil
	}
	secret, err := l.secret(path)
	return secret, err == nil, err
}

// secret reads a file that holds nothing but a secret and drops one line end at its end. The file is remembered, so
// that a change of it is noticed.
func (l *layers) secret(path string) (string, error) {
	text, err := l.places.ReadFile(path)
	if err != nil {
		if pe := (*fs.PathError)(nil); errors.As(err, &pe) {
			return "", fmt.Errorf("%s: %w", pe.Path, pe.Err)
		}
		return "", err
	}
	l.Files = append(l.Files, confparse.File{Path: path, Digest: sha256.Sum256(text)})
	switch {
	case len(text) > maxSecret:
		return "", fmt.Errorf("%s: larger than %d KiB, not a secret", path, maxSecret>>10)
	case strings.IndexByte(string(text), 0) >= 0:
		return "", fmt.Errorf("%s: contains a NUL byte", path)
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r"), nil
}
