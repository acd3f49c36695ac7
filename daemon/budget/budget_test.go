package budget

import (
	"slices"
	"testing"
)

// user keeps memory and gives it back.
type user struct {
	*Account
	name  string
	asked *[]string
}

func newUser(b *Budget, name string, asked *[]string, kinds ...Kind) *user {
	u := &user{name: name, asked: asked}
	give := map[Kind]Giver{}
	for _, k := range kinds {
		give[k] = func(need int64) {
			*asked = append(*asked, name+" "+k.String())
			u.Set(k, max(u.Used(k)-need, 0))
		}
	}
	u.Account = b.Open(give)
	return u
}

// TestOrder: what was read goes first, then tails, the largest first, then tables; and no more
// than needed.
func TestOrder(t *testing.T) {
	for _, c := range []struct {
		name                 string
		pages                int64
		small, big           int64 // tails
		table, memory        int64
		asked                []string
		total                int64
		smallRefused, bigRef bool
	}{
		{"nothing over", 100, 100, 200, 300, 300, nil, 1000, false, false},
		{"pages suffice", 400, 100, 200, 300, 64, []string{"node pages"}, 938, false, false},
		{"then the larger tail", 10, 100, 900, 300, 64, []string{"node pages", "big tails"}, 938, false, false},
		{"then the smaller one", 10, 500, 600, 10, 900, []string{"node pages", "big tails", "small tails"}, 938, false, false},
		{"then tables", 10, 9, 10, 900, 900, []string{"node pages", "big tails", "small tails", "big tables"}, 938, false, false},
		{"then who uses most", 10, 9, 10, 10, 1200, []string{"node pages", "big tails", "small tails", "big tables"}, 1200, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := New(1000)
			var asked []string
			node, small, big := newUser(b, "node", &asked, Pages), newUser(b, "small", &asked, Tails), newUser(b, "big", &asked, Tails, Tables)
			node.Set(Pages, c.pages)
			small.Set(Tails, c.small)
			big.Set(Tails, c.big)
			big.Set(Tables, c.table)
			big.Set(Memory, c.memory)
			b.Relieve()
			if !slices.Equal(asked, c.asked) || b.Total() != c.total {
				t.Errorf("asked %v, %d in use; want %v, %d", asked, b.Total(), c.asked, c.total)
			}
			if small.Refused() != c.smallRefused || big.Refused() != c.bigRef {
				t.Errorf("refused: small %v, big %v", small.Refused(), big.Refused())
			}
		})
	}
}

// TestRefusalEnds: the greediest are refused as long as it lasts, and until there is some room.
func TestRefusalEnds(t *testing.T) {
	b := New(1600)
	var asked []string
	one, two, three := newUser(b, "one", &asked), newUser(b, "two", &asked), newUser(b, "three", &asked)
	refused := func() [3]bool { return [3]bool{one.Refused(), two.Refused(), three.Refused()} }
	one.Set(IDs, 100)
	two.Set(IDs, 700)
	three.Set(IDs, 900)
	b.Relieve()
	if got := refused(); got != [3]bool{false, false, true} {
		t.Fatalf("refused %v", got)
	}
	three.Set(IDs, 750) // 1550: below the budget, and not by a sixteenth
	b.Relieve()
	if got := refused(); got != [3]bool{false, true, true} {
		t.Fatalf("refused %v", got)
	}
	three.Close()
	b.Relieve()
	if got := refused(); got != [3]bool{} || b.Total() != 800 {
		t.Fatalf("refused %v, %d in use", got, b.Total())
	}
}

// TestNoBound: a budget without a bound asks nobody.
func TestNoBound(t *testing.T) {
	b := New(0)
	var asked []string
	u := newUser(b, "u", &asked, Pages)
	u.Add(Pages, 1<<40)
	b.Relieve()
	if b.Over() != 0 || len(asked) != 0 || u.Refused() {
		t.Fatal(b.Over(), asked)
	}
}
