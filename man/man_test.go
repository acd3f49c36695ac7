// Package man holds the manual pages, written in mdoc(7), and the tests that
// keep them true: their tables are those of the program, their examples are
// valid, and their cross references lead somewhere.
package man

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"flag"
	"io"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"github.com/nats-broker/nats-broker/daemon/config"
	"github.com/nats-broker/nats-broker/daemon/jetstream/api"
	"github.com/nats-broker/nats-broker/daemon/monitor"
)

var update = flag.Bool("update", false, "write the generated tables into the pages")

// tables are the generated parts of the pages.
var tables = []struct {
	page, name string
	write      func(io.Writer) error
}{
	{"nats-broker-metrics.7", "metrics", monitor.MetricsMdoc},
	{"nats.conf.5", "option tables", config.MdocTables},
	{"nats-broker-jetstream.7", "errors", api.ErrorsMdoc},
}

// A page whose table has fallen behind the program documents options or
// metrics that are not there, or leaves some out.
func TestTables(t *testing.T) {
	for _, table := range tables {
		t.Run(table.page, func(t *testing.T) {
			have, err := os.ReadFile(table.page)
			if err != nil {
				t.Fatal(err)
			}
			begin, end := ".\\\" "+table.name+": begin\n", ".\\\" "+table.name+": end\n"
			head, rest, ok := strings.Cut(string(have), begin)
			_, tail, ok2 := strings.Cut(rest, end)
			if !ok || !ok2 {
				t.Fatalf("the page has no lines %q and %q", begin, end)
			}
			var body bytes.Buffer
			if err := table.write(&body); err != nil {
				t.Fatal(err)
			}
			want := head + begin + body.String() + end + tail
			switch {
			case want == string(have):
			case *update:
				if err := os.WriteFile(table.page, []byte(want), 0o644); err != nil {
					t.Fatal(err)
				}
			default:
				t.Errorf("the table is out of date; run go test ./man -update")
			}
		})
	}
}

// Every example of a configuration is one that the broker takes.
func TestExamples(t *testing.T) {
	found := 0
	for _, page := range pages(t) {
		for _, example := range examples(t, page) {
			found++
			dir := t.TempDir()
			text := strings.ReplaceAll(example, "/etc/nats/", dir+"/")
			supply(t, dir)
			file := filepath.Join(dir, "nats.conf")
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, _, err := config.Load(config.LoadRequest{File: file}); err != nil {
				t.Errorf("%s: %v\n%s", page, err, example)
			}
		}
	}
	if found < 9 {
		t.Errorf("only %d examples were found", found)
	}
}

// Every option of JetStream that works is in an example.
func TestExamplesOfJetStream(t *testing.T) {
	text := strings.Join(examples(t, "nats.conf.5"), "\n")
	seen := 0
	config.Walk(func(o *config.Option) {
		if !o.Built() || o.IsBlock() || !strings.HasPrefix(o.Path, "jetstream.") && !strings.HasPrefix(o.Path, "accounts.*.jetstream.") {
			return
		}
		seen++
		if !regexp.MustCompile(`(?m)^ +` + o.Name + `: `).MatchString(text) {
			t.Errorf("no example has %s", o.Path)
		}
	})
	if seen < 20 {
		t.Errorf("only %d options were seen", seen)
	}
}

// The configurations that are shipped are valid.
func TestShippedConfigurations(t *testing.T) {
	for _, file := range []string{"../packaging/nats.conf", "../packaging/container.conf"} {
		environ := []string{"NATS_ROUTE_USER=u", "NATS_ROUTE_PASSWORD=p"}
		if _, _, err := config.Load(config.LoadRequest{File: file, Environ: environ}); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// A point of the change log fits a line of a Debian change log, with what that puts before it: lintian says so otherwise.
func TestChangelogFitsALine(t *testing.T) {
	data, err := os.ReadFile("../CHANGELOG.md")
	if err != nil {
		t.Fatal(err)
	}
	const most = 80 - len("  * ") + len("- ")
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSuffix(line, "\n"); strings.HasPrefix(line, "- ") && len(line) > most {
			t.Errorf("%d characters, at most %d: %s", len(line), most, line)
		}
	}
}

// The parts of the shipped configuration that are commented out are there to
// be used: without the # it must still be valid.
func TestShippedConfigurationUncommented(t *testing.T) {
	data, err := os.ReadFile("../packaging/nats.conf")
	if err != nil {
		t.Fatal(err)
	}
	text := regexp.MustCompile(`(?m)^#(\S)`).ReplaceAllString(string(data), "$1")
	if text == string(data) {
		t.Fatal("nothing is commented out")
	}
	file := filepath.Join(t.TempDir(), "nats.conf")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := config.Load(config.LoadRequest{File: file}); err != nil {
		t.Error(err)
	}
}

var reference = regexp.MustCompile(`(?m)^\.Xr (nats\S*) (\d)`)

// A reference to a page of ours leads to one, and every page is referred to.
func TestReferences(t *testing.T) {
	cited := map[string]bool{"nats.1": true} // the nats command line has no page here
	for _, page := range pages(t) {
		data, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range reference.FindAllStringSubmatch(string(data), -1) {
			name := m[1] + "." + m[2]
			if _, err := os.Stat(name); err != nil && name != "nats.1" {
				t.Errorf("%s refers to %s(%s), which does not exist", page, m[1], m[2])
			}
			if name != page {
				cited[name] = true
			}
		}
	}
	for _, page := range pages(t) {
		if !cited[page] {
			t.Errorf("no page refers to %s", page)
		}
	}
}

// What mandoc warns of is shown wrong by one reader of manual pages or another.
func TestLint(t *testing.T) {
	if _, err := exec.LookPath("mandoc"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("mandoc is not installed")
		}
		t.Skip("mandoc is not installed")
	}
	for _, page := range pages(t) {
		out, err := exec.Command("mandoc", "-Tlint", "-W", "warning", page).CombinedOutput()
		if err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	}
}

// What is not built is named where somebody looks who wants to move here.
func TestWhatIsNotBuiltIsNamed(t *testing.T) {
	words := map[config.Feature]string{
		config.Encryption: "encryption", config.Replication: "cluster", config.Gateways: "gateways", config.MQTT: "MQTT", config.OCSP: "OCSP",
		config.LeafDomains: "domain", config.LeafWebSocket: "WebSocket", config.LeafProxies: "HTTP proxies", config.CertStore: "",
	}
	texts := map[string]string{}
	for name, want := range map[string]string{"nats-broker-migrate.7": `(?s)\nIn this version these are.*?\n\.Pp\n`, "../README.md": `\n\| \*\*Not yet\*\* .*\n`} {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		found := regexp.MustCompile(want).FindAllString(string(data), -1)
		if len(found) != 1 {
			t.Fatalf("%s: %q is there %d times", name, want, len(found))
		}
		texts[name] = found[0]
	}
	config.Walk(func(o *config.Option) {
		if o.Built() || o.Feature.Built() {
			return
		}
		word, known := words[o.Feature]
		if !known {
			t.Errorf("%s: what is %q called in the manual?", o.Path, o.Feature)
			words[o.Feature] = ""
		}
		for name, text := range texts {
			if !strings.Contains(text, word) {
				t.Errorf("%s does not have %q", name, word)
			}
		}
	})
}

// callable are the macros of mdoc(7) that are English words, or nearly: as an argument of another macro they are called there,
// so that a heading "In a container" is shown as "<a> container", of which mandoc does not warn.
var callable = regexp.MustCompile(`^(?:Ad|An|Ap|At|Cd|Em|In|Li|No|Ot|Pa|Sc|So|St)$`)

// A word of a heading is not taken for a macro.
func TestHeadings(t *testing.T) {
	for _, page := range pages(t) {
		data, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			if strings.HasPrefix(line, ".Ss") || strings.HasPrefix(line, ".Sh") {
				for _, word := range strings.Fields(line)[1:] {
					if callable.MatchString(word) {
						t.Errorf("%s: %s is a macro; write \\&%s:\n%s", page, word, word, line)
					}
				}
			}
		}
	}
}

func pages(t *testing.T) []string {
	t.Helper()
	list, err := filepath.Glob("*.[1-8]")
	if err != nil || len(list) == 0 {
		t.Fatalf("no pages: %v", err)
	}
	return list
}

// examples are the blocks of a page between .\" example and .\" end, as a
// reader sees them.
func examples(t *testing.T, page string) []string {
	t.Helper()
	data, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	rest := string(data)
	for {
		_, after, ok := strings.Cut(rest, ".\\\" example\n")
		if !ok {
			return list
		}
		text, tail, ok := strings.Cut(after, ".\\\" end\n")
		if !ok {
			t.Fatalf("%s: an example has no end", page)
		}
		list = append(list, strings.NewReplacer(`\e`, `\`, `\&`, "").Replace(text))
		rest = tail
	}
}

// operator makes the JWT of an operator with the system account of the example.
func operator(t *testing.T) string {
	t.Helper()
	key, err := nkeys.CreateOperator()
	if err != nil {
		t.Fatal(err)
	}
	id, err := key.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	c := jwt.NewOperatorClaims(id)
	c.SystemAccount = "ADGOFHUDQLMBF5WLWHTQQ6RGBHSF2AVZOI6ESUJVX2CFJTIBICNSYVNJ"
	text, err := c.Encode(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// supply puts the files into dir that the examples name.
func supply(t *testing.T, dir string) {
	t.Helper()
	write := func(name, text string) {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("app.password", "secret\n")
	write("operator.jwt", operator(t))
	write("orders.password", "secret\n")
	write("decider.password", "secret\n")
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "example"},
		NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	write("tls/server.pem", cert)
	write("tls/clients.pem", cert)
	write("tls/server.key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})))
}

// nats-broker(8) has every flag of the command line.
func TestFlags(t *testing.T) {
	data, err := os.ReadFile("nats-broker.8")
	if err != nil {
		t.Fatal(err)
	}
	options, _, _ := strings.Cut(string(data[strings.Index(string(data), "\n.Sh OPTIONS\n"):]), "\n.Sh ENVIRONMENT")
	for _, f := range config.Flags {
		for _, name := range f.Names {
			if !regexp.MustCompile(`(?m)^\.It\b.*\bFl -?` + regexp.QuoteMeta(name) + `(?:[ =]|$)`).MatchString(options) {
				t.Errorf("nats-broker(8) does not have -%s", name)
			}
		}
	}
}
