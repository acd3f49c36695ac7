package main

import (
	"fmt"
	"math/rand/v2"
	"strconv"
)

const everything = -1

// sub makes the SUB line of the usual single subscription.
func sub(subject, queue, sid string) []byte {
	if queue != "" {
		queue += " "
	}
	return []byte("SUB " + subject + " " + queue + sid + "\r\n")
}

// nobody: publishes that no subscription matches.
func nobody(payload int) func(int) flowSpec {
	return func(int) flowSpec {
		return flowSpec{payload: payload, subjects: []string{"bench.nobody"}, pubs: 1,
			subs: []subSpec{{subscribe: sub("bench.other", "", "1"), from: everything, ordered: true}}}
	}
}

// pair: one publisher, one subscriber, one subject.
func pair(payload int, headers bool) func(int) flowSpec {
	return func(int) flowSpec {
		return flowSpec{payload: payload, headers: headers, subjects: []string{"bench.pair"}, pubs: 1, fan: 1,
			subs: []subSpec{{subscribe: sub("bench.pair", "", "1"), from: everything, ordered: true}}}
	}
}

// fanOut: n connections get every message, all under sid 1 or each under a
// sid of its own.
func fanOut(n, payload int, distinct bool) func(int) flowSpec {
	return func(int) flowSpec {
		spec := flowSpec{payload: payload, subjects: []string{"bench.fan"}, pubs: 1, fan: n}
		for i := range n {
			sid := "1"
			if distinct {
				sid = strconv.Itoa(i + 1)
			}
			spec.subs = append(spec.subs, subSpec{subscribe: sub("bench.fan", "", sid), sids: []string{sid}, from: everything, ordered: true})
		}
		return spec
	}
}

// manyPairs: n pairs of which each has little to say, at different moments.
func manyPairs(n int) func(int) flowSpec {
	return func(scale int) flowSpec {
		spec := pairs(n/scale, 128)(1)
		spec.even = true
		return spec
	}
}

// pairs: n publishers and n subscribers, each pair on a subject of its own.
func pairs(n, payload int) func(int) flowSpec {
	return func(int) flowSpec {
		spec := flowSpec{payload: payload, pubs: n, fan: 1}
		for i := range n {
			subject := "bench.pair." + strconv.Itoa(i)
			spec.subjects = append(spec.subjects, subject)
			spec.subs = append(spec.subs, subSpec{subscribe: sub(subject, "", "1"), from: i, ordered: true})
		}
		return spec
	}
}

// group: one publisher, n connections in one queue group.
func group(n int) func(int) flowSpec {
	return func(int) flowSpec {
		spec := flowSpec{payload: 128, subjects: []string{"bench.queue"}, pubs: 1, fan: 1}
		for range n {
			spec.subs = append(spec.subs, subSpec{subscribe: sub("bench.queue", "workers", "1"), from: everything})
		}
		return spec
	}
}

// manySubjects: n literal subscriptions on one connection, published to in
// random order.
func manySubjects(n int) func(int) flowSpec {
	return func(scale int) flowSpec {
		spec := flowSpec{payload: 128, pubs: 1, fan: 1, order: shuffled(n / scale)}
		one := subSpec{from: everything, ordered: true}
		for i := range n / scale {
			subject, sid := fmt.Sprintf("bench.s%d.t%05d", i%100, i), strconv.Itoa(i+1)
			spec.subjects = append(spec.subjects, subject)
			one.sids = append(one.sids, sid)
			one.subscribe = append(one.subscribe, sub(subject, "", sid)...)
		}
		spec.subs = []subSpec{one}
		return spec
	}
}

// manyWildcards: n wildcard subscriptions on one connection and ten subjects
// for each, in random order.
func manyWildcards(n int) func(int) flowSpec {
	return func(scale int) flowSpec {
		const each = 10
		spec := flowSpec{payload: 128, pubs: 1, fan: 1, order: shuffled(n / scale * each)}
		one := subSpec{from: everything, ordered: true}
		for i := range n / scale {
			sid := strconv.Itoa(i + 1)
			one.subscribe = append(one.subscribe, sub(fmt.Sprintf("bench.w%05d.*.in", i), "", sid)...)
			for j := range each {
				spec.subjects = append(spec.subjects, fmt.Sprintf("bench.w%05d.%d.in", i, j))
				one.sids = append(one.sids, sid)
			}
		}
		spec.subs = []subSpec{one}
		return spec
	}
}

// freshSubjects: no subject is ever used twice.
func freshSubjects(int) flowSpec {
	return flowSpec{payload: 128, fresh: true, subjects: []string{freshSubject("bench.fresh.")}, pubs: 1, fan: 1,
		subs: []subSpec{{subscribe: sub("bench.fresh.>", "", "1"), from: everything, ordered: true}}}
}

// shuffled returns 0..n-1 in an order that is random and always the same.
func shuffled(n int) []int { return rand.New(rand.NewPCG(3, 4)).Perm(n) }
