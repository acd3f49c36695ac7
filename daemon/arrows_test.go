package daemon_test

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/nats-broker/nats-broker"

// room is a package of the product.
type room struct {
	path   string   // below the module; a trailing /... covers the sub-packages
	allows []string // other rooms it may import
	why    string   // why nothing else
}

// pure is what a room may import that does no i/o and knows no process: other rooms of
// its kind, and of the standard library nothing of [effects].
func pure(others ...string) []string { return append([]string{purity}, others...) }

// purity stands first in what a pure room may import.
const purity = "(pure)"

// effects are the packages of the standard library that a pure room does without.
var effects = []string{"os", "os/...", "net", "net/...", "syscall", "log/...", "io/ioutil", "testing", "runtime/debug"}

// rooms lists every package of the product with the packages of the product it
// may import. A package that is not listed fails the test: a new room is a
// decision, made here and in ARCHITECTURE.md.
var rooms = []room{
	{"confparse", nil, "anyone may import the dialect; it knows no option and no broker"},
	{"daemon/subject", pure(), "subject grammar is pure: it must stay testable and fuzzable alone"},
	{"daemon/proto", pure(), "frames are pure: bytes in, fields out"},
	{"daemon/sublist", pure("daemon/subject"), "the index is pure: it knows subjects, not who receives"},
	{"daemon/subjects", pure("daemon/subject", "daemon/sublist"), "finding stored messages by subject is pure"},
	{"daemon/schedule", pure(), "when a message is due follows from a text and a time"},
	{"daemon/stream", pure("daemon/schedule", "daemon/subjects", "daemon/subject"), "what decides about a stream's messages does no i/o and has no clock"},
	{"daemon/follow", pure("daemon/subject"), "what decides how a stream follows another does no i/o and has no clock"},
	{"daemon/stream/memlog", pure("daemon/stream", "daemon/subjects"), "a log in memory is a log and nothing else"},
	{"daemon/consumer", pure("daemon/subjects"), "what decides about a consumer does no i/o and has no clock"},
	{"daemon/stream/logtest", []string{"daemon/stream", "daemon/subjects"}, "tests of logs, for every room that has one"},
	{"daemon/jetstream", []string{"daemon/jetstream/api", "daemon/jetstream/archive", "daemon/stream", "daemon/stream/memlog", "daemon/consumer", "daemon/follow", "daemon/subjects", "daemon/subject",
		"daemon/batch", "daemon/broker", "daemon/msgtrace", "daemon/logging", "daemon/journal", "daemon/segment", "daemon/budget", "daemon/store", "daemon/vfs", "daemon/fields"},
		"it joins machines and logs with the core; nothing of it is known there"},
	{"daemon/jetstream/archive", pure(), "what a stream is carried away in is bytes, read and written without a stream"},
	{"daemon/jetstream/api", pure("daemon/subject"), "what clients say and are told is checked without a server"},
	{"daemon/fields", pure(), "state for other versions is read and written without knowing whose it is, so that it can be fuzzed alone"},
	{"daemon/budget", pure(), "who uses how much memory is a sum; it knows nobody by name"},
	{"daemon/segment", []string{"daemon/vfs", "daemon/stream", "daemon/subjects"}, "a stream's messages in files; it knows no node and no journal"},
	{"daemon/vfs/...", nil, "the one door to a disk knows files, not what is in them"},
	{"daemon/journal", []string{"daemon/vfs"}, "one log for whoever keeps something; it does not know what, and meets the disk through one door"},
	{"daemon/store", []string{"daemon/vfs", "daemon/fields"}, "the folder of a store: whose it is, who uses it, what is in it; not what streams hold"},
	{"daemon/inspect", []string{"daemon/jetstream", "daemon/journal", "daemon/segment", "daemon/store", "daemon/stream", "daemon/vfs"},
		"it reads a store by the code that a broker reads it with, and starts none"},
	{"daemon/logging", nil, "every package logs, so logging can import none of them"},
	{"daemon/sysd", []string{"daemon/logging"}, "systemd is a neighbour of the process, not of the broker"},
	{"daemon/control", []string{"daemon/logging"}, "the verbs share it with the daemon, and must not pull the broker in"},
	{"daemon/watch", []string{"daemon/logging"}, "it knows files and that they changed, not what is in them"},
	{"daemon/handover", []string{"daemon/logging"}, "descriptors and bytes for another process; it does not know what they are"},
	{"daemon/record", pure(), "the record layer of TLS 1.3 is pure: bytes in, bytes out, so that it can be reviewed alone"},
	{"daemon/websocket", pure(), "frames of WebSocket are pure: bytes in, bytes out, so that they can be fuzzed alone"},
	{"daemon/batch", pure(), "what is staged and flushed is bytes: neither the socket nor the file they go to is known here"},
	{"daemon/transport", []string{"daemon/logging", "daemon/record", "daemon/batch", "daemon/websocket"}, "a byte stream does not know what is said on it"},
	{"daemon/msgtrace", pure(), "what asks for a report and what is in one is bytes and lists: those who deliver tell it what happens"},
	{"daemon/broker", []string{"daemon/subject", "daemon/proto", "daemon/sublist", "daemon/fields", "daemon/msgtrace", "daemon/logging", "daemon/batch", "daemon/transport", "daemon/websocket"},
		"the core asks auth, cluster and monitor through interfaces of its own"},
	{"daemon/webdoor", []string{"daemon/logging", "daemon/transport", "daemon/websocket", "daemon/broker"},
		"a request of HTTP becomes a connection of the core's; the core knows no HTTP"},
	{"daemon/auth", []string{"daemon/subject", "daemon/sublist", "daemon/logging", "daemon/transport"},
		"a verdict about an identity does not need to know connections"},
	{"daemon/peer", []string{"daemon/transport"}, "what routes and leaf nodes share is about a connection; it knows neither of them, nor the core"},
	{"daemon/cluster", []string{"daemon/subject", "daemon/proto", "daemon/sublist", "daemon/logging", "daemon/batch", "daemon/transport", "daemon/broker", "daemon/msgtrace", "daemon/peer"},
		"a route is a peer in the core's words (broker.Remote, Publisher, Watch); the core knows no routes"},
	{"daemon/leaf", []string{"daemon/subject", "daemon/proto", "daemon/logging", "daemon/batch", "daemon/transport", "daemon/broker", "daemon/msgtrace", "daemon/peer"},
		"a leaf node is a peer of one account in the core's words (broker.Link); the core knows neither hubs nor leaf nodes"},
	{"daemon/service", []string{"daemon/logging", "daemon/broker"},
		"it carries requests and answers in any account, and does not know what is asked"},
	{"daemon/system", []string{"daemon/subject", "daemon/logging", "daemon/msgtrace", "daemon/broker", "daemon/service"},
		"requests and events are messages in the core's words; what they say is asked of others through functions it is given"},
	{"daemon/resolver", []string{"daemon/logging"},
		"it keeps JWTs, speaks through an interface of its own, and knows neither accounts nor connections"},
	{"daemon/monitor", []string{"daemon/logging", "daemon/subject", "daemon/fields", "daemon/jetstream/api"},
		"monitoring reads snapshots through interfaces it owns, so that it can never hold a lock of the core; the API's forms are what /jsz shows"},
	{"daemon/config", []string{"confparse", "daemon/subject"}, "configuration is decoded before anything runs; it configures all, so it can import none"},
	{"daemon", []string{"*"}, "wiring: the one place that knows everybody"},
	{"daemon/internal/certtest", nil, "certificates of tests, for every room"},
	{"daemon/internal/crashtest/...", []string{"daemon/vfs/...", "daemon/journal", "daemon/segment", "daemon/stream"}, "drives whoever keeps messages through crashes; tests only"},
	{"daemon/internal/fieldstest", []string{"daemon/fields"}, "tests of records, for every room"},
	{"daemon/internal/brokertest", []string{"daemon/logging"}, "drives built binaries from outside; tests only"},
	{"cmd/nats-broker", []string{"daemon", "daemon/config", "daemon/control", "daemon/inspect", "daemon/sysd", "confparse"},
		"the command has no logic of its own: it parses arguments and calls the daemon or a verb"},
}

// library is a module that is not ours. in are the packages that may import it, each
// by its own path: not those below. One that is in no row fails the test.
type library struct {
	prefix string // of the import paths
	in     []string
	why    string
}

var thirdParty = []library{
	{"github.com/rs/zerolog", []string{"daemon/logging"}, "one importer, so that the sink library can be replaced in one room"},
	{"github.com/coreos/go-systemd/v22", []string{"daemon/sysd", "daemon/logging"}, "systemd is met in one room; the journal is a log sink"},
	{"github.com/prometheus/client_golang", []string{"daemon/monitor"}, "metrics are made in one room from snapshots"},
	{"github.com/nats-io/nats.go", []string{"cmd/nats-broker"}, "client verbs only: the broker never uses a client library to serve"},
	{"github.com/nats-io/nkeys", []string{"daemon/auth", "daemon/broker", "daemon/config", "daemon/resolver", "daemon", "daemon/internal/brokertest"},
		"identities; config checks that a key is a key"},
	{"github.com/nats-io/jwt/v2", []string{"daemon/auth", "daemon/resolver", "daemon/config"},
		"identities; the resolver keeps whole JWTs only; config checks that a JWT is a JWT"},
	{"github.com/klauspost/compress", []string{"daemon/transport", "daemon/system", "daemon/jetstream", "daemon/segment"}, "compressed streams, answers, snapshots and pages"},
	{"filippo.io/edwards25519", []string{"daemon/broker"}, "one multiplication, at a start"},
	{"golang.org/x/crypto", []string{"daemon/auth", "daemon/record", "cmd/nats-broker"}, "bcrypt; ChaCha20-Poly1305"},
	{"golang.org/x/sys", []string{"cmd/nats-broker", "daemon", "daemon/broker", "daemon/control", "daemon/handover", "daemon/internal/brokertest",
		"daemon/logging", "daemon/monitor", "daemon/subjects", "daemon/sysd", "daemon/transport", "daemon/vfs", "daemon/watch"}, "system calls the standard library lacks"},
	{"pgregory.net/rapid", []string{"daemon/stream/logtest"}, "random tests, in a room of tests"},
	{"golang.org/x/term", []string{"cmd/nats-broker"}, "a password is read without echo"},
}

func TestImportArrows(t *testing.T) {
	imported := make(map[string]bool)
	for _, f := range productFiles(t) {
		list := imports(t, f)
		for _, why := range refusals(f, list) {
			t.Error(why)
		}
		for _, imp := range list {
			imported[imp+" in "+filepath.ToSlash(filepath.Dir(f))] = true
		}
	}
	for _, lib := range thirdParty {
		for _, in := range lib.in {
			used := func(s string) bool {
				imp, room, _ := strings.Cut(s, " in ")
				return room == in && lib.covers(imp)
			}
			if !slices.ContainsFunc(slices.Collect(maps.Keys(imported)), used) {
				t.Errorf("%s may import %s and does not: take it out of the row", in, lib.prefix)
			}
		}
	}
}

// TestArrowsRefuse shows what the checker refuses, by files that are not there.
func TestArrowsRefuse(t *testing.T) {
	for _, c := range []struct{ file, imports, want string }{
		{"daemon/broker/x.go", "github.com/nats-io/nats.go", "only cmd/nats-broker may"},
		{"daemon/broker/x.go", "github.com/rs/zerolog", "only daemon/logging may"},
		{"daemon/x.go", "github.com/rs/zerolog", "only daemon/logging may"},
		{"daemon/monitor/web/x.go", "github.com/prometheus/client_golang/prometheus", "in no room"},
		{"daemon/auth/x.go", "golang.org/x/sys/unix", "only cmd/nats-broker"},
		{"daemon/auth/x.go", "golang.org/x/cryptoother", "a new runtime dependency"},
		{"daemon/logging/x.go", "github.com/rs/zerolog/log", ""},
		{"daemon/broker/x.go", "example.com/new", "a new runtime dependency"},
		{"daemon/broker/x.go", module + "/daemon/auth", "not allowed in daemon/broker"},
		{"daemon/broker/x.go", module + "/daemon", "not allowed in daemon/broker"},
		{"daemon/monitor/x.go", module + "/daemon/broker", "not allowed in daemon/monitor"},
		{"daemon/broker/x.go", module + "/daemon/transport", ""},
		{"daemon/broker/x.go", "net", ""},
		{"daemon/subject/x.go", "net", "is pure"},
		{"daemon/proto/x.go", "os/exec", "is pure"},
		{"daemon/sublist/x.go", module + "/daemon/subject", ""},
		{"daemon/sublist/x.go", module + "/daemon/proto", "not allowed in daemon/sublist"},
		{"daemon/sublist/x.go", "golang.org/x/sys/cpu", "only cmd/nats-broker"},
		{"confparse/x.go", "github.com/rs/zerolog", "only daemon/logging may"},
		{"daemon/config/x.go", module + "/daemon/logging", "not allowed in daemon/config"},
		{"cmd/nats-broker/x.go", module + "/daemon/broker", "not allowed in cmd/nats-broker"},
		{"daemon/nobody/x.go", "fmt", "in no room"},
	} {
		got := strings.Join(refusals(c.file, []string{c.imports}), "\n")
		if !strings.Contains(got, c.want) || (c.want == "") != (got == "") {
			t.Errorf("%s imports %s: %q, want %q in it", c.file, c.imports, got, c.want)
		}
	}
}

// TestPureRoomsImportPureRooms: what a pure room imports does no i/o either.
func TestPureRoomsImportPureRooms(t *testing.T) {
	for _, r := range rooms {
		if !r.pure() {
			continue
		}
		for _, other := range r.allows[1:] {
			i := slices.IndexFunc(rooms, func(o room) bool { return o.path == other })
			if i < 0 || !rooms[i].pure() {
				t.Errorf("%s is pure and may import %s, which is not", r.path, other)
			}
		}
	}
}

func (r *room) pure() bool { return len(r.allows) > 0 && r.allows[0] == purity }

func (l *library) covers(imp string) bool {
	return imp == l.prefix || strings.HasPrefix(imp, l.prefix+"/")
}

// refusals says what is wrong with a file of the product that imports so much.
func refusals(file string, imports []string) (list []string) {
	in := filepath.ToSlash(filepath.Dir(file))
	i := slices.IndexFunc(rooms, func(r room) bool { return covers(r.path, in) })
	if i < 0 {
		return []string{fmt.Sprintf("%s: package %s is in no room: list it in rooms and in ARCHITECTURE.md", file, in)}
	}
	for _, imp := range imports {
		if why := refusal(&rooms[i], in, imp); why != "" {
			list = append(list, fmt.Sprintf("%s imports %s: %s", file, imp, why))
		}
	}
	return list
}

// refusal says why package in, which is in r, must not import imp; it is empty if it may.
func refusal(r *room, in, imp string) string {
	if inner, ok := strings.CutPrefix(imp, module+"/"); ok {
		if covers(r.path, inner) || strings.HasPrefix(inner, in+"/internal") ||
			slices.ContainsFunc(r.allows, func(a string) bool { return a == "*" || covers(a, inner) }) {
			return ""
		}
		return fmt.Sprintf("not allowed in %s: %s", r.path, r.why)
	}
	if stdlib(imp) {
		if r.pure() && slices.ContainsFunc(effects, func(e string) bool { return covers(e, imp) }) {
			return fmt.Sprintf("%s is pure: %s", r.path, r.why)
		}
		return ""
	}
	for _, lib := range thirdParty {
		if !lib.covers(imp) {
			continue
		}
		if slices.Contains(lib.in, in) {
			return ""
		}
		return fmt.Sprintf("only %s may: %s", strings.Join(lib.in, ", "), lib.why)
	}
	return "a new runtime dependency needs a reason in ARCHITECTURE.md and a row here"
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
		"README.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "LICENSE", ".ci", ".gitignore",
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

// TestArchitectureIsTrue: the plan of the house names every room, and where it says that
// something is in a file, that file and the functions named with it are there.
func TestArchitectureIsTrue(t *testing.T) {
	data, err := os.ReadFile("../ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	section := func(name string) string {
		_, rest, ok := strings.Cut(string(data), "\n## "+name+"\n")
		if !ok {
			t.Fatalf("there is no section %q", name)
		}
		text, _, _ := strings.Cut(rest, "\n## ")
		return text
	}
	plan := strings.Fields(section("Rooms"))
	for _, r := range rooms {
		name := strings.TrimSuffix(r.path, "/...")
		if base := filepath.Base(name); !slices.ContainsFunc(plan, func(w string) bool {
			w = strings.TrimSuffix(w, "/")
			return w == name || w == base || w == "internal/"+base
		}) {
			t.Errorf("room %s is not in the plan", name)
		}
	}
	quoted := regexp.MustCompile("`([^`]+)`")
	named, questions := 0, 0
	for _, line := range strings.Split(section("Where is …"), "\n") {
		cells := strings.Split(line, "|")
		if len(cells) != 4 || strings.HasPrefix(cells[1], "---") || strings.TrimSpace(cells[1]) == "question" {
			continue
		}
		questions++
		dir, text := ".", ""
		for _, m := range quoted.FindAllStringSubmatch(cells[2], -1) {
			word := m[1]
			switch {
			case strings.HasSuffix(word, ".go"):
				if strings.Contains(word, "/") || dir == "." {
					dir = filepath.Dir(word)
				}
				list, _ := filepath.Glob(filepath.Join(dir, filepath.Base(word)))
				if len(list) == 0 {
					t.Errorf("%s: there is no %s", strings.TrimSpace(cells[1]), word)
					continue
				}
				named++
				source, err := os.ReadFile(list[0])
				if err != nil {
					t.Fatal(err)
				}
				text = string(source)
			case regexp.MustCompile(`^[A-Za-z]+$`).MatchString(word) && text != "":
				if !regexp.MustCompile(`(?m)^(func (\([^)]*\) )?|type )` + word + `\b`).MatchString(text) {
					t.Errorf("%s: %s is not in %s", strings.TrimSpace(cells[1]), word, dir)
				}
			}
		}
	}
	if questions < 25 || named < 40 {
		t.Errorf("only %d questions with %d files were found", questions, named)
	}
}
