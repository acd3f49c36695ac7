//go:build mutants

package vfs

// Mutant is the mistake that is made: the tests of those who use this package must find it.
var Mutant string

func mutated(name string) bool { return name == Mutant }
