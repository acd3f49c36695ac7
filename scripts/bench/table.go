package main

// scenarios is the one list of what is measured; targets are the ratios asked
// for, and where none is given, not to be worse (1.0).
var scenarios = []scenario{
	{"nobody-16", "publish, no interest, 16 B", "message", atMost(0.12), messages(0, nobody(16))},
	{"nobody-128", "publish, no interest, 128 B", "message", atMost(0.12), messages(0, nobody(128))},
	{"pair-16", "1:1, 16 B", "message", oneToOne(0.10), messages(10000, pair(16, false))},
	{"pair-128", "1:1, 128 B", "message", oneToOne(0.14), messages(10000, pair(128, false))},
	{"pair-headers", "1:1, 128 B and headers", "message", oneToOne(0.14), messages(10000, pair(128, true))},
	{"pair-1k", "1:1, 1 KiB", "message", large(0.32), messages(10000, pair(1<<10, false))},
	{"pair-8k", "1:1, 8 KiB", "message", large(0.52), messages(10000, pair(8<<10, false))},
	{"pair-64k", "1:1, 64 KiB", "message", large(0.35), messages(1000, pair(64<<10, false))},
	{"pair-1m", "1:1, 1 MiB", "message", large(0.40), messages(100, pair(1<<20, false))},
	{"fan-10-16", "fan-out 1:10, 16 B", "delivery", fanned(0.08), messages(2000, fanOut(10, 16, false))},
	{"fan-10", "fan-out 1:10, 128 B", "delivery", fanned(0.08), messages(2000, fanOut(10, 128, false))},
	{"fan-100", "fan-out 1:100, 128 B", "delivery", fanned(0.08), messages(400, fanOut(100, 128, false))},
	{"fan-100-sids", "fan-out 1:100, distinct sids", "delivery", fanned(0.13), messages(400, fanOut(100, 128, true))},
	{"fan-1000", "fan-out 1:1000, 128 B", "delivery", fanned(0.08), messages(40, fanOut(1000, 128, false))},
	{"pairs-8", "8:8, 128 B", "message", atMost(0.14), messages(1000, pairs(8, 128))},
	{"queue-8", "queue group of 8, 128 B", "message", atMost(0.2), messages(10000, group(8))},
	{"request-1", "request-reply, 1 in flight", "request", map[metric]float64{cpu: 0.5, p50: 0.7, p99: 1}, requests(1)},
	{"request-64", "request-reply, 64 in flight", "request", map[metric]float64{cpu: 0.25, p50: 0.45, p99: 1}, requests(64)},
	{"paced-10k", "1:1, 128 B, 10,000 a second", "message", paced(0.35), pacedOnly(10000, pair(128, false))},
	{"paced-50k", "1:1, 128 B, 50,000 a second", "message", paced(0.68), pacedOnly(50000, pair(128, false))},
	{"paced-fan-100", "fan-out 1:100, 400 a second", "delivery", paced(0.48), pacedOnly(400, fanOut(100, 128, false))},
	{"active-2k", "2,000 connections in pairs, 5,000 a second", "message", atMost(1), pacedOnly(5, manyPairs(1000))},
	{"subjects-100k", "100,000 literal subjects, 128 B", "message", atMost(0.18), messages(10000, manySubjects(100000))},
	{"wildcards-10k", "10,000 wildcards, 100,000 subjects", "message", atMost(0.3), messages(10000, manyWildcards(10000))},
	{"fresh", "every publish on a fresh subject", "message", atMost(0.4), messages(10000, freshSubjects)},
	{"password", "user and password, 1:1, 128 B", "message", atMost(0.16), configured(alice, text(passwordConf), messages(10000, pair(128, false)))},
	{"permissions", "user with permissions, 1:1, 128 B", "message", atMost(0.16), configured(alice, text(permissionsConf), messages(10000, pair(128, false)))},
	{"accounts", "two accounts, a pair in each, 128 B", "message", atMost(0.16), configured(alice, text(accountsConf), messages(5000, twoAccounts))},
	{"import-stream", "1:1 through a stream import, 128 B", "message", atMost(0.16), configured(alice, text(streamConf), messages(10000, imported))},
	{"import-service", "64 requests in flight through a service import", "request", atMost(1), configured(alice, text(serviceConf), requestsBetween(64, bob, alice))},
	{"tls", "TLS, 1:1, 128 B", "message", atMost(0.4), configured(login{tls: true}, withTLS, messages(10000, pair(128, false)))},
	{"ws-128", "WebSocket, 1:1, 128 B", "message", atMost(0.18), byWeb(false, messages(10000, pair(128, false)))},
	{"ws-1k", "WebSocket, 1:1, 1 KiB", "message", atMost(0.45), byWeb(false, messages(10000, pair(1<<10, false)))},
	{"ws-fan-10", "WebSocket, fan-out 1:10, 128 B", "delivery", atMost(0.18), byWeb(false, messages(2000, fanOut(10, 128, false)))},
	{"ws-deflate-1k", "WebSocket compressed, 1:1, 1 KiB", "message", atMost(0.8), byWeb(true, messages(10000, pair(1<<10, false)))},
	{"ws-idle", "2,000 idle WebSocket connections", "connection", map[metric]float64{perUnit: 0.2}, byWeb(false, idleWeb(2000))},
	{"ws-idle-deflate", "the same, compressed", "connection", map[metric]float64{perUnit: 0.05}, byWeb(true, idleWeb(2000))},
	{"slow", "1:1 beside a subscriber that does not read", "message", atMost(1), besideSlow},
	{"reload", "1:1 while the configuration is reloaded", "message", atMost(1), configured(login{}, text(reloadConf(0)), underReload)},
	{"reload-5k", "a file of 5,000 users is reloaded, 10,000 messages a second", "reload",
		map[metric]float64{cpu: 0.8, wall: 0.8, rss: 0.8, p99: 0.8}, configured(alice, text(string(largeConf(0))), largeReload)},
	{"churn-subs", "subscribe and unsubscribe", "pair of them", atMost(1), subscriptionChurn},
	{"churn-traffic", "1:1 beside subscription churn", "message", atMost(1), churnBesideTraffic},
	{"churn-conns", "connect, PING, close", "connection", atMost(0.45), connectionChurn},
	{"tls-conns", "connect with TLS, PING, close", "connection", atMost(0.9), configured(login{tls: true}, withTLS, encryptedChurn(false))},
	{"tls-resumed", "the same, resumed", "connection", atMost(0.9), configured(login{tls: true}, withTLS, encryptedChurn(true))},
	{"tls-conns-rsa", "connect with TLS, an RSA key of 2,048 bits", "connection", atMost(0.98), configured(login{tls: true}, withRSA, encryptedChurn(false))},
	{"tls-resumed-rsa", "the same, resumed", "connection", atMost(0.9), configured(login{tls: true}, withRSA, encryptedChurn(true))},
	{"storm-unknown", "a login with bcrypt, 30 loops name nobody", "login", stormy(), configured(alice, text(stormConf()), loginInStorm(nameOfNobody))},
	{"storm-known", "a login with bcrypt, 30 loops name another user", "login", stormy(), configured(alice, text(stormConf()), loginInStorm(nameOfAnother))},
	{"storm-same", "a login with bcrypt, 30 loops name that user", "login", stormy(), configured(alice, text(stormConf()), loginInStorm(nameOfTheUser))},
	{"idle-10k", "10,000 idle connections", "connection", map[metric]float64{cpu: 0.45, perUnit: 0.17}, idleConnections(10000)},
	{"subs-1m", "1,000,000 subscriptions", "subscription", map[metric]float64{perUnit: 0.25}, manySubscriptions(1000000)},
	{"start-up", "from exec to the first PONG", "start", map[metric]float64{cpu: 1, wall: 1, rss: 1}, startUp},
	{"scrape", "10,000 connections, monitor read; 1:1, 5,000 a second", "round of readings", nil, besideScraping(10000, 5000)},
	{"cluster-16", "2 nodes, across, 16 B", "message", atMost(0.2), acrossNodes(2, "", 10000, pair(16, false))},
	{"cluster-128", "2 nodes, across, 128 B", "message", atMost(0.2), acrossNodes(2, "", 10000, pair(128, false))},
	{"cluster-headers", "2 nodes, across, 128 B and headers", "message", atMost(0.2), acrossNodes(2, "", 10000, pair(128, true))},
	{"cluster-1k", "2 nodes, across, 1 KiB", "message", atMost(1), acrossNodes(2, "", 10000, pair(1<<10, false))},
	{"cluster-queue", "2 nodes, across, queue group of 8", "message", atMost(1), acrossNodes(2, "", 10000, group(8))},
	{"cluster-pairs", "2 nodes, across, 8:8", "message", atMost(0.2), acrossNodes(2, "", 1000, pairs(8, 128))},
	{"cluster-s2", "2 nodes, across, S2, 128 B", "message", atMost(0.2), acrossNodes(2, "compression: s2_fast", 10000, pair(128, false))},
	{"cluster-nopool", "2 nodes, across, no pool, 128 B", "message", atMost(0.2), acrossNodes(2, "pool_size: -1", 10000, pair(128, false))},
	{"cluster-3", "3 nodes, one to both others, 128 B", "delivery", atMost(0.2), acrossNodes(3, "", 10000, fanOut(2, 128, false))},
	{"js-one", "stream, file, 1 in flight, 128 B", "message", map[metric]float64{cpu: 2, rate: 0.3}, storing(fileStream, "", publishing(1, 1, 128))},
	{"js-one-always", "the same, nats-server syncs always", "message", map[metric]float64{cpu: 0.75, rate: 1.3}, storing(fileStream, always, publishing(1, 1, 128))},
	{"js-32", "stream, file, 32 connections, 1 in flight each, 128 B", "message", map[metric]float64{cpu: 0.7, rate: 1}, storing(fileStream, "", publishing(32, 1, 128))},
	{"js-32-always", "the same, nats-server syncs always", "message", map[metric]float64{cpu: 0.3, rate: 5}, storing(fileStream, always, publishing(32, 1, 128))},
	{"js-window", "stream, file, 4,000 in flight, 128 B", "message", map[metric]float64{cpu: 0.2, rate: 3}, storing(fileStream, "", publishing(1, 4000, 128))},
	{"js-window-1k", "stream, file, 4,000 in flight, 1 KiB", "message", map[metric]float64{cpu: 0.45, rate: 1.6}, storing(fileStream, "", publishing(1, 4000, 1<<10))},
	{"js-window-mem", "stream, memory, 4,000 in flight, 128 B", "message", map[metric]float64{cpu: 0.2, rate: 3}, storing(memoryStream, "", publishing(1, 4000, 128))},
	{"js-pull", "stream, pull by 1,000, two requests ahead, 128 B", "message", map[metric]float64{cpu: 0.12, rate: 5}, storing(fileStream, "", consume(consuming{messages: 200000, size: 128, batch: 1000, ahead: 2}))},
	{"js-fetch", "stream, fetch of 100, 128 B", "message", map[metric]float64{cpu: 0.2, rate: 1.1}, storing(fileStream, "", consume(consuming{messages: 200000, size: 128, batch: 100, ahead: 1}))},
	{"js-push", "stream, push, 128 B", "message", map[metric]float64{cpu: 0.15, rate: 1.5}, storing(fileStream, "", consume(consuming{messages: 200000, size: 128}))},
	{"js-queue", "work queue, pull by 1,000, explicit acks, 128 B", "message", map[metric]float64{cpu: 0.2, rate: 2.5}, storing(queueStream, "", consume(consuming{messages: 100000, size: 128, batch: 1000, ahead: 2, consumer: `"ack_policy":"explicit"`, acks: true}))},
	{"kv-put", "key-value put, 32 connections, 128 B", "put", map[metric]float64{cpu: 0.85, rate: 0.9}, storing(kvBucket, "", putting(32))},
	{"kv-get", "key-value get, 32 connections, 128 B", "get", map[metric]float64{cpu: 0.65, rate: 1.1}, storing(kvBucket, "", getting(32))},
	{"kv-watch", "key-value watch, 100,000 keys", "key", map[metric]float64{cpu: 0.1, rate: 2}, storing(kvBucket, "", watch(100000))},
	{"restart-1k", "1,000 clients, 50,000 messages a second, a restart", "restart", nil, restartUnder(crowdSpec{clients: 1000, perSecond: 50000, restarts: 1})},
	{"restart-ten", "the same, ten restarts in a row", "restart", nil, restartUnder(crowdSpec{clients: 1000, perSecond: 50000, restarts: 10})},
	{"restart-10k", "10,000 clients, 2,000 messages a second, a restart", "restart", nil, restartUnder(crowdSpec{clients: 10000, perSecond: 2000, restarts: 1, idle: true})},
	{"cluster-join", "100,000 subscriptions to a new peer", "subscription", map[metric]float64{cpu: 1, wall: 1}, newPeer(100000)},
}

// bounds are targets that are no ratios: what clients may see of a restart at most.
var bounds = map[string]map[metric]float64{
	"restart-1k":  {gap: 200e6, delay: 200e6, dropped: 0, lost: 0, doubled: 0, disordered: 0},
	"restart-ten": {gap: 200e6, delay: 200e6, dropped: 0, lost: 0, doubled: 0, disordered: 0},
	"restart-10k": {delay: 1e9, dropped: 0, lost: 0, doubled: 0, disordered: 0},
}

// floored are the scenarios that the relay is measured in too.
var floored = []string{"pair-16", "pair-128", "pair-headers", "pair-1k", "pair-8k", "pair-64k", "pair-1m", "fan-10-16", "fan-10", "fan-100", "fan-1000", "paced-10k", "paced-50k", "paced-fan-100"}

// plain says which scenario is the same without what a scenario is about.
var plain = []struct{ name, without string }{
	{"password", "pair-128"}, {"permissions", "pair-128"}, {"accounts", "pair-128"}, {"import-stream", "pair-128"}, {"tls", "pair-128"},
	{"tls-resumed", "tls-conns"}, {"tls-resumed-rsa", "tls-conns-rsa"}, {"slow", "pair-128"}, {"reload", "pair-128"}, {"import-service", "request-64"},
}

// atMost gives a target for the processor time.
func atMost(ratio float64) map[metric]float64 { return map[metric]float64{cpu: ratio} }

// stormy asks for logins that are no later than theirs.
func stormy() map[metric]float64 { return map[metric]float64{p50: 1, p99: 1} }

// oneToOne adds the throughput, at least four times theirs, and the latencies.
func oneToOne(ratio float64) map[metric]float64 {
	return map[metric]float64{cpu: ratio, rate: 4, overFloor: 1.5, p99: 1}
}

func large(ratio float64) map[metric]float64 {
	return map[metric]float64{cpu: ratio, overFloor: 1.5, p99: 1}
}

func fanned(ratio float64) map[metric]float64 {
	return map[metric]float64{cpu: ratio, rss: 0.35, p99: 1}
}

func paced(ratio float64) map[metric]float64 {
	return map[metric]float64{cpu: ratio, p50: 0.7, p99: 1}
}
