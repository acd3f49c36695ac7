package config

import (
	"fmt"
	"testing"
)

// Where a value was written is found the same way before there is an index and with it, for every path; nothing of lists
// is left when it is forgotten.
func TestOriginsWithAndWithoutIndex(t *testing.T) {
	text := "max_payload: 1000\nauthorization { users: [\n"
	for i := range 700 {
		text += fmt.Sprintf("{ user: u%d, password: p%d, permissions: { publish: a, subscribe: { allow: b } } }\n", i, i)
	}
	cfg := mustLoad(t, text+"] }\n")
	lines := map[string]int{"max_payload": 1, "authorization.users[0]": 3, "authorization.users[699].password": 702,
		"authorization.users[5].permissions": 8, "authorization.users[511].permissions.publish": 514, "authorization.users[512].user": 515}
	for round := range askedOften + 2 {
		for path, line := range lines {
			o, ok := cfg.Origin(path)
			if !ok || o.Pos().Line != line {
				t.Fatalf("round %d: %s is in line %d, %t", round, path, o.Pos().Line, ok)
			}
		}
		for _, path := range []string{"authorization.users[700].user", "authorization.users[5].nkey", "authorization.users[5]xuser", "port"} {
			if _, ok := cfg.Origin(path); ok {
				t.Fatalf("round %d: %s is somewhere", round, path)
			}
		}
	}
	cfg.Forget()
	if _, ok := cfg.Origin("authorization.users[5].user"); ok {
		t.Error("a place in a list is known still")
	}
	if o, ok := cfg.Origin("max_payload"); !ok || o.Pos().Line != 1 {
		t.Error("a single option is forgotten")
	}
}
