package config

import (
	"slices"
	"strings"
	"sync"
)

// origins know where effective values were written, by path. The values of lists may be very many, a few for each user of
// a large file, and next to nobody asks for them: they are noted in order, with their paths in two parts, and indexed when
// somebody has asked often. A nil *origins notes nothing and knows nothing. Reading is safe for concurrent use.
type origins struct {
	single map[string]Origin // of what is in no list

	mu     sync.Mutex        // guards what follows; leaf lock
	listed [][]listedOrigin  // in pieces of listedPiece, so that nothing is copied when there are more
	index  map[string]Origin // of listed, by path; nil: nobody has asked often
	asked  int
}

const listedPiece = 512

type listedOrigin struct {
	base, name string
	origin     Origin
}

// askedOften is from how many questions on an index is worth its making.
const askedOften = 16

func newOrigins() *origins { return &origins{single: map[string]Origin{}} }

// set notes the place of a value; a later one replaces an earlier one.
func (o *origins) set(at place, or Origin) {
	switch {
	case o == nil:
	case !strings.Contains(at.base, "["):
		o.single[at.path()] = or
	default:
		last := len(o.listed) - 1
		if last < 0 || len(o.listed[last]) == listedPiece {
			o.listed = append(o.listed, make([]listedOrigin, 0, listedPiece))
			last++
		}
		o.listed[last] = append(o.listed[last], listedOrigin{at.base, at.name, or})
		if o.index != nil {
			o.index[at.path()] = or
		}
	}
}

// get returns the place of the value of a path.
func (o *origins) get(path string) (Origin, bool) {
	if o == nil {
		return Origin{}, false
	}
	if or, ok := o.single[path]; ok || !strings.Contains(path, "[") {
		return or, ok
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.asked++; o.asked == askedOften {
		o.index = make(map[string]Origin, listedPiece*len(o.listed))
		for _, piece := range o.listed {
			for _, l := range piece {
				o.index[place{base: l.base, name: l.name}.path()] = l.origin
			}
		}
	}
	if o.index != nil {
		or, ok := o.index[path]
		return or, ok
	}
	for _, piece := range slices.Backward(o.listed) {
		for i := len(piece) - 1; i >= 0; i-- {
			if piece[i].is(path) {
				return piece[i].origin, true
			}
		}
	}
	return Origin{}, false
}

// forgetLists drops what is in lists.
func (o *origins) forgetLists() {
	if o == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.listed, o.index = nil, nil
}

// is reports whether path is that of the value. Names of options are plain words.
func (l *listedOrigin) is(path string) bool {
	if l.name == "" {
		return l.base == path
	}
	n := len(l.base)
	return len(path) == n+1+len(l.name) && path[n] == '.' && path[n+1:] == l.name && path[:n] == l.base
}
