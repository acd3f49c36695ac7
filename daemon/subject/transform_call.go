package subject

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A fn is the name of a mapping function, with a capital where either case is
// read: splitFromLeft, SplitFromLeft, splitfromleft and so on are one.
type fn string

const (
	fnWildcard       fn = "Wildcard"
	fnPartition      fn = "Partition"
	fnSplitFromLeft  fn = "SplitFromLeft"
	fnSplitFromRight fn = "SplitFromRight"
	fnSliceFromLeft  fn = "SliceFromLeft"
	fnSliceFromRight fn = "SliceFromRight"
	fnSplit          fn = "Split"
	fnLeft           fn = "Left"
	fnRight          fn = "Right"
	fnRandom         fn = "Random"
)

// functions says how the arguments of each function are read.
var functions = []struct {
	name fn
	args func(*call, []string) error
}{
	{fnWildcard, (*call).readWildcard},
	{fnPartition, (*call).readPartition},
	{fnSplitFromLeft, (*call).readIndexAndSize},
	{fnSplitFromRight, (*call).readIndexAndSize},
	{fnSliceFromLeft, (*call).readIndexAndSize},
	{fnSliceFromRight, (*call).readIndexAndSize},
	{fnLeft, (*call).readIndexAndSize},
	{fnRight, (*call).readIndexAndSize},
	{fnSplit, (*call).readSplit},
	{fnRandom, (*call).readRandom},
}

// A call is one function call in a destination, as written.
type call struct {
	token     string
	name      fn
	indexes   []int  // numbers of source wildcards, from 1
	size      int    // buckets, position or length
	separator string // of split
}

// parseCall reads a destination token; nil stands for plain text.
func parseCall(token string) (*call, error) {
	if n, ok := strings.CutPrefix(token, "$"); ok && n != "" {
		// A dollar and no number is plain: $JS, $SYS, $G.
		i, err := strconv.Atoi(n)
		if err != nil {
			return nil, nil
		}
		return &call{token: token, name: fnWildcard, indexes: []int{i}}, nil
	}
	if !isCall(token) {
		return nil, nil
	}
	name, args, ok := splitCall(token)
	if !ok {
		return nil, &MappingError{token, ErrMappingFunction}
	}
	if accountFunction(name) != nil { // no function of messages: what may have it has resolved it
		return nil, &MappingError{token, ErrMappingUnavailable}
	}
	for _, f := range functions {
		if f.name.is(name) {
			c := &call{token: token, name: f.name}
			if err := f.args(c, args); err != nil {
				return nil, &MappingError{token, err}
			}
			return c, nil
		}
	}
	return nil, &MappingError{token, ErrMappingFunction}
}

// isCall reports whether a token has the form of a call.
func isCall(token string) bool {
	return len(token) > 4 && strings.HasPrefix(token, "{{") && strings.HasSuffix(token, "}}")
}

// splitCall takes a call apart; there is one argument at least, which may be empty.
func splitCall(token string) (name string, args []string, ok bool) {
	const blanks = " \t\n\f\r"
	name, rest, ok := strings.Cut(strings.Trim(token[2:len(token)-2], blanks), "(")
	if !ok || !strings.HasSuffix(rest, ")") {
		return "", nil, false
	}
	args = strings.Split(rest[:len(rest)-1], ",")
	for i := range args[1:] {
		args[i+1] = strings.TrimLeft(args[i+1], blanks)
	}
	return strings.TrimRight(name, blanks), args, true
}

// is reports whether word names f: the capitals of f may be written small.
func (f fn) is(word string) bool {
	if len(word) != len(f) {
		return false
	}
	for i := range len(word) {
		c := f[i]
		if word[i] == c || c >= 'A' && c <= 'Z' && word[i] == c+('a'-'A') {
			continue
		}
		return false
	}
	return true
}

func (c *call) readWildcard(args []string) error {
	if len(args) > 1 {
		return ErrMappingManyArgs
	}
	if args[0] == "" {
		return ErrMappingFewArgs
	}
	return c.index(args[0])
}

func (c *call) readPartition(args []string) error {
	if err := c.number(args[0]); err != nil {
		return err
	}
	for _, a := range args[1:] {
		if err := c.index(a); err != nil {
			return err
		}
	}
	return nil
}

func (c *call) readIndexAndSize(args []string) error {
	if err := twoArgs(args); err != nil {
		return err
	}
	if err := c.index(args[0]); err != nil {
		return err
	}
	return c.number(args[1])
}

func (c *call) readSplit(args []string) error {
	if err := twoArgs(args); err != nil {
		return err
	}
	if err := c.index(args[0]); err != nil {
		return err
	}
	if strings.ContainsAny(args[1], " .") {
		return ErrMappingArg
	}
	c.separator = args[1]
	return nil
}

func (c *call) readRandom(args []string) error {
	if len(args) != 1 {
		return ErrMappingFewArgs
	}
	return c.number(args[0])
}

func twoArgs(args []string) error {
	switch {
	case len(args) < 2:
		return ErrMappingFewArgs
	case len(args) > 2:
		return ErrMappingManyArgs
	}
	return nil
}

func (c *call) index(arg string) error {
	n, err := strconv.Atoi(strings.Trim(arg, " "))
	if err != nil {
		return ErrMappingArg
	}
	c.indexes = append(c.indexes, n)
	return nil
}

func (c *call) number(arg string) error {
	n, err := strconv.Atoi(strings.Trim(arg, " "))
	if err != nil || n > math.MaxInt32 || n < math.MinInt32 {
		return ErrMappingArg
	}
	c.size = n
	return nil
}

// places turns wildcard numbers into token positions; wild says whether the
// source has wildcards at all. A number below 1 means the first token, as
// nats-server reads it.
func (c *call) places(wildcards []int, wild bool) ([]int, error) {
	if !wild {
		return nil, nil // partition over a literal subject: its numbers name nothing
	}
	var places []int
	for _, n := range c.indexes {
		switch {
		case n > len(wildcards):
			return nil, &MappingError{fmt.Sprintf("%s: [%d]", c.token, n), ErrMappingIndex}
		case n < 1:
			places = append(places, 0)
		default:
			places = append(places, wildcards[n-1])
		}
	}
	return places, nil
}
