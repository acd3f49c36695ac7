package daemon

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-broker/nats-broker/daemon/config"
	"github.com/nats-broker/nats-broker/daemon/logging"
)

// shortSecret is the length below which a secret is not looked for in texts, since it may be a part of any word. Where
// it stands behind the name of an option it is masked all the same.
const shortSecret = 5

// A Mask hides secrets in texts that go to others: those that it was made with, and whatever has the form of one. It is
// used by many goroutines.
type Mask struct{ known *strings.Replacer }

// NewMask makes a mask of known secrets, which are found plain, in base64, in URLs and in JSON.
func NewMask(secrets []string) *Mask {
	var forms []string
	for _, s := range secrets {
		if len(s) < shortSecret || s == config.Redacted {
			continue
		}
		quoted, err := json.Marshal(s)
		if err != nil {
			quoted = []byte(`""`) // cannot be: a string always can
		}
		for _, form := range []string{
			s, base64.StdEncoding.EncodeToString([]byte(s)), base64.RawURLEncoding.EncodeToString([]byte(s)),
			url.QueryEscape(s), url.PathEscape(s), strings.Trim(string(quoted), `"`),
		} {
			if !slices.Contains(forms, form) {
				forms = append(forms, form)
			}
		}
	}
	slices.SortFunc(forms, func(a, b string) int { return len(b) - len(a) }) // one may be a part of another
	pairs := make([]string, 0, 2*len(forms))
	for _, f := range forms {
		pairs = append(pairs, f, config.Redacted)
	}
	return &Mask{strings.NewReplacer(pairs...)}
}

// secretForms are texts that are secrets by their form, with what stands in their place.
var secretForms = sync.OnceValue(func() []struct {
	form *regexp.Regexp
	with string
} {
	return []struct {
		form *regexp.Regexp
		with string
	}{
		{regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*(-----END [A-Z ]*PRIVATE KEY-----)?`), config.Redacted},
		{regexp.MustCompile(`\$2[abxy]\$\d\d\$[./A-Za-z0-9]{53}`), config.Redacted},
		{regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://)[^/@\s"']+@`), "${1}" + config.Redacted + "@"},
		{regexp.MustCompile(`(?i)\b(pass|password|passwd|token|auth_token|secret|creds|seed)(["']?\s*[:=]\s*)"[^"\n]*"`), `${1}${2}"` + config.Redacted + `"`},
		{regexp.MustCompile(`(?i)\b(pass|password|passwd|token|auth_token|secret|creds|seed)(["']?\s*[:=]\s*)([^\s"',;{}\[\]][^\s"',;}\]]*)`), "${1}${2}" + config.Redacted},
		{regexp.MustCompile(`(?im)((?:^|[\s"'])--?(?:pass|password|auth|token)["']?[=, ]["']?)([^\s"']+)`), "${1}" + config.Redacted},
	}
})

// Text returns a text without secrets.
func (m *Mask) Text(text string) string {
	text = m.known.Replace(text)
	text = string(logging.RedactPayload([]byte(text)))
	for _, f := range secretForms() {
		text = f.form.ReplaceAllString(text, f.with)
	}
	return text
}

// madeMask is a mask and what it was made from.
type madeMask struct {
	*Mask
	of *active
	at time.Time
}

// maskAge is how long a mask is used: files may change under it.
const maskAge = 10 * time.Second

// mask hides the secrets of the configuration in effect, of the files on disk as they are, also where a flag or the
// environment says something else, and of the keys of TLS.
func (d *Daemon) mask() *Mask {
	act := d.active.Load()
	if m := d.masked.Load(); m != nil && m.of == act && time.Since(m.at) < maskAge {
		return m.Mask
	}
	secrets := act.cfg.Secrets()
	if cfg, _, _ := config.Load(config.LoadRequest{File: d.Invocation.ConfigFile, Environ: d.Environ, Credentials: d.System.CredentialsDir}); cfg != nil {
		secrets = append(secrets, cfg.Secrets()...) // also of one that is not valid
	}
	for _, t := range d.tlsInUse() {
		for _, pair := range t.Options().Certificates {
			secrets = append(secrets, keyLines(pair.KeyFile)...)
		}
	}
	m := &madeMask{NewMask(secrets), act, time.Now()}
	d.masked.Store(m)
	return m.Mask
}

// keyLines are the lines of a private key, which are secrets of their own; none if it cannot be read.
func keyLines(file string) (list []string) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	private := false
	for line := range strings.Lines(string(text)) {
		switch line = strings.TrimSpace(line); {
		case strings.HasPrefix(line, "-----"):
			private = strings.HasPrefix(line, "-----BEGIN") && strings.Contains(line, "PRIVATE KEY")
		case private:
			list = append(list, line)
		}
	}
	return list
}
