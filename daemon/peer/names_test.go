package peer

import (
	"fmt"
	"strings"
	"testing"
)

// Names are made once, and neither many nor long ones are kept without end.
func TestNames(t *testing.T) {
	n := Names{}
	if n.Of([]byte("q")) != "q" || testing.AllocsPerRun(100, func() { n.Of([]byte("q")) }) != 0 {
		t.Error("a name that was there is made again")
	}
	long := strings.Repeat("x", maxName+1)
	if n.Of([]byte(long)) != long || len(n) != 1 {
		t.Error("a long name is kept")
	}
	for i := range 3 * maxNames {
		n.Of(fmt.Append(nil, i))
	}
	if len(n) > maxNames {
		t.Errorf("%d names are kept", len(n))
	}
}
