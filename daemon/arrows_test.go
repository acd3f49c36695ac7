package daemon_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/nats-broker/nats-broker"

// rooms lists every package of the product with the packages of the product it
// may import. A package that is not listed fails the test: a new room is a
// decision, made here and in ARCHITECTURE.md.
var rooms = []struct {
	path   string   // below the module; a trailing /... covers the sub-packages
	allows []string // other rooms it may import
	why    string   // why nothing else
}{
	{"confparse", nil, "anyone may import the dialect; it knows no option and no broker"},
	{"daemon/subject", nil, "subject grammar is pure: it must stay testable and fuzzable alone"},
	{"daemon/proto", nil, "frames are pure: bytes in, fields out"},
	{"daemon/sublist", []string{"daemon/subject"}, "the index is pure: it knows subjects, not who receives"},
	{"daemon/subjects", []string{"daemon/subject", "daemon/sublist"}, "finding stored messages by subject is pure"},
	{"daemon/stream", []string{"daemon/subjects", "daemon/subject"}, "what decides about a stream's messages does no i/o and has no clock"},
	{"daemon/logging", nil, "every package logs, so logging can import none of them"},
	{"daemon/sysd", []string{"daemon/logging"}, "systemd is a neighbour of the process, not of the broker"},
	{"daemon/control", []string{"daemon/logging"}, "the verbs share it with the daemon, and must not pull the broker in"},
	{"daemon/watch", []string{"daemon/logging"}, "it knows files and that they changed, not what is in them"},
	{"daemon/handover", []string{"daemon/logging"}, "descriptors and bytes for another process; it does not know what they are"},
	{"daemon/record", nil, "the record layer of TLS 1.3 is pure: bytes in, bytes out, so that it can be reviewed alone"},
	{"daemon/transport", []string{"daemon/logging", "daemon/record"}, "a byte stream does not know what is said on it"},
	{"daemon/broker", []string{"daemon/subject", "daemon/proto", "daemon/sublist", "daemon/logging", "daemon/transport"},
		"the core asks auth, cluster and monitor through interfaces of its own"},
	{"daemon/auth", []string{"daemon/subject", "daemon/sublist", "daemon/logging", "daemon/transport"},
		"a verdict about an identity does not need to know connections"},
	{"daemon/cluster", []string{"daemon/subject", "daemon/proto", "daemon/sublist", "daemon/logging", "daemon/transport", "daemon/broker"},
		"a route is a peer in the core's words (broker.Remote, Publisher, Watch); the core knows no routes"},
	{"daemon/system", []string{"daemon/subject", "daemon/logging", "daemon/broker"},
		"requests and events are messages in the core's words; what they say is asked of others through functions it is given"},
	{"daemon/resolver", []string{"daemon/logging"},
		"it keeps JWTs, speaks through an interface of its own, and knows neither accounts nor connections"},
	{"daemon/monitor", []string{"daemon/logging", "daemon/subject"},
		"monitoring reads snapshots through interfaces it owns, so that it can never hold a lock of the core"},
	{"daemon/config", []string{"confparse", "daemon/subject"}, "configuration is decoded before anything runs; it configures all, so it can import none"},
	{"daemon", []string{"*"}, "wiring: the one place that knows everybody"},
	{"daemon/internal/certtest", nil, "certificates of tests, for every room"},
	{"daemon/internal/brokertest", []string{"daemon/logging"}, "drives built binaries from outside; tests only"},
	{"cmd/nats-broker", []string{"daemon", "daemon/config", "daemon/control", "daemon/sysd", "confparse"},
		"the command has no logic of its own: it parses arguments and calls the daemon or a verb"},
}

// thirdParty says which packages may import a library; whatever is not named
// here and not in the standard library fails the test.
var thirdParty = []struct {
	prefix string
	in     []string
	why    string
}{
	{"github.com/rs/zerolog", []string{"daemon/logging"}, "one importer, so that the sink library can be replaced in one room"},
	{"github.com/coreos/go-systemd/v22", []string{"daemon/sysd", "daemon/logging"}, "systemd is met in one room; the journal is a log sink"},
	{"github.com/fsnotify/fsnotify", []string{"daemon"}, "files are watched by the reload transaction alone"},
	{"github.com/prometheus/", []string{"daemon/monitor"}, "metrics are made in one room from snapshots"},
	{"github.com/nats-io/nats.go", []string{"cmd/nats-broker", "daemon"}, "client verbs only: the broker never uses a client library to serve"},
	{"github.com/nats-io/nkeys", []string{"daemon/auth", "daemon/broker", "daemon/config", "daemon/resolver", "daemon"}, "identities; config checks that a key is a key"},
	{"github.com/nats-io/jwt/v2", []string{"daemon/auth", "daemon/resolver", "daemon/config"},
		"identities; the resolver keeps whole JWTs only; config checks that a JWT is a JWT"},
	{"github.com/klauspost/compress", []string{"daemon/transport", "daemon/monitor", "daemon/system"}, "compressed streams and answers, HTTP encodings"},
	{"filippo.io/edwards25519", []string{"daemon/broker"}, "one multiplication, at a start"},
	{"golang.org/x/crypto", []string{"daemon/auth", "daemon/record", "cmd/nats-broker"}, "bcrypt; ChaCha20-Poly1305"},
	{"golang.org/x/sys", []string{"*"}, "system calls the standard library lacks"},
	{"golang.org/x/term", []string{"cmd/nats-broker"}, "a password is read without echo"},
}

// pureRooms may import nothing that does i/o or knows the process.
var pureRooms = map[string]string{
	"confparse":      "stdlib only: anyone may import it",
	"daemon/subject": "stdlib only",
	"daemon/proto":   "stdlib only",
	"daemon/sublist": "stdlib only",
}

func TestImportArrows(t *testing.T) {
	for _, f := range productFiles(t) {
		room := filepath.ToSlash(filepath.Dir(f))
		i := slices.IndexFunc(rooms, func(r struct {
			path   string
			allows []string
			why    string
		}) bool {
			return covers(r.path, room)
		})
		if i < 0 {
			t.Errorf("%s: package %s is in no room: list it in rooms and in ARCHITECTURE.md", f, room)
			continue
		}
		for _, imp := range imports(t, f) {
			if inner, ok := strings.CutPrefix(imp, module+"/"); ok {
				if covers(rooms[i].path, inner) || strings.HasPrefix(inner, room+"/internal") {
					continue
				}
				if !slices.ContainsFunc(rooms[i].allows, func(a string) bool { return a == "*" || covers(a, inner) }) {
					t.Errorf("%s imports %s: not allowed in %s: %s", f, inner, rooms[i].path, rooms[i].why)
				}
				continue
			}
			if stdlib(imp) {
				continue
			}
			if why, pure := pureRooms[room]; pure {
				t.Errorf("%s imports %s: %s", f, imp, why)
				continue
			}
			checkThirdParty(t, f, room, imp)
		}
	}
}

func checkThirdParty(t *testing.T, file, room, imp string) {
	t.Helper()
	for _, lib := range thirdParty {
		if !strings.HasPrefix(imp, lib.prefix) {
			continue
		}
		if !slices.ContainsFunc(lib.in, func(a string) bool { return a == "*" || covers(a, room) || covers(a+"/...", room) }) {
			t.Errorf("%s imports %s: only %s may: %s", file, imp, strings.Join(lib.in, ", "), lib.why)
		}
		return
	}
	t.Errorf("%s imports %s: a new runtime dependency needs a reason in ARCHITECTURE.md and a row here", file, imp)
}

// covers reports whether pattern (a path, or a path and /...) names room.
func covers(pattern, room string) bool {
	if base, ok := strings.CutSuffix(pattern, "/..."); ok {
		return room == base || strings.HasPrefix(room, base+"/")
	}
	return pattern == room
}

// stdlib reports whether imp is in the standard library: its first element has no dot.
func stdlib(imp string) bool {
	first, _, _ := strings.Cut(imp, "/")
	return !strings.Contains(first, ".")
}

func imports(t *testing.T, file string) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", file), nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, s := range f.Imports {
		p, err := strconv.Unquote(s.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
	return list
}

// productFiles lists the Go files of the product, tests left out, relative to
// the top of the repository.
func productFiles(t *testing.T) []string {
	t.Helper()
	var files []string
	for _, top := range []string{"cmd", "daemon", "confparse"} {
		err := filepath.WalkDir(filepath.Join("..", top), func(p string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d.IsDir() {
				if d.Name() == "testdata" {
					return filepath.SkipDir
				}
				return nil
			}
			if strings.HasSuffix(p, ".go") && !strings.HasSuffix(p, "_test.go") {
				rel, err := filepath.Rel("..", p)
				if err != nil {
					return err
				}
				files = append(files, rel)
			}
			return nil
		})
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	return files
}

// TestTopLevel holds the list of what may lie at the top of the repository, so
// that a stranger finds the same few doors for as long as the project lives.
func TestTopLevel(t *testing.T) {
	allowed := []string{
		"cmd", "daemon", "confparse", "packaging", "systemd", "man", "scripts", "nfpm.yaml", "go.mod", "go.sum",
		"README.md", "ARCHITECTURE.md", "CHANGELOG.md", "SECURITY.md", "LICENSE", ".ci", ".gitignore",
	}
	built := []string{".git", "dist"} // never committed
	entries, err := os.ReadDir("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !slices.Contains(allowed, e.Name()) && !slices.Contains(built, e.Name()) {
			t.Errorf("%s does not belong at the top level", e.Name())
		}
	}
}

// TestEveryPackageIsDocumented asks for a package comment in each product package.
func TestEveryPackageIsDocumented(t *testing.T) {
	documented := map[string]bool{}
	for _, f := range productFiles(t) {
		dir := filepath.Dir(f)
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", f), nil, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		documented[dir] = documented[dir] || file.Doc != nil
	}
	for dir, ok := range documented {
		if !ok {
			t.Errorf("package %s has no package comment", dir)
		}
	}
}
