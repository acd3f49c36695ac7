package daemon_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// notFields are names of the same look that are variables of the environment.
var notFields = []string{"NATS_UNIT", "NATS_HANDOVER_FD", "NATS_CRASH_FILE", "NATS_BROKER_"}

// TestFieldsOfLinesAreConstants: what a line of the log carries is named by the constants
// of logging, so that one thing has one name, and each of them is carried by some line.
func TestFieldsOfLinesAreConstants(t *testing.T) {
	used := make(map[string]bool)
	declared := make(map[string]bool)
	for _, path := range productFiles(t) {
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", path), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		own := strings.HasPrefix(path, "daemon/logging/")
		if own {
			for _, d := range file.Decls {
				if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.CONST {
					for _, s := range g.Specs {
						for _, n := range s.(*ast.ValueSpec).Names {
							if strings.HasPrefix(n.Name, "Field") {
								declared[n.Name] = true
							}
						}
					}
				}
			}
		}
		for _, why := range literalFields(file, own, used) {
			t.Errorf("%s: %s", path, why)
		}
	}
	for name := range declared {
		if !used[name] {
			t.Errorf("no line carries logging.%s", name)
		}
	}
}

// literalFields says where a file names a field by hand, and notes the constants it uses.
func literalFields(file *ast.File, own bool, used map[string]bool) (list []string) {
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BasicLit:
			if text, err := strconv.Unquote(n.Value); n.Kind == token.STRING && err == nil && !own && strings.HasPrefix(text, "NATS_") {
				for _, other := range notFields {
					if text == other || strings.HasSuffix(other, "_") && strings.HasPrefix(text, other) {
						return true
					}
				}
				list = append(list, "the field "+n.Value+" is named by hand: use a constant of logging")
			}
		case *ast.CallExpr:
			makes := ""
			switch f := n.Fun.(type) {
			case *ast.SelectorExpr:
				if x, ok := f.X.(*ast.Ident); ok && x.Name == "logging" {
					makes = f.Sel.Name
				}
			case *ast.Ident:
				if own {
					makes = f.Name
				}
			}
			if makes == "Err" {
				used["FieldError"], used["FieldErrno"] = true, true
			}
			if makes != "String" && makes != "Int" && makes != "Uint" || len(n.Args) != 2 {
				return true
			}
			name := ""
			switch key := n.Args[0].(type) {
			case *ast.SelectorExpr:
				name = key.Sel.Name
			case *ast.Ident:
				name = key.Name
			}
			if !strings.HasPrefix(name, "Field") {
				list = append(list, "a field is not named by a constant of logging")
			}
			used[name] = true
		case *ast.Ident:
			if own && n.Name == "FieldSubsystem" {
				used[n.Name] = true // set by the sinks
			}
		}
		return true
	})
	return list
}

// TestLiteralFieldsAreFound shows what the checker refuses.
func TestLiteralFieldsAreFound(t *testing.T) {
	for code, wrong := range map[string]int{
		`logging.String("NATS_THING", "x")`:           2,
		`logging.Uint(name, 1)`:                       1,
		`logging.Int(logging.FieldCount, 1)`:          0,
		`os.Getenv("NATS_UNIT")`:                      0,
		`os.Getenv("NATS_BROKER_PORT")`:               0,
		`fields["NATS_COUNT"]`:                        1,
		`strconv.Itoa(1)`:                             0,
		`f.String("NATS_X"[0:], logging.FieldReason)`: 1,
	} {
		file, err := parser.ParseFile(token.NewFileSet(), "x.go", "package x\nfunc f() { _ = "+code+" }", 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := literalFields(file, false, map[string]bool{}); len(got) != wrong {
			t.Errorf("%s: %q, want %d", code, got, wrong)
		}
	}
}
