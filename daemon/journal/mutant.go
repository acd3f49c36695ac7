//go:build !mutants

package journal

// mutated reports whether a mistake is to be made; never, but in the builds in which the tests
// are tested.
func mutated(string) bool { return false }
