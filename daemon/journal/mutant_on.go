//go:build mutants

package journal

// Mutant is the mistake that is made: the tests must find it.
var Mutant string

func mutated(name string) bool { return name == Mutant }
