package auth

import (
	"testing"

	"github.com/nats-io/jwt/v2"
)

// The hashes of accounts in claims stand where the functions do; what cannot be resolved is left out, and the claims stay
// as they were signed.
func TestResolvedClaims(t *testing.T) {
	c := jwt.NewAccountClaims("EXP")
	c.Exports = jwt.Exports{
		{Subject: "x.{{account-hash()}}.>", Type: jwt.Stream}, {Subject: "{{account-hash-import()}}", Type: jwt.Service}, {Subject: "plain", Type: jwt.Service},
	}
	c.Imports = jwt.Imports{
		{Subject: "y.{{account-hash-import()}}.*", LocalSubject: "own.{{account-hash()}}.$1", Account: "IMP", Type: jwt.Service},
		{Subject: "z.{{account-hash(1)}}", Account: "IMP", Type: jwt.Stream},
	}
	c.Mappings = jwt.Mapping{
		"in.{{account-hash()}}": {{Subject: "to.{{account-hash()}}"}}, "bad": {{Subject: "{{account-hash-import()}}"}},
	}
	r, errs := resolved(c)
	if len(errs) != 3 {
		t.Errorf("left out: %v", errs)
	}
	if len(r.Exports) != 2 || r.Exports[0].Subject != "x.6bnb23H0.>" || r.Exports[1].Subject != "plain" {
		t.Errorf("exports: %v", r.Exports)
	}
	if len(r.Imports) != 1 || r.Imports[0].Subject != "y.7bLjePac.*" || r.Imports[0].LocalSubject != "own.6bnb23H0.$1" {
		t.Errorf("imports: %v", r.Imports)
	}
	if w := r.Mappings["in.6bnb23H0"]; len(r.Mappings) != 1 || len(w) != 1 || w[0].Subject != "to.6bnb23H0" {
		t.Errorf("mappings: %v", r.Mappings)
	}
	if c.Exports[0].Subject != "x.{{account-hash()}}.>" || c.Imports[0].Subject != "y.{{account-hash-import()}}.*" ||
		c.Mappings["in.{{account-hash()}}"][0].Subject != "to.{{account-hash()}}" {
		t.Error("the claims were changed")
	}
}
