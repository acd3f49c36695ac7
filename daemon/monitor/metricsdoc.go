package monitor

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// longestName is how many characters a name and its labels have that stand side by side: more do not fit a line of 80,
// which cannot be broken there.
const longestName = 70

// MetricsMdoc writes the table of metrics as an mdoc(7) list, for
// nats-broker-metrics(7).
func MetricsMdoc(w io.Writer) error {
	b := bufio.NewWriter(w)
	fmt.Fprintln(b, ".Bl -tag -width Ds")
	for i := range metrics() {
		m := &metrics()[i]
		kind := "gauge"
		if m.kind == counter {
			kind = "counter"
		}
		name := mdocText(m.title())
		labels := strings.Join(m.labels, " , ")
		aside := len(name)+len(labels) > longestName
		if len(m.labels) > 0 && !aside {
			fmt.Fprintf(b, ".It Va %s Ns { Ns Ar %s Ns } Pq %s\n", name, strings.Join(m.labels, " , Ns Ar "), kind)
		} else {
			fmt.Fprintf(b, ".It Va %s Pq %s\n", name, kind)
		}
		for _, sentence := range strings.SplitAfter(m.help, ". ") {
			fmt.Fprintln(b, mdocText(strings.TrimSpace(sentence)))
		}
		if aside {
			fmt.Fprintf(b, "Labels:\n.Ar %s .\n", labels)
		}
	}
	fmt.Fprintln(b, ".El")
	return b.Flush()
}

// mdocText keeps a line of text from being read as a request.
func mdocText(s string) string {
	s = strings.ReplaceAll(s, `\`, `\e`)
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		s = `\&` + s
	}
	return s
}
