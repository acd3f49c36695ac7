package peer

// Names are strings that a peer names again and again, such as those of queue groups: each is made once. It belongs to the
// connection's goroutine.
type Names map[string]string

const (
	maxNames = 4096
	maxName  = 256 // bytes; longer ones are made each time, so that a peer cannot have us keep much
)

// Of makes a string of a name.
func (n Names) Of(name []byte) string {
	if s, ok := n[string(name)]; ok {
		return s
	}
	if len(n) >= maxNames {
		clear(n)
	}
	s := string(name)
	if len(s) <= maxName {
		n[s] = s
	}
	return s
}
