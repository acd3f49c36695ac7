package broker

import "github.com/nats-broker/nats-broker/daemon/sublist"

// Listeners remembers what [Account.Interested] and [Account.Named] have answered, for one who asks the same for each message:
// the index is looked through again only when it has changed where the subject lies. It has room for a few questions, and
// forgets the oldest. The zero value is of use. It belongs to one goroutine at a time.
type Listeners struct {
	of    *Account
	asked [4]question
	next  int
}

type question struct {
	subject, queue string
	named          bool
	shard          sublist.Shard
	stamp          sublist.Stamp
	answer         bool
}

// Interested is [Account.Interested] of an account, remembered.
func (l *Listeners) Interested(a *Account, subject string) bool {
	return l.ask(a, question{subject: subject})
}

// Named is [Account.Named] of an account, remembered.
func (l *Listeners) Named(a *Account, subject, queue string) bool {
	return l.ask(a, question{subject: subject, queue: queue, named: true})
}

func (l *Listeners) ask(a *Account, q question) bool {
	if l.of != a {
		*l = Listeners{of: a}
	}
	at := -1
	for n := range l.asked {
		x := &l.asked[n]
		if x.named != q.named || x.subject != q.subject || x.queue != q.queue || q.subject == "" {
			continue
		}
		if a.index.Stamp(x.shard) == x.stamp {
			return x.answer
		}
		at = n
	}
	if at < 0 {
		at, l.next = l.next, (l.next+1)%len(l.asked)
	}
	q.shard = sublist.ShardOf(asBytes(q.subject))
	q.stamp = a.index.Stamp(q.shard) // before the look, see Stamp
	if q.named {
		q.answer = a.Named(q.subject, q.queue)
	} else {
		q.answer = a.Interested(q.subject)
	}
	l.asked[at] = q
	return q.answer
}
