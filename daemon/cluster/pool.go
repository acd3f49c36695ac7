package cluster

import "hash/fnv"

// poolIndex is the connection of a pool to which an account belongs: that of
// nats-server, since both ends must agree.
func poolIndex(size int, account string) int {
	if size <= 1 {
		return 0
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(account))
	return int(h.Sum32() % uint32(size))
}

// server is another server of the cluster. Hub.mu protects it.
type server struct {
	id, name string
	info     *info             // of its first connection
	noPool   bool              // it, or we, have one connection for everything
	pool     []*Route          // by index; nil where none is
	accounts map[string]*Route // of accounts with a connection of their own
	lameDuck bool
}

// count is how many connections of the pool there are.
func (p *server) count() (n int) {
	for _, r := range p.pool {
		if r != nil {
			n++
		}
	}
	return n
}

// first is the connection over which the peer is told about others.
func (p *server) first() *Route {
	for _, r := range p.pool {
		if r != nil {
			return r
		}
	}
	return nil
}

// at is the connection with an index, nil if there is none.
func (p *server) at(idx int) *Route {
	if idx < len(p.pool) {
		return p.pool[idx]
	}
	return nil
}

// gone reports whether no connection is left.
func (p *server) gone() bool { return p.count() == 0 && len(p.accounts) == 0 }

// grow makes room for a pool of n.
func (p *server) grow(n int) {
	for len(p.pool) < n {
		p.pool = append(p.pool, nil)
	}
}

// free is the first index without a connection, -1 if there is none.
func (p *server) free() int {
	for i, r := range p.pool {
		if r == nil {
			return i
		}
	}
	return -1
}
