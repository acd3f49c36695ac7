package broker

import (
	"bytes"

	"github.com/nats-broker/nats-broker/daemon/sublist"
)

// answers returns the plan for an answer to a request of another account, nil if the
// subject needs one of its own. There is one for all of them: who else receives an answer
// is the same whatever the request, as a rule, and whose it is the table of replies knows.
func (s *sender) answers(subject []byte, hash uint64) *plan {
	if len(subject) < len(replyPrefix) || string(subject[:len(replyPrefix)]) != replyPrefix || s.traced {
		return nil
	}
	prefix := s.acc.shares.replies.prefix.Load()
	if prefix == nil || len(subject) != len(*prefix)+replyNameLen || string(subject[:len(*prefix)]) != *prefix ||
		bytes.IndexByte(subject[len(*prefix):], '.') >= 0 || s.acc.index.Literal(subject, hash) {
		return nil
	}
	if s.reply == nil || !s.reply.current(s.acc.index) {
		s.settle()
		s.last = nil
		if s.reply == nil {
			s.reply = &plan{scratch: true}
		}
		s.fillAnswers(s.reply, *prefix, subject)
	}
	if s.reply.denied {
		return nil
	}
	if s.reply != s.last {
		s.settle()
		s.last = s.reply
	}
	return s.reply
}

// fillAnswers makes the plan for all answers of which one is given. It is denied if there
// cannot be one. It has no subject, so that it is not taken for the plan of one.
func (s *sender) fillAnswers(p *plan, prefix string, one []byte) {
	p.reset()
	p.subject, p.hash = asString(one), sublist.Hash(one)
	s.fillFrom(p)
	p.subject = ""
	p.denied = !p.sameForAll() || !s.acc.index.Alike(asBytes(prefix[:len(prefix)-1]), 1) ||
		s.self != nil && s.self.permissions() != nil
	if sh := s.acc.shares.now.Load(); sh != nil && len(sh.mappings) > 0 {
		p.denied = true
	}
}

// sameForAll reports whether the plan does not depend on the very subject it was made for.
func (p *plan) sameForAll() bool {
	for _, st := range p.steps {
		switch st.(type) {
		case replyStep, internalStep, *remoteStep, *capture:
		default:
			return false
		}
	}
	return len(p.renamed) == 0 && !p.varies
}

// nest is the memory of a sender for delivery to another account, of one depth.
type nest struct {
	name []byte // the reply subject of the request at hand
	made []byte // the request, if it was rewritten
	back wayBack

	plan plan     // of the answer before
	acc  *Account // of plan
	came *Account // from which the answer came
	text []byte   // its subject

	// What its subject begins with, through the last dot; empty if there is none. All
	// subjects that do have one plan if alike, which is known once asked.
	inbox        string
	room         []byte // of inbox
	asked, alike bool
}

// nest returns the memory for the present depth.
func (s *sender) nest() *nest {
	for len(s.nests) <= int(s.depth) {
		s.nests = append(s.nests, &nest{plan: plan{scratch: true}})
	}
	return s.nests[s.depth]
}

// nestedPlan returns the plan for where an answer goes, by a hop. It is good until the next
// answer at this depth.
//
// Who asks uses one inbox, as a rule, with a token of its own for every request, so that
// the plan of the answer before is good for this one too.
func (s *sender) nestedPlan(h hop, n *nest) *plan {
	a, p := h.acc, &n.plan
	same := n.acc == a && n.came == h.came && p.current(a.index)
	if same && p.subject == string(n.back.subject) {
		return p
	}
	n.text, n.back.subject = n.back.subject, n.text
	p.subject, p.hash = asString(n.text), sublist.Hash(n.text)
	at := 1 + bytes.LastIndexByte(n.text, '.')
	again := same && n.inbox != "" && p.subject[:at] == n.inbox && at < len(p.subject)
	if again && !n.asked {
		n.asked = true
		n.alike = p.sameForAll() && a.index.Alike(n.text[:at-1], 1)
	}
	if again && n.alike && !a.index.Literal(n.text, p.hash) {
		return p
	}
	if !again {
		n.room = append(n.room[:0], p.subject[:at]...)
		n.inbox, n.asked, n.alike = asString(n.room), false, false
	}
	n.acc, n.came = a, h.came
	p.reset()
	was := s.hop
	s.hop = h
	s.fillFrom(p)
	s.hop = was
	if at == len(p.subject) || len(p.nodes) > 0 && p.nodes[0].Pattern == p.subject {
		n.inbox = "" // the plan is for this one only
	}
	return p
}

// longMade is the capacity beyond which the memory of rewritten requests is not kept.
const longMade = 64 << 10

// rest gives memory back when the work on a buffer of input is done.
func (n *nest) rest() {
	if cap(n.made) > longMade {
		n.made = nil
	}
}

// shard says in which part of a table of replies the sender's requests wait.
func (s *sender) shard() int {
	if s.self == nil {
		return 0
	}
	return int(s.self.cid % replyShards)
}
