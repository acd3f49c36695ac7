package config

import (
	"strings"
	"testing"
)

// Every option is in the tables of the manual, below a heading or among those that are refused.
func TestEveryOptionIsInTheManual(t *testing.T) {
	var text strings.Builder
	if err := MdocTables(&text); err != nil {
		t.Fatal(err)
	}
	for _, o := range registry() {
		if !strings.Contains(text.String(), "\n.It Ic "+o.Name+" ") {
			t.Errorf("%s is in no table", o.Name)
		}
	}
}
