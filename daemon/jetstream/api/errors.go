package api

import (
	"fmt"
	"sort"
	"strings"
)

// Code is the err_code of an error: what clients tell errors apart by.
type Code uint16

// Error is an error as an answer carries it.
type Error struct {
	Status int    `json:"code"`
	Code   Code   `json:"err_code,omitempty"`
	Text   string `json:"description,omitempty"`
}

func (e *Error) Error() string { return fmt.Sprintf("%s (%d)", e.Text, e.Code) }

// Error makes the error of a code. The values take the places of {…} in its text, in order. A code that
// is not in [Table], or the wrong number of values, is a mistake of the program and panics.
func (c Code) Error(values ...any) *Error {
	i := sort.Search(len(Table), func(i int) bool { return Table[i].Code >= c })
	if i == len(Table) || Table[i].Code != c {
		panic(fmt.Sprintf("api: no error %d", c))
	}
	return &Error{Status: Table[i].Status, Code: c, Text: fill(Table[i].Text, values)}
}

// fill puts values into the places of a text.
func fill(text string, values []any) string {
	var b strings.Builder
	for {
		from := strings.IndexByte(text, '{')
		if from < 0 {
			break
		}
		to := strings.IndexByte(text, '}')
		if len(values) == 0 || to < from {
			panic("api: values are missing for " + text)
		}
		b.WriteString(text[:from])
		fmt.Fprint(&b, values[0])
		text, values = text[to+1:], values[1:]
	}
	if len(values) > 0 {
		panic("api: too many values for " + text)
	}
	b.WriteString(text)
	return b.String()
}

// invalid is the error of a configuration that cannot be.
func invalid(format string, args ...any) *Error {
	return InvalidConfig.Error(fmt.Sprintf(format, args...))
}

// pedanticError is the error of what would have been corrected silently.
func pedanticError(text string) *Error { return Pedantic.Error(text) }
