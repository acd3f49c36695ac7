package confdiff

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// verb finds what a template leaves open.
var verb = regexp.MustCompile(`%(\[\d\])?[+#]?[a-zA-Z]`)

// likely is a text that may be a configuration: a key and its value or block in
// the first place of some line.
var likely = regexp.MustCompile(`(?m)^\s*[a-z_]+\s*[:={]`)

// A sourceText is a text in the sources of nats-server's tests.
type sourceText struct{ name, dir, text string }

// textsIn lists the texts of a Go file that look like configurations, by the
// line they begin in. What a template leaves open is filled in: both servers are
// given the same, sense or not.
func textsIn(t *testing.T, path, name string) (list []sourceText) {
	t.Helper()
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		lit, ok := n.(*ast.BasicLit)
		if !ok || lit.Kind != token.STRING || lit.Value[0] != '`' {
			return true
		}
		text, err := strconv.Unquote(lit.Value)
		if err != nil || strings.Count(text, "\n") < 2 || !likely.MatchString(text) || strings.HasPrefix(strings.TrimSpace(text), "-----BEGIN") {
			return true
		}
		text = verb.ReplaceAllStringFunc(text, func(v string) string {
			switch v[len(v)-1] {
			case 'd':
				return "-1"
			case 't':
				return "true"
			case 'q':
				return `"x"`
			}
			return "x"
		})
		list = append(list, sourceText{fmt.Sprintf("%s:%d", name, set.Position(lit.Pos()).Line), filepath.Dir(path), text})
		return true
	})
	return list
}

// The configurations that stand in the sources of nats-server's tests get the
// same verdict. They are read from the module, and known here by their places.
func TestTextsOfNatsServer(t *testing.T) {
	c, y := newChecker(t), &tally{known: list(t, "differences_sources.txt"), met: map[string]bool{}}
	var texts []sourceText
	seen := map[string]bool{}
	for _, dir := range []string{"conf", "server", "test"} {
		files, err := filepath.Glob(filepath.Join(c.module, dir, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range files {
			for _, s := range textsIn(t, path, dir+"/"+filepath.Base(path)) {
				if !seen[s.dir+s.text] {
					seen[s.dir+s.text] = true
					texts = append(texts, s)
				}
			}
		}
	}
	if len(texts) < 500 {
		t.Errorf("only %d texts found", len(texts))
	}
	results := make([]result, len(texts))
	tmp := t.TempDir()
	var wg sync.WaitGroup
	next := make(chan int)
	for range runtime.NumCPU() {
		wg.Go(func() {
			for i := range next {
				file := filepath.Join(tmp, fmt.Sprintf("%d.conf", i))
				if err := os.WriteFile(file, []byte(texts[i].text), 0o600); err != nil {
					t.Error(err)
				}
				results[i] = c.compare(t, texts[i].dir, file)
			}
		})
	}
	for i := range texts {
		next <- i
	}
	close(next)
	wg.Wait()
	for i, s := range texts {
		y.add(t, s.name, results[i])
	}
	for name := range y.known {
		if !y.met[name] && !slices.Contains(y.unsupported, name) {
			t.Errorf("%s is a deliberate difference and does not differ", name)
		}
	}
	y.finish(t, "unsupported_sources.txt")
}
