package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-broker/nats-broker/daemon/internal/certtest"
)

// A pair that cannot be read is shown at the file that is missing, and not at the other one.
func TestMissingFileOfAPairIsShown(t *testing.T) {
	dir := t.TempDir()
	pair := certtest.New(t, dir, "there")
	file := filepath.Join(dir, "nats.conf")
	for _, c := range []struct{ cert, key, line string }{
		{pair.CertFile, filepath.Join(dir, "missing.key"), ":3:13: "},
		{filepath.Join(dir, "missing.pem"), pair.KeyFile, ":2:14: "},
		{pair.CertFile, pair.CertFile, ":2:14: "}, // it holds no key
	} {
		text := "tls {\n  cert_file: \"" + c.cert + "\"\n  key_file: \"" + c.key + "\"\n}\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := Load(LoadRequest{File: file}); err == nil || !strings.Contains(err.Error(), file+c.line+"error parsing X509") {
			t.Errorf("%s: %v", text, err)
		}
	}
}
