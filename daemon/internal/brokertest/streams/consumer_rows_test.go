package streams

import (
	"fmt"
	"strings"
)

// consumers are configurations to ask for, without the braces and the name.
var consumers = []string{
	``, `"ack_policy":"none"`, `"ack_policy":"all"`, `"ack_policy":"explicit"`, `"ack_policy":"flow_control"`, `"ack_policy":"x"`, `"ack_policy":1`, `"ack_policy":null`,
	`"deliver_policy":"all"`, `"deliver_policy":"last"`, `"deliver_policy":"new"`, `"deliver_policy":"x"`, `"deliver_policy":"by_start_sequence"`, `"deliver_policy":"by_start_sequence","opt_start_seq":3`,
	`"deliver_policy":"by_start_sequence","opt_start_seq":100`, `"deliver_policy":"by_start_sequence","opt_start_time":"2000-01-01T00:00:00Z"`, `"deliver_policy":"by_start_time"`,
	`"deliver_policy":"by_start_time","opt_start_time":"2000-01-01T00:00:00Z"`, `"deliver_policy":"by_start_time","opt_start_time":"2100-01-01T00:00:00Z"`, `"deliver_policy":"by_start_time","opt_start_seq":3`,
	`"deliver_policy":"last_per_subject"`, `"deliver_policy":"last_per_subject","filter_subject":"%s.*"`, `"deliver_policy":"last_per_subject","filter_subjects":["%s.a","%s.c"]`,
	`"deliver_policy":"last","filter_subject":"%s.a"`, `"deliver_policy":"last","filter_subject":"none"`, `"deliver_policy":"last","opt_start_seq":3`, `"deliver_policy":"new","opt_start_time":"2000-01-01T00:00:00Z"`,
	`"opt_start_seq":3`, `"opt_start_time":"2000-01-01T00:00:00Z"`, `"deliver_policy":"last_per_subject","filter_subject":"%s.a","opt_start_seq":3`,
	`"durable_name":"c"`, `"durable_name":"d"`, `"durable_name":"a.b"`, `"description":"text"`, `"description":"%4097"`, `"metadata":{"a":"b"}`, `"metadata":{"a":"%131072"}`, `"metadata":{"_nats.ver":"9","_nats.level":"7","_nats.req.level":"3"}`,
	`"ack_policy":"explicit","ack_wait":1000000000`, `"ack_policy":"explicit","ack_wait":-1`, `"ack_wait":1000000000`, `"max_deliver":0`, `"max_deliver":-1`, `"max_deliver":-5`, `"max_deliver":5`,
	`"ack_policy":"explicit","max_deliver":2,"backoff":[1000000000,2000000000]`, `"ack_policy":"explicit","max_deliver":5,"backoff":[1000000000,2000000000]`, `"ack_policy":"explicit","max_deliver":1,"backoff":[1000000000,2000000000]`,
	`"ack_policy":"explicit","backoff":[1000000000,2000000000]`, `"ack_policy":"explicit","max_deliver":5,"backoff":[1000000000,-2]`, `"ack_policy":"explicit","backoff":[]`, `"backoff":[0]`,
	`"filter_subject":"%s.a"`, `"filter_subject":"%s.*"`, `"filter_subject":">"`, `"filter_subject":"none"`, `"filter_subject":"a..b"`, `"filter_subject":"a b"`, `"filter_subjects":["%s.a","%s.b"]`, `"filter_subjects":["%s.a"]`, `"filter_subjects":["%s.a","%s.a"]`,
	`"filter_subjects":["%s.*","%s.a"]`, `"filter_subjects":["%s.a",""]`, `"filter_subjects":[]`, `"filter_subject":"%s.a","filter_subjects":["%s.b"]`, `"filter_subjects":["a..b"]`,
	`"replay_policy":"instant"`, `"replay_policy":"original"`, `"replay_policy":"x"`, `"rate_limit_bps":1024`, `"sample_freq":"50%"`, `"sample_freq":"50"`, `"sample_freq":"x"`, `"sample_freq":"-1"`, `"sample_freq":"200"`,
	`"max_waiting":-1`, `"max_waiting":5`, `"max_waiting":0`, `"max_ack_pending":5`, `"ack_policy":"explicit","max_ack_pending":-1`, `"ack_policy":"explicit","max_ack_pending":-5`, `"ack_policy":"explicit","max_ack_pending":5`,
	`"flow_control":true`, `"idle_heartbeat":1000000000`, `"flow_control":true,"idle_heartbeat":1000000000`, `"max_batch":5`, `"max_batch":-5`, `"max_expires":1`, `"max_expires":1000000000`, `"max_expires":-1`, `"max_bytes":5`, `"max_bytes":-1`,
	`"deliver_group":"g"`, `"inactive_threshold":-1`, `"inactive_threshold":9000000000`, `"durable_name":"c","inactive_threshold":9000000000`, `"num_replicas":-1`, `"num_replicas":0`, `"num_replicas":1`, `"num_replicas":2`, `"mem_storage":true`, `"direct":true`,
	`"headers_only":true`, `"unknown":1`, `"pause_until":"2000-01-01T00:00:00Z"`, `"pause_until":"2100-01-01T00:00:00Z"`, `"pause_until":"x"`,
	`"priority_policy":"overflow"`, `"priority_policy":"overflow","priority_groups":["A"]`, `"priority_policy":"overflow","priority_groups":[""]`, `"priority_policy":"overflow","priority_groups":["a b"]`, `"priority_policy":"overflow","priority_groups":["12345678901234567"]`,
	`"priority_policy":"overflow","priority_groups":["A","B"]`, `"priority_groups":["A"]`, `"priority_policy":"none"`, `"priority_policy":"none","priority_groups":["A"]`, `"priority_timeout":1000000000`, `"priority_policy":"pinned_client","priority_groups":["A"]`,
	`"priority_policy":"pinned_client","priority_groups":["A"],"priority_timeout":9000000000`, `"priority_policy":"prioritized","priority_groups":["A"]`, `"priority_policy":"x"`, `"priority_policy":"overflow","priority_groups":["A"],"priority_timeout":-1`,
	`"deliver_subject":"d"`, `"deliver_subject":"d.*"`, `"deliver_subject":"d..e"`, `"deliver_subject":"%s.a"`, `"deliver_subject":"d","deliver_group":"g"`, `"deliver_subject":"d","idle_heartbeat":1000000`, `"deliver_subject":"d","idle_heartbeat":100000000`,
	`"deliver_subject":"d","idle_heartbeat":-1`, `"deliver_subject":"d","flow_control":true`, `"deliver_subject":"d","flow_control":true,"idle_heartbeat":1000000000`, `"deliver_subject":"d","rate_limit_bps":8192`, `"deliver_subject":"d","max_waiting":5`,
	`"deliver_subject":"d","max_ack_pending":5`, `"deliver_subject":"d","ack_policy":"explicit","max_ack_pending":5`, `"deliver_subject":"d","ack_policy":"flow_control"`, `"deliver_subject":"d","ack_policy":"flow_control","max_ack_pending":5`,
	`"deliver_subject":"d","ack_policy":"flow_control","max_ack_pending":-1`, `"deliver_subject":"d","ack_policy":"flow_control","ack_wait":1000000000`, `"deliver_subject":"d","ack_policy":"flow_control","max_deliver":3`,
	`"deliver_subject":"d","ack_policy":"flow_control","backoff":[1000000000]`, `"deliver_subject":"d","ack_policy":"flow_control","idle_heartbeat":5000000000`, `"deliver_subject":"d","priority_policy":"overflow","priority_groups":["A"]`,
	`"deliver_subject":"d","max_batch":5`, `"deliver_subject":"d","max_expires":1000000000`, `"deliver_subject":"d","max_bytes":5`, `"deliver_subject":"d","direct":true,"durable_name":"c"`,
	`"deliver_subject":"d","headers_only":true`, `"deliver_subject":"d","replay_policy":"original"`, `"deliver_subject":"d","inactive_threshold":9000000000`, `"deliver_subject":"d","mem_storage":true`, `"deliver_subject":1`,
}

// pedantic are some of them where what is corrected silently is an error.
var pedantic = []string{
	`"max_deliver":-5`, `"max_waiting":-1`, `"max_ack_pending":-5`, `"max_batch":-5`, `"max_expires":-1`, `"max_bytes":-1`, `"inactive_threshold":-1`, `"priority_timeout":-1`, `"ack_policy":"explicit","backoff":[1000000000]`,
	`"deliver_subject":"d","idle_heartbeat":-1`, `"deliver_subject":"d","ack_policy":"flow_control"`, `"deliver_subject":"d","ack_policy":"flow_control","flow_control":true,"idle_heartbeat":2000000000,"max_ack_pending":5`,
	`"deliver_subject":"d","ack_policy":"flow_control","flow_control":true,"idle_heartbeat":1000000000,"max_ack_pending":-1`,
}

// consumerUpdates are what a consumer is and what it is to be.
var consumerUpdates = [][2]string{
	{``, `"description":"text"`}, {``, `"metadata":{"a":"b"}`}, {``, `"headers_only":true`}, {``, `"deliver_policy":"new"`}, {``, `"ack_policy":"explicit"`}, {`"ack_policy":"explicit"`, `"ack_policy":"explicit","ack_wait":9000000000`},
	{``, `"max_deliver":5`}, {`"ack_policy":"explicit"`, `"ack_policy":"explicit","max_deliver":5,"backoff":[1000000000]`}, {``, `"filter_subject":"%s.a"`}, {`"filter_subject":"%s.a"`, ``}, {`"filter_subject":"%s.a"`, `"filter_subjects":["%s.b","%s.c"]`},
	{``, `"replay_policy":"original"`}, {``, `"sample_freq":"100"`}, {``, `"max_waiting":5`}, {`"ack_policy":"explicit"`, `"ack_policy":"explicit","max_ack_pending":1`}, {``, `"max_batch":1`}, {``, `"max_expires":1000000000`}, {``, `"max_bytes":100`},
	{``, `"inactive_threshold":9000000000`}, {``, `"num_replicas":1`}, {``, `"mem_storage":true`}, {``, `"direct":true`}, {``, `"pause_until":"2100-01-01T00:00:00Z"`}, {`"pause_until":"2100-01-01T00:00:00Z"`, ``}, {`"pause_until":"2100-01-01T00:00:00Z"`, `"pause_until":"2099-01-01T00:00:00Z"`},
	{``, `"priority_policy":"overflow","priority_groups":["A"]`}, {`"priority_policy":"overflow","priority_groups":["A"]`, ``}, {`"priority_policy":"overflow","priority_groups":["A"]`, `"priority_policy":"pinned_client","priority_groups":["B"]`},
	{``, `"deliver_subject":"d"`}, {`"deliver_subject":"d"`, ``}, {`"deliver_subject":"d"`, `"deliver_subject":"e"`}, {`"deliver_subject":"d"`, `"deliver_subject":"d","idle_heartbeat":1000000000`}, {`"deliver_subject":"d"`, `"deliver_subject":"d","flow_control":true,"idle_heartbeat":1000000000`},
	{`"deliver_subject":"d"`, `"deliver_subject":"d","rate_limit_bps":8192`}, {`"deliver_subject":"d"`, `"deliver_subject":"d","deliver_group":"g"`},
	{`"deliver_policy":"by_start_sequence","opt_start_seq":3`, `"deliver_policy":"by_start_sequence","opt_start_seq":4`}, {`"deliver_policy":"by_start_time","opt_start_time":"2000-01-01T00:00:00Z"`, `"deliver_policy":"by_start_time","opt_start_time":"2001-01-01T00:00:00Z"`},
	{`"max_deliver":5`, `"max_deliver":5`},
}

// consumerRequests are requests about consumers of S, which has c, a durable consumer, and p, a pinned one.
var consumerRequests = []string{
	`CREATE.S {"stream_name":"S","config":{"durable_name":"e"}}`, `CREATE.S {"stream_name":"S","config":{"name":"e"}}`, `CREATE.S {"stream_name":"T","config":{}}`, `CREATE.S {"config":{}}`, `CREATE.S`, `CREATE.S {}`, `CREATE.S x`,
	`CREATE.T {"stream_name":"T","config":{}}`, `CREATE.S.e {"stream_name":"S","config":{"name":"f"}}`, `CREATE.S.e {"stream_name":"S","config":{"durable_name":"f"}}`, `CREATE.S.e {"stream_name":"S","config":{"durable_name":"e","name":"f"}}`,
	`CREATE.S.e {"stream_name":"S","config":{"durable_name":"e"}}`, `CREATE.S.e.%s.a {"stream_name":"S","config":{"name":"e","filter_subject":"%s.a"}}`, `CREATE.S.e.%s.a {"stream_name":"S","config":{"name":"e","filter_subject":"%s.b"}}`, `CREATE.S.e.%s.a {"stream_name":"S","config":{"name":"e"}}`,
	`CREATE.S.e.%s.a {"stream_name":"S","config":{"name":"e","filter_subjects":["%s.a","%s.b"]}}`, `CREATE.S.e.> {"stream_name":"S","config":{"name":"e","filter_subject":">"}}`, `DURABLE.CREATE.S.e {"stream_name":"S","config":{"durable_name":"e"}}`, `DURABLE.CREATE.S.e {"stream_name":"S","config":{}}`,
	`DURABLE.CREATE.S.e {"stream_name":"S","config":{"durable_name":"f"}}`, `DURABLE.CREATE.S.e {"stream_name":"T","config":{"durable_name":"e"}}`, `CREATE.S.a/b {"stream_name":"S","config":{"name":"a/b"}}`, `CREATE.S.e {"stream_name":"S","config":{"name":"e"},"action":"create"}`,
	`CREATE.S.c {"stream_name":"S","config":{"durable_name":"c","ack_policy":"explicit"},"action":"create"}`, `CREATE.S.c {"stream_name":"S","config":{"durable_name":"c","ack_policy":"explicit","description":"x"},"action":"create"}`, `CREATE.S.e {"stream_name":"S","config":{"name":"e"},"action":"update"}`,
	`CREATE.S.c {"stream_name":"S","config":{"durable_name":"c","ack_policy":"explicit","description":"x"},"action":"update"}`, `CREATE.S.e {"stream_name":"S","config":{"name":"e"},"action":"x"}`, `CREATE.S.e {"stream_name":"S","config":{"name":"e"},"action":1}`,
	`CREATE.S.e {"stream_name":"S","config":{"name":"e"},"unknown":1}`, `CREATE.S.e {"stream_name":"S","config":[]}`, `CREATE.S.e {"stream_name":"S","config":{"max_deliver":"x"}}`,
	`NAMES.S`, `NAMES.S {"offset":1}`, `NAMES.S {"offset":9}`, `NAMES.S {"offset":-1}`, `NAMES.S junk`, `NAMES.S {"offset":"x"}`, `NAMES.T`, `LIST.S`, `LIST.S {"offset":1}`, `LIST.S {"offset":9}`, `LIST.S {"unknown":1}`, `LIST.T`,
	`INFO.S.c`, `INFO.S.c {}`, `INFO.S.c x`, `INFO.S.e`, `INFO.T.c`, `DELETE.S.c`, `DELETE.S.c {}`, `DELETE.S.c x`, `DELETE.S.e`, `DELETE.T.c`,
	`PAUSE.S.c`, `PAUSE.S.c {}`, `PAUSE.S.c junk`, `PAUSE.S.c {"pause_until":"2100-01-01T00:00:00Z"}`, `PAUSE.S.c {"pause_until":"2000-01-01T00:00:00Z"}`, `PAUSE.S.c {"pause_until":"x"}`, `PAUSE.S.c {"until":1}`, `PAUSE.S.e {}`, `PAUSE.T.c {}`,
	`UNPIN.S.p {"group":"A"}`, `UNPIN.S.p {"group":"B"}`, `UNPIN.S.p {"group":""}`, `UNPIN.S.p {}`, `UNPIN.S.p`, `UNPIN.S.p {"group":"a b"}`, `UNPIN.S.c {"group":"A"}`, `UNPIN.S.e {"group":"A"}`, `UNPIN.T.p {"group":"A"}`,
	`RESET.S.c`, `RESET.S.c {}`, `RESET.S.c {"seq":2}`, `RESET.S.c {"seq":100}`, `RESET.S.c {"seq":0}`, `RESET.S.c {"seq":-1}`, `RESET.S.c {"seq":"x"}`, `RESET.S.p {"seq":3}`, `RESET.S.p {"seq":1}`, `RESET.S.p`,
	`LEADER.STEPDOWN.S.c`, `PEER.REMOVE.S.c {"peer":"x"}`,
}

// pullBodies are requests for messages.
var pullBodies = []string{
	``, `2`, `0`, `-1`, `9`, `x`, `{}`, `{"batch":2}`, `{"batch":0}`, `{"batch":-3}`, `{"batch":9,"no_wait":true}`, `{"batch":2,"no_wait":true}`, `{"batch":9,"expires":60000000}`, `{"batch":9,"no_wait":true,"expires":60000000}`, `{"batch":2,"max_bytes":100}`, `{"batch":9,"max_bytes":230,"expires":60000000}`,
	`{"batch":2,"max_bytes":1}`, `{"batch":2,"idle_heartbeat":1000000}`, `{"batch":2,"idle_heartbeat":600000000,"expires":1000000000}`, `{"batch":2,"expires":-1}`, `{"batch":"x"}`, `{"batch":`, `{"unknown":1}`, `{"group":"A"}`, `{"id":"x"}`, `{"min_pending":2}`, `{"min_ack_pending":2}`, `{"priority":10}`, `{"priority":3}`, `{"priority":-1}`,
	`{"expires":"1s"}`, `[]`, `{"batch":3}{"batch":1}`,
}

// puller are consumers that are asked so.
var pullers = []string{`"ack_policy":"explicit"`, `"filter_subject":"none"`, `"ack_policy":"explicit","max_ack_pending":1`, `"ack_policy":"explicit","max_batch":1,"max_expires":20000000,"max_bytes":50`,
	`"priority_policy":"overflow","priority_groups":["A"]`, `"priority_policy":"prioritized","priority_groups":["A"]`, `"headers_only":true,"ack_policy":"none"`}

// ackBodies are answers to deliveries.
var ackBodies = []string{``, `+ACK`, `+OK`, `-NAK`, `-NAK {"delay":3600000000000}`, `-NAK 1h`, `-NAK soon`, `-NAK {"delay":"x"}`, `+WPI`, `+TERM`, `+TERM  no use `, `nonsense`, `+NXT x`}

// ackers are consumers that are answered so.
var ackers = []string{`"ack_policy":"explicit"`, `"ack_policy":"all"`, `"ack_policy":"none"`, `"ack_policy":"explicit","sample_freq":"100","max_deliver":2`, `"ack_policy":"explicit","filter_subject":"%s.b"`}

// pushers are consumers that deliver by themselves.
var pushers = []string{`"ack_policy":"explicit"`, `"ack_policy":"all"`, `"ack_policy":"none","idle_heartbeat":60000000000,"flow_control":true`, `"ack_policy":"explicit","deliver_group":"g","max_ack_pending":2`}

// groups are consumers of priority groups, and groupBodies what they are asked; %pin is who is pinned.
var (
	groups = []string{`"ack_policy":"explicit","priority_policy":"overflow","priority_groups":["A"]`, `"ack_policy":"explicit","priority_policy":"pinned_client","priority_groups":["A"]`, `"ack_policy":"explicit","priority_policy":"prioritized","priority_groups":["A"]`}

	groupBodies = []string{
		``, `2`, `{"group":"A"}`, `{"group":"A","batch":2}`, `{"group":"A","batch":9,"no_wait":true}`, `{"group":"A","batch":9,"expires":60000000}`, `{"group":"B"}`, `{"batch":2}`, `{"group":"A","min_pending":2}`, `{"group":"A","min_pending":9,"expires":60000000}`,
		`{"group":"A","min_ack_pending":1}`, `{"group":"A","min_pending":-1}`, `{"group":"A","id":"%pin"}`, `{"group":"A","id":"no"}`, `{"group":"A","priority":9}`, `{"group":"A","priority":10}`, `{"group":"A","priority":-1}`, `{"group":"A","batch":2,"max_bytes":100}`,
	}
)

// consumerTalks makes a talk of each row.
func consumerTalks() (list []talk) {
	add := func(name string, steps ...string) {
		list = append(list, talk{name: fmt.Sprintf("%03d %.60s", len(list), name), once: true, steps: steps})
	}
	stream := []string{
		`req $JS.API.STREAM.CREATE.S {"name":"S","subjects":["%s.*"],"storage":"%kind"}`, `req %s.a one`, `req %s.b two`, `head X: y`, `req %s.a three`, `req %s.b four`, `req %s.c five`,
	}
	with := func(steps ...string) []string { return append(append([]string(nil), stream...), steps...) }
	body := func(c string) string {
		if c != "" {
			c = "," + c
		}
		return `{"stream_name":"S","config":{"name":"c"` + c + `}}`
	}
	made := func(c string) string { return `req $JS.API.CONSUMER.CREATE.S.c ` + body(c) }
	for _, c := range consumers {
		add("create "+c, with(made(c), made(c), `req $JS.API.CONSUMER.INFO.S.c`, `req $JS.API.CONSUMER.NAMES.S`)...)
	}
	for _, c := range pedantic {
		add("pedantic "+c, with(`req $JS.API.CONSUMER.CREATE.S.c `+strings.TrimSuffix(body(c), "}")+`,"pedantic":true}`)...)
	}
	for _, u := range consumerUpdates {
		add("update "+u[1], with(made(u[0]), made(u[1]), `info`, made(u[0]), `info`)...)
	}
	for _, r := range consumerRequests {
		verb := "req"
		if strings.HasPrefix(r, "RESET") && !strings.Contains(r, "S.c") && !strings.Contains(r, "S.p") {
			verb = "silent"
		}
		add("request "+r, with(`req $JS.API.CONSUMER.CREATE.S.c {"stream_name":"S","config":{"durable_name":"c","ack_policy":"explicit"}}`,
			`req $JS.API.CONSUMER.CREATE.S.p {"stream_name":"S","config":{"name":"p","priority_policy":"pinned_client","priority_groups":["A"],"deliver_policy":"by_start_sequence","opt_start_seq":2}}`,
			`pull x 2`, `take x 2`, `ack 1`, verb+` $JS.API.CONSUMER.`+r)...)
	}
	for i, c := range pullers {
		for k, b := range pullBodies {
			if i > 0 && (i+k)%3 > 0 { // the first is asked everything, each of the others a third of it
				continue
			}
			add("pull "+c+" "+b, with(made(c), `pull x `+b, `hark x`, `info`)...)
		}
	}
	for _, c := range ackers {
		for _, b := range ackBodies {
			add("ack "+c+" "+b, with(made(c), `join adv $JS.EVENT.ADVISORY.CONSUMER.>`, `pull x 2`, `hark x`, `ack 2 `+b, `info`, `pull x {"batch":9,"no_wait":true}`, `hark x`, `ack 4 `+b, `info`, `hark adv`)...)
		}
	}
	for _, c := range pushers {
		queue := ""
		if strings.Contains(c, "deliver_group") {
			queue = " g"
		}
		for _, b := range ackBodies {
			add("push "+c+" "+b, with(`join adv $JS.EVENT.ADVISORY.CONSUMER.>`, `join d %s-d`+queue, made(c+`,"deliver_subject":"%s-d"`), `hark d`, `ack 2 `+b, `hark d`, `info`, `ack 1`, `hark d`, `ack 2 `+b, `hark d`, `info`, `hark adv`)...)
		}
	}
	for _, c := range groups {
		for _, b := range groupBodies {
			add("group "+c+" "+b, with(`join adv $JS.EVENT.ADVISORY.CONSUMER.>`, made(c), `pull x {"group":"A"}`, `hark x`, `pull y `+b, `hark y`, `info`, `pull x {"group":"A","id":"%pin"}`, `hark x`, `hark adv`, `info`)...)
		}
	}
	return list
}
