package transport

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

// What a peer said before it closed is handled though a write to it has failed by then, where
// that is asked for: what the handler makes of it is why the connection ends.
func TestHearOut(t *testing.T) {
	told := errors.New("told")
	for _, c := range []struct {
		say     string
		hearOut bool
		told    bool
	}{
		{"-ERR\n", true, true},
		{"-ERR\n", false, false},
		{"+OK\n", true, false},
		{"", true, false},
	} {
		t.Run(fmt.Sprintf("%q %v", c.say, c.hearOut), func(t *testing.T) {
			conn, other := pair(t)
			conn.Out.Limits(1<<20, time.Hour)
			if c.hearOut {
				conn.HearOut()
			}
			if _, err := other.Write([]byte(c.say)); err != nil {
				t.Fatal(err)
			}
			_ = other.(*net.TCPConn).SetLinger(0)
			other.Close()
			for end := time.Now().Add(time.Minute); conn.Aborted() == nil; time.Sleep(time.Millisecond) { // the reset has to arrive
				if conn.Out.Send([]byte("x")); time.Now().After(end) {
					t.Fatal("no write fails")
				}
			}
			err := <-serve(conn, func(in *Input) (int, int, error) {
				if strings.HasPrefix(string(in.Data), "-ERR") {
					return 0, 0, told
				}
				return len(in.Data), 0, nil
			})
			var failed *WriteError
			if c.told != errors.Is(err, told) || c.told == errors.As(err, &failed) {
				t.Errorf("ended with %v", err)
			}
		})
	}
}
