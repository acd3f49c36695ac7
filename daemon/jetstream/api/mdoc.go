package api

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// ErrorsMdoc writes the table of errors as rows of an mdoc list: err_code, code, description.
func ErrorsMdoc(w io.Writer) error {
	b := bufio.NewWriter(w)
	quote := strings.NewReplacer(`\`, `\e`, "'", `\(aq`, "-", `\-`)
	for _, r := range Table {
		fmt.Fprintf(b, ".It %d Ta %d Ta %s\n", r.Code, r.Status, strings.TrimPrefix(quote.Replace(r.Text), "."))
	}
	return b.Flush()
}
