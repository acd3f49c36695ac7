package main

import (
	"bytes"
	"fmt"
	"io"
)

// around is how many lines are shown before and behind a difference.
const around = 3

// edit is a line of a difference: ' ' in both, '-' in the old text only, '+' in the new one only.
type edit struct {
	mark byte
	line []byte // with its newline
}

// writeDiff writes what makes b of a in the unified form, which patch(1) takes; nothing if they are the same. Time and
// memory grow with the product of the lines between the first difference and the last.
func writeDiff(w io.Writer, name string, a, b []byte) error {
	edits := editsOf(bytes.SplitAfter(a, []byte("\n")), bytes.SplitAfter(b, []byte("\n")))
	var out bytes.Buffer
	oldLine, newLine := 1, 1 // of edits[done]
	done := 0
	for {
		first := done
		for first < len(edits) && edits[first].mark == ' ' {
			first++
		}
		if first == len(edits) {
			break
		}
		end, same := first, 0 // the hunk ends where twice the context is alike
		for end < len(edits) && same <= 2*around {
			if same++; edits[end].mark != ' ' {
				same = 0
			}
			end++
		}
		if same > around {
			end -= same - around
		}
		begin := max(done, first-around)
		oldLine, newLine = oldLine+begin-done, newLine+begin-done
		olds, news := 0, 0
		for _, e := range edits[begin:end] {
			if e.mark != '+' {
				olds++
			}
			if e.mark != '-' {
				news++
			}
		}
		if out.Len() == 0 {
			fmt.Fprintf(&out, "--- %s\n+++ %s\n", name, name)
		}
		fmt.Fprintf(&out, "@@ -%s +%s @@\n", span(oldLine, olds), span(newLine, news))
		for _, e := range edits[begin:end] {
			out.WriteByte(e.mark)
			out.Write(e.line)
			if !bytes.HasSuffix(e.line, []byte("\n")) {
				out.WriteString("\n\\ No newline at end of file\n")
			}
		}
		oldLine, newLine, done = oldLine+olds, newLine+news, end
	}
	_, err := w.Write(out.Bytes())
	return err
}

// span is a place in a hunk's head. One without lines is said to be behind the line before it.
func span(line, n int) string {
	if n == 0 {
		line--
	}
	return fmt.Sprintf("%d,%d", line, n)
}

// editsOf finds the fewest lines to take out and to put in.
func editsOf(a, b [][]byte) (edits []edit) {
	if n := len(a); n > 0 && len(a[n-1]) == 0 {
		a = a[:n-1] // behind the last newline
	}
	if n := len(b); n > 0 && len(b[n-1]) == 0 {
		b = b[:n-1]
	}
	head := 0
	for head < len(a) && head < len(b) && bytes.Equal(a[head], b[head]) {
		head++
	}
	tail := 0
	for tail < len(a)-head && tail < len(b)-head && bytes.Equal(a[len(a)-1-tail], b[len(b)-1-tail]) {
		tail++
	}
	for _, line := range a[:head] {
		edits = append(edits, edit{' ', line})
	}
	end := a[len(a)-tail:]
	a, b = a[head:len(a)-tail], b[head:len(b)-tail]
	common := make([][]int32, len(a)+1) // lines that a[i:] and b[j:] have in common
	for i := range common {
		common[i] = make([]int32, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if common[i][j] = max(common[i+1][j], common[i][j+1]); bytes.Equal(a[i], b[j]) {
				common[i][j] = common[i+1][j+1] + 1
			}
		}
	}
	for i, j := 0, 0; i < len(a) || j < len(b); {
		switch {
		case i < len(a) && j < len(b) && bytes.Equal(a[i], b[j]):
			edits = append(edits, edit{' ', a[i]})
			i, j = i+1, j+1
		case i < len(a) && (j == len(b) || common[i+1][j] >= common[i][j+1]):
			edits = append(edits, edit{'-', a[i]})
			i++
		default:
			edits = append(edits, edit{'+', b[j]})
			j++
		}
	}
	for _, line := range end {
		edits = append(edits, edit{' ', line})
	}
	return edits
}
