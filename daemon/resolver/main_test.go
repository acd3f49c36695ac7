package resolver

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain runs the tests, or, as a child of TestKill, writes until it is killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv("RESOLVER_TEST_WRITE"); dir != "" {
		writeForever(dir)
	}
	goleak.VerifyTestMain(m)
}
