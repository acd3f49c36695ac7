package brokertest

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Memory returns a field of /proc/PID/status of the server in bytes, for
// example VmHWM (largest resident set so far) or RssAnon.
func (s *Server) Memory(field string) int64 {
	s.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.PID()))
	if err != nil {
		s.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if name, rest, _ := strings.Cut(line, ":"); name == field {
			kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			if err != nil {
				s.t.Fatal(err)
			}
			return kib << 10
		}
	}
	s.t.Fatalf("no %s in the status of the server", field)
	return 0
}

// OpenFiles returns how many descriptors the server has open.
func (s *Server) OpenFiles() int {
	s.t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.PID()))
	if err != nil {
		s.t.Fatal(err)
	}
	return len(entries)
}
