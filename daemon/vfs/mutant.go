//go:build !mutants

package vfs

// mutated reports whether a mistake is to be made; never, but in the builds in which tests are
// tested.
func mutated(string) bool { return false }
