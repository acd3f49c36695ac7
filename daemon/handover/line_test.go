package handover

import (
	"os"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// sayVariable has a process that was started to take over say something and end.
const sayVariable = "HANDOVER_TEST_SAY"

func TestMain(m *testing.M) {
	if kind, ok := os.LookupEnv(sayVariable); ok {
		line, err := ToPredecessor()
		if err == nil && kind != "" {
			err = line.Send(Message{Kind: kind})
		}
		if err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// What a process said before it was killed counts, even if nobody had listened by then:
// connections that it may have served are nobody else's.
func TestKillTellsWhatWasSaid(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for say, want := range map[string]bool{Serving: true, Prepared: false, "": false} {
		t.Setenv(sayVariable, say)
		s, err := Start(program)
		if err != nil {
			t.Fatal(err)
		}
		if err := unix.Waitid(unix.P_PID, s.PID(), nil, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
			t.Fatal(err)
		}
		if said := s.Kill(Serving); said != want {
			t.Errorf("said %q: %v", say, said)
		}
	}
}
