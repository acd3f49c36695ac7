package main

// scenarios is the one list of what is measured; targets are the ratios asked
// for, and where none is given, not to be worse (1.0).
var scenarios = []scenario{
	{"nobody-16", "publish, no interest, 16 B", "message", limits(0.12), messages(0, nobody(16))},
	{"nobody-128", "publish, no interest, 128 B", "message", limits(0.12), messages(0, nobody(128))},
	{"pair-16", "1:1, 16 B", "message", limits(0.10), messages(10000, pair(16, false))},
	{"pair-128", "1:1, 128 B", "message", limits(0.14), messages(10000, pair(128, false))},
	{"pair-headers", "1:1, 128 B and headers", "message", limits(0.14), messages(10000, pair(128, true))},
	{"pair-1k", "1:1, 1 KiB", "message", limits(0.32), messages(10000, pair(1<<10, false))},
	{"pair-64k", "1:1, 64 KiB", "message", limits(0.35), messages(1000, pair(64<<10, false))},
	{"pair-1m", "1:1, 1 MiB", "message", limits(1), messages(100, pair(1<<20, false))},
	{"fan-10-16", "fan-out 1:10, 16 B", "delivery", limits(0.08), messages(2000, fanOut(10, 16, false))},
	{"fan-10", "fan-out 1:10, 128 B", "delivery", limits(0.08), messages(2000, fanOut(10, 128, false))},
	{"fan-100", "fan-out 1:100, 128 B", "delivery", limits(0.08), messages(400, fanOut(100, 128, false))},
	{"fan-100-sids", "fan-out 1:100, distinct sids", "delivery", limits(0.13), messages(400, fanOut(100, 128, true))},
	{"fan-1000", "fan-out 1:1000, 128 B", "delivery", limits(0.08), messages(40, fanOut(1000, 128, false))},
	{"pairs-8", "8:8, 128 B", "message", limits(0.14), messages(1000, pairs(8, 128))},
	{"queue-8", "queue group of 8, 128 B", "message", limits(1), messages(10000, group(8))},
	{"request-1", "request-reply, 1 in flight", "request", map[metric]float64{cpu: 0.5, p50: 0.7}, requests(1)},
	{"request-64", "request-reply, 64 in flight", "request", limits(0.25), requests(64)},
	{"paced-10k", "1:1, 128 B, 10,000 a second", "message", limits(1), pacedOnly(10000)},
	{"paced-50k", "1:1, 128 B, 50,000 a second", "message", limits(1), pacedOnly(50000)},
	{"subjects-100k", "100,000 literal subjects, 128 B", "message", limits(0.18), messages(10000, manySubjects(100000))},
	{"wildcards-10k", "10,000 wildcards, 100,000 subjects", "message", limits(1), messages(10000, manyWildcards(10000))},
	{"fresh", "every publish on a fresh subject", "message", limits(1), messages(10000, freshSubjects)},
	{"churn-subs", "subscribe and unsubscribe", "pair of them", limits(1), subscriptionChurn},
	{"churn-traffic", "1:1 beside subscription churn", "message", limits(1), churnBesideTraffic},
	{"churn-conns", "connect, PING, close", "connection", limits(1), connectionChurn},
	{"idle-10k", "10,000 idle connections", "connection", map[metric]float64{perUnit: 0.17}, idleConnections(10000)},
	{"subs-1m", "1,000,000 subscriptions", "subscription", map[metric]float64{perUnit: 0.25}, manySubscriptions(1000000)},
	{"scrape", "10,000 connections, monitor read; 1:1, 5,000 a second", "round of readings", nil, besideScraping(10000, 5000)},
	{"cluster-16", "2 nodes, across, 16 B", "message", limits(0.2), acrossNodes(2, "", 10000, pair(16, false))},
	{"cluster-128", "2 nodes, across, 128 B", "message", limits(0.2), acrossNodes(2, "", 10000, pair(128, false))},
	{"cluster-headers", "2 nodes, across, 128 B and headers", "message", limits(0.2), acrossNodes(2, "", 10000, pair(128, true))},
	{"cluster-1k", "2 nodes, across, 1 KiB", "message", limits(1), acrossNodes(2, "", 10000, pair(1<<10, false))},
	{"cluster-queue", "2 nodes, across, queue group of 8", "message", limits(1), acrossNodes(2, "", 10000, group(8))},
	{"cluster-pairs", "2 nodes, across, 8:8", "message", limits(0.2), acrossNodes(2, "", 1000, pairs(8, 128))},
	{"cluster-s2", "2 nodes, across, S2, 128 B", "message", limits(0.2), acrossNodes(2, "compression: s2_fast", 10000, pair(128, false))},
	{"cluster-nopool", "2 nodes, across, no pool, 128 B", "message", limits(0.2), acrossNodes(2, "pool_size: -1", 10000, pair(128, false))},
	{"cluster-3", "3 nodes, one to both others, 128 B", "delivery", limits(0.2), acrossNodes(3, "", 10000, fanOut(2, 128, false))},
	{"cluster-join", "100,000 subscriptions to a new peer", "subscription", map[metric]float64{cpu: 1, wall: 1}, newPeer(100000)},
	{"start-up", "from exec to the first PONG", "start", nil, startUp},
}

// limits gives a target for the processor time.
func limits(ratio float64) map[metric]float64 { return map[metric]float64{cpu: ratio} }
