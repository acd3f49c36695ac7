package budget

import (
	"slices"
	"sync"
	"sync/atomic"
)

// Kind is what memory is used for. The first ones can be given back, in this order.
type Kind uint8

const (
	Pages   Kind = iota // what was read from files and may be read again
	Tails               // messages that wait for a file
	Tables              // of subjects
	IDs                 // of messages, for as long as duplicates are refused
	Windows             // of consumers: what is pending
	Batches             // messages that wait for the rest of their batch
	Memory              // streams in memory
	Kinds               // how many there are
)

var kindNames = [Kinds]string{"pages", "tails", "tables", "ids", "windows", "batches", "memory"}

func (k Kind) String() string {
	if k < Kinds {
		return kindNames[k]
	}
	return "unknown"
}

// Share returns the budget of a node that may use so many bytes: three quarters of them.
func Share(available int64) int64 { return available / 4 * 3 }

// MemoryShare returns how much of a budget streams in memory may take when nobody has said: two
// thirds.
func MemoryShare(budget int64) int64 { return budget / 3 * 2 }

// Budget is what a node's store may use. Its methods may be called by many goroutines at once.
type Budget struct {
	limit atomic.Int64
	used  [Kinds]atomic.Int64

	mu       sync.Mutex // guards what follows; not held while somebody gives back
	accounts map[*Account]struct{}
	refusing bool
}

// New returns a budget of so many bytes; 0 or less: no bound.
func New(limit int64) *Budget {
	b := &Budget{accounts: map[*Account]struct{}{}}
	b.limit.Store(limit)
	return b
}

// SetLimit changes the bound.
func (b *Budget) SetLimit(limit int64) { b.limit.Store(limit) }

// Limit returns the bound.
func (b *Budget) Limit() int64 { return b.limit.Load() }

// Used returns how many bytes of a kind are in use.
func (b *Budget) Used(k Kind) int64 { return b.used[k].Load() }

// Total returns how many bytes are in use.
func (b *Budget) Total() (n int64) {
	for k := range b.used {
		n += b.used[k].Load()
	}
	return n
}

// Over returns by how much the budget is exceeded; 0: not.
func (b *Budget) Over() int64 {
	limit := b.limit.Load()
	if limit <= 0 {
		return 0
	}
	return max(b.Total()-limit, 0)
}

// Account is the part of one who uses memory: a stream, or what streams share.
type Account struct {
	budget *Budget
	used   [Kinds]atomic.Int64
	give   [Kinds]func(need int64)
	refuse atomic.Bool
	closed atomic.Bool
}

// Giver gives memory of a kind back: about need bytes, or what it has if that is less. It says
// by [Account.Set] or [Account.Add] what became of it.
type Giver func(need int64)

// Open returns an account. give holds those who can give back by kind; those of kinds that
// cannot be given back are not asked.
func (b *Budget) Open(give map[Kind]Giver) *Account {
	a := &Account{budget: b}
	for k, fn := range give {
		a.give[k] = fn
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.accounts[a] = struct{}{}
	return a
}

// Close ends an account: it uses nothing any more, whatever is said later. Nobody says anything beside it.
func (a *Account) Close() {
	for k := range a.used {
		a.Set(Kind(k), 0)
	}
	a.closed.Store(true)
	a.budget.mu.Lock()
	defer a.budget.mu.Unlock()
	delete(a.budget.accounts, a)
	a.refuse.Store(false)
}

// Set says how many bytes of a kind the account uses now.
func (a *Account) Set(k Kind, bytes int64) {
	if a.closed.Load() {
		return
	}
	a.budget.used[k].Add(bytes - a.used[k].Swap(bytes))
}

// Add says by how many bytes of a kind the account's use has changed.
func (a *Account) Add(k Kind, change int64) {
	if a.closed.Load() {
		return
	}
	a.used[k].Add(change)
	a.budget.used[k].Add(change)
}

// Used returns how many bytes of a kind the account uses.
func (a *Account) Used(k Kind) int64 { return a.used[k].Load() }

// Total returns how many bytes the account uses.
func (a *Account) Total() (n int64) {
	for k := range a.used {
		n += a.used[k].Load()
	}
	return n
}

// Refused reports whether what would make the account use more is to be refused: it is one of
// those that use most, and nobody has anything to give back.
func (a *Account) Refused() bool { return a.refuse.Load() }

// Refusing reports whether somebody is refused.
func (b *Budget) Refusing() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.refusing
}

// Relieve brings the use down to the budget, and a sixteenth below, as far as there is
// something to give back; what is left is refused to those who use most. It is called by one goroutine at
// a time, when [Budget.Over] is not 0, and now and then while somebody is refused.
func (b *Budget) Relieve() {
	if b.Over() > 0 {
		target := b.Limit() - b.Limit()/16
		for k := Pages; k <= Tables && b.Total() > target; k++ {
			b.ask(k, target)
		}
	}
	b.refuse()
}

// ask has those who use most of a kind give back first.
func (b *Budget) ask(k Kind, target int64) {
	type part struct {
		a    *Account
		used int64
	}
	var list []part
	b.mu.Lock()
	for a := range b.accounts {
		if n := a.Used(k); n > 0 && a.give[k] != nil {
			list = append(list, part{a, n})
		}
	}
	b.mu.Unlock()
	slices.SortFunc(list, func(x, y part) int { return int(min(max(y.used-x.used, -1), 1)) })
	for _, p := range list {
		need := b.Total() - target
		if need <= 0 {
			return
		}
		p.a.give[k](need)
	}
}

// refuse decides who is refused: while the budget is exceeded, those who together use half of it
// or more, beginning with the one that uses most. It ends when a sixteenth of the budget is free.
func (b *Budget) refuse() {
	b.mu.Lock()
	defer b.mu.Unlock()
	limit := b.Limit()
	switch over := b.Over() > 0; {
	case over:
		b.refusing = true
	case !b.refusing:
		return
	case limit <= 0 || b.Total() <= limit-limit/16:
		b.refusing = false
	}
	if !b.refusing {
		for a := range b.accounts {
			a.refuse.Store(false)
		}
		return
	}
	type part struct {
		a    *Account
		used int64
	}
	var list []part
	var all int64
	for a := range b.accounts {
		n := a.Total() - a.Used(Pages)
		list, all = append(list, part{a, n}), all+n
	}
	slices.SortFunc(list, func(x, y part) int { return int(min(max(y.used-x.used, -1), 1)) })
	var sum int64
	for _, p := range list {
		p.a.refuse.Store(sum*2 < all && p.used > 0)
		sum += p.used
	}
}
