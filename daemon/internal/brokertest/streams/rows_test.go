package streams

import (
	"fmt"
	"strings"
)

// creates are configurations to ask for, without the braces, name and storage.
var creates = []string{
	``, `"subjects":["a","b.*"]`, `"subjects":[]`, `"subjects":null`, `"subjects":["a","a"]`, `"subjects":["a.*","a.b"]`, `"subjects":["a..b"]`,
	`"subjects":["a b"]`, `"subjects":[""]`, `"subjects":[">"]`, `"subjects":[">"],"no_ack":true`, `"subjects":["$JS.>"]`, `"subjects":["$JS.API.>"],"no_ack":true`,
	`"subjects":["$JS.EVENT.none"]`, `"subjects":["$SYS.>"]`, `"subjects":["$SYS.ACCOUNT.>"]`, `"subjects":["*.API.x"]`, `"subjects":["$NRG.x"]`, `"subjects":["$JSC.x"]`,
	`"subjects":["a.>.b"]`, `"subjects":["é.ü"]`, `"subjects":"a"`, `"subjects":[1]`, `"subjects":["a"],"no_ack":true`,
	`"description":"text"`, `"description":1`, `"metadata":{"a":"b","_nats.ver":"9","_nats.level":"7","_nats.req.level":"3"}`, `"metadata":{"a":1}`,
	`"retention":"limits"`, `"retention":"Limits"`, `"retention":"x"`, `"retention":1`, `"retention":null`,
	`"max_msgs":0`, `"max_msgs":-5`, `"max_msgs":5`, `"max_msgs":"5"`, `"max_msgs":1.5`, `"max_msgs":99999999999999999999`, `"max_msgs":-5,"pedantic":true`,
	`"max_bytes":-2`, `"max_bytes":1000`, `"max_bytes":-2,"pedantic":true`, `"max_bytes":9223372036854775807`,
	`"max_msgs_per_subject":3`, `"max_msgs_per_subject":-3`, `"max_msgs_per_subject":-3,"pedantic":true`,
	`"max_msg_size":10`, `"max_msg_size":-10`, `"max_msg_size":-10,"pedantic":true`, `"max_msg_size":3000000000`,
	`"max_consumers":3`, `"max_consumers":-4`, `"max_consumers":-4,"pedantic":true`,
	`"max_age":-1`, `"max_age":1`, `"max_age":99999999`, `"max_age":100000000`, `"max_age":60000000000`, `"max_age":60000000000,"pedantic":true`, `"max_age":"1m"`,
	`"duplicate_window":-1`, `"duplicate_window":1`, `"duplicate_window":100000000`, `"duplicate_window":240000000000`, `"max_age":60000000000,"duplicate_window":120000000000`,
	`"discard":"new"`, `"discard":"old"`, `"discard":"none"`, `"discard_new_per_subject":true`, `"discard":"new","discard_new_per_subject":true`,
	`"discard":"new","discard_new_per_subject":true,"max_msgs_per_subject":2`,
	`"num_replicas":0`, `"num_replicas":1`, `"num_replicas":3`, `"num_replicas":6`, `"num_replicas":-1`,
	`"compression":"s2"`, `"compression":"none"`, `"compression":"zip"`, `"compression":5`,
	`"sealed":true`, `"mirror_direct":true`, `"allow_direct":true`, `"deny_delete":true,"deny_purge":true`, `"deny_purge":true,"allow_rollup_hdrs":true`, `"allow_rollup_hdrs":true`,
	`"first_seq":5`, `"first_seq":0`, `"first_seq":1`, `"first_seq":-1`, `"consumer_limits":{"inactive_threshold":1000000000,"max_ack_pending":5}`, `"consumer_limits":{"x":1}`,
	`"placement":{}`, `"placement":{"cluster":"c","tags":["t"]}`, `"placement":{"preferred":"x"}`, `"placement":{"tags":[]}`,
	`"subject_transform":{"src":"a.*","dest":"b.$1"}`, `"subject_transform":{"src":"a..b","dest":"b"}`, `"subject_transform":{"src":"a.*","dest":"b.$2"}`,
	`"subject_transform":{"src":"a.*","dest":"b.{{nope(1)}}"}`, `"subject_transform":{"src":"a.*","dest":"b.{{wildcard(3)}}"}`, `"subject_transform":{"src":"","dest":"x.>"}`,
	`"subject_transform":{"src":"a","dest":"b..c"}`, `"subject_transform":{"src":"a.>","dest":"b.>.c"}`, `"subject_transform":{"src":"a","dest":""}`, `"subject_transform":{"src":"a.>","dest":"b"}`,
	`"subject_transform":{"src":"a.*","dest":"b.{{partition(3,1)}}"}`, `"subject_transform":{"src":"a.*","dest":"b.{{partition(x,1)}}"}`, `"subject_transform":{"src":"a.*","dest":"b.{{partition()}}"}`,
	`"subject_transform":{"src":"a.*","dest":"b.{{wildcard(1,2)}}"}`, `"subject_transform":{"src":"a.*","dest":"b c"}`,
	`"republish":{"src":"a.>","dest":"b.>"}`, `"republish":{"dest":"b.>"}`, `"republish":{"dest":"b.>"},"pedantic":true`, `"subjects":["a.>"],"republish":{"src":">","dest":"a.>"}`,
	`"republish":{"src":"a.*","dest":"b.>"}`, `"republish":{"src":"a","dest":"b","headers_only":true}`,
	`"subjects":["a.>"],"subject_transform":{"src":"a.>","dest":"b.>"},"republish":{"src":">","dest":">"}`,
	`"subjects":["a.>"],"subject_transform":{"src":"a.>","dest":"b.>"},"republish":{"src":">","dest":">"},"pedantic":true`,
	`"unknown":1`, `"pedantic":true`, `"PEDANTIC":true,"Max_Msgs":3`, `"name":"S","name":"T"`, `"template_owner":"x"`,
	`"sources":[{"name":"O","filter_subject":"a","subject_transforms":[{"src":"b","dest":"c"}]}]`, `"sources":[{"name":""}]`, `"sources":[{"name":"O"},{"name":"O"}]`, `"sources":[{"name":"S"}]`,
	`"sources":[{"name":"O","subject_transforms":[{"src":"b..c","dest":"c"}]}]`, `"sources":[{"name":"O","subject_transforms":[{"src":"b","dest":"c.{{x()}}"}]}]`,
	`"sources":[{"name":"O","subject_transforms":[{"src":"b","dest":"c"},{"src":"b","dest":"d"}]}]`, `"sources":[null]`, `"sources":["O"]`,
	`"sources":[{"name":"O","consumer":{"name":"a b"}}]`, `"sources":[{"name":"O","external":{"api":"$JS.API","deliver":""}}]`, `"sources":[{"name":"O","external":{"api":"a.*","deliver":""}}]`,
	`"sources":[{"name":"O","external":{"api":"x","deliver":"d.*"}}]`,
	`"sources":[{"name":"O","consumer":{"name":"c","deliver_subject":"d"}},{"name":"O","filter_subject":"","consumer":{"name":"c","deliver_subject":"e"}}]`,
	`"mirror":{"name":"a.b"}`, `"mirror":{"name":"O"},"subjects":["a"]`, `"mirror":{"name":"O"},"sources":[{"name":"P"}]`, `"mirror":{"name":"O"},"first_seq":4`,
	`"mirror":{"name":"O"},"allow_msg_counter":true`, `"mirror":{"name":"O"},"allow_atomic":true`, `"mirror":{"name":"O"},"allow_batched":true`, `"mirror":{"name":"O"},"allow_msg_schedules":true`,
	`"mirror":{"name":"O","consumer":{"name":"x y"}}`, `"mirror":{"name":"O","filter_subject":"a","subject_transforms":[{"src":"b","dest":"c"}]}`, `"mirror":{"name":"O"},"subject_delete_marker_ttl":1000000000`,
	`"mirror":{"name":"O","subject_transforms":[{"src":"b..","dest":"c"}]}`, `"mirror":{"name":"O","subject_transforms":[{"src":"b","dest":"c.{{x()}}"}]}`,
	`"mirror":{"name":"O","subject_transforms":[{"src":"b","dest":"c"},{"src":"*","dest":"d.$1"}]}`, `"mirror":{"name":"S"}`,
	`"sources":[{"name":"O"}],"allow_msg_schedules":true`, `"allow_msg_schedules":true,"discard":"new"`, `"allow_msg_schedules":true,"pedantic":true`,
	`"allow_msg_counter":true,"discard":"new"`, `"allow_msg_counter":true,"allow_msg_ttl":true`, `"allow_msg_counter":true,"allow_msg_schedules":true`, `"allow_msg_counter":true,"retention":"interest"`,
	`"subject_delete_marker_ttl":1`, `"subject_delete_marker_ttl":-1`, `"subject_delete_marker_ttl":1000000000,"pedantic":true`, `"subject_delete_marker_ttl":1000000000,"allow_msg_ttl":true,"pedantic":true`,
	`"allow_msg_ttl":true`, `"subject_delete_marker_ttl":1000000000`, `"subject_delete_marker_ttl":1500000000,"deny_purge":true`, `"subject_delete_marker_ttl":1000000000,"allow_msg_ttl":true,"allow_rollup_hdrs":true,"pedantic":true`,
	`"persist_mode":"x"`, `"persist_mode":"default"`, `"persist_mode":""`, `"persist_mode":"async","num_replicas":3`, `"persist_mode":"async","allow_atomic":true`,
}

// updates are pairs of configurations.
var updates = [][2]string{
	{``, ``}, {``, `"subjects":["a"]`}, {`"subjects":["a"]`, ``}, {``, `"max_msgs":3`}, {`"max_msgs":3`, `"max_msgs":0`}, {``, `"storage":"x"`},
	{``, `"num_replicas":3`}, {`"deny_delete":true`, ``}, {`"deny_purge":true`, ``}, {``, `"deny_delete":true,"deny_purge":true`}, {``, `"sealed":true`},
	{``, `"sealed":true,"max_age":60000000000,"allow_rollup_hdrs":true`}, {``, `"max_age":1`}, {``, `"first_seq":9`}, {`"first_seq":9`, ``}, {``, `"discard":"new"`}, {``, `"description":"d","metadata":{"k":"v"}`},
	{`"description":"d","metadata":{"k":"v"}`, ``}, {``, `"allow_direct":true`}, {`"allow_direct":true`, ``}, {``, `"duplicate_window":60000000000`}, {``, `"mirror_direct":true`}, {``, `"compression":"s2"`}, {``, `"no_ack":true`},
	{``, `"republish":{"src":"S","dest":"x"}`}, {``, `"subject_transform":{"src":"S","dest":"x"}`}, {``, `"consumer_limits":{"max_ack_pending":3}`}, {``, `"unknown":true`}, {``, `"max_msgs":-7,"pedantic":true`},
	{``, `"subjects":["O"]`}, {``, `"discard":"new","discard_new_per_subject":true`}, {``, `"max_consumers":2`}, {``, `"max_bytes":100`}, {``, `"placement":{"preferred":"x"}`}, {``, `"num_replicas":-1`}, {``, `"max_msg_size":3`},
	{``, `"allow_msg_ttl":true`}, {`"allow_msg_ttl":true`, ``}, {``, `"subject_delete_marker_ttl":3600000000000`}, {`"subject_delete_marker_ttl":3600000000000`, `"allow_msg_ttl":true`},
	{`"allow_msg_ttl":true`, `"allow_msg_ttl":true,"sealed":true`},
	{``, `"mirror":{"name":"O"}`}, {`"retention":"limits"`, `"retention":"workqueue"`},
}

// requests are API requests beside a stream S with some messages, without the prefix.
var requests = []string{
	`INFO`, `INFO junk`, `STREAM.NAMES`, `STREAM.NAMES junk`, `STREAM.NAMES {"offset":1}`, `STREAM.NAMES {"offset":-1}`, `STREAM.NAMES {"offset":100}`, `STREAM.NAMES {"subject":"a.x"}`,
	`STREAM.NAMES {"subject":"*.>"}`, `STREAM.NAMES {"subject":"none"}`, `STREAM.NAMES {"offset":"x"}`, `STREAM.NAMES []`, `STREAM.NAMES {`, `STREAM.NAMES {"x":1}`, `STREAM.NAMES {"offset":1}{"offset":0}`,
	`STREAM.LIST`, `STREAM.LIST {"offset":1}`, `STREAM.LIST {"subject":"a.x"}`, `STREAM.LIST {"subject":"none"}`, `STREAM.LIST {"offset":5}`, `STREAM.LIST {"offset":"x"}`,
	`STREAM.INFO.S`, `STREAM.INFO.none`, `STREAM.INFO.S junk`, `STREAM.INFO.S {"deleted_details":true}`, `STREAM.INFO.S {"subjects_filter":"a.>"}`, `STREAM.INFO.S {"subjects_filter":"a.>","offset":1}`,
	`STREAM.INFO.S {"subjects_filter":"a.>","offset":9}`, `STREAM.INFO.S {"subjects_filter":"none"}`, `STREAM.INFO.S {"subjects_filter":"a.>","offset":-3}`, `STREAM.INFO.S {"deleted_details":1}`,
	`STREAM.UPDATE.none {"name":"none"}`, `STREAM.UPDATE.S {"name":"T"}`, `STREAM.UPDATE.S`, `STREAM.UPDATE.S junk`,
	`STREAM.CREATE.S {"name":"T"}`, `STREAM.CREATE.S`, `STREAM.CREATE.S {"name":"S"}`, `STREAM.CREATE.S {"name":"S","subjects":["a.>"],"storage":"%kind"}`, `STREAM.CREATE.S {"name":"S","subjects":["a.>"],"storage":"%kind"}{"name":"S","max_msgs":4}`,
	`STREAM.CREATE.T {"name":"T","subjects":["a.b"],"storage":"%kind"}`, `STREAM.CREATE.a\b {"name":"a\\b"}`, `STREAM.CREATE.a/b {"name":"a/b"}`, `STREAM.CREATE.ü {"name":"ü","storage":"%kind"}`, `STREAM.CREATE.T {"name":""}`,
	`STREAM.DELETE.S`, `STREAM.DELETE.S {}`, `STREAM.DELETE.S { }`, `STREAM.DELETE.S x`, `STREAM.DELETE.S {"a":1}`, `STREAM.DELETE.S []`, `STREAM.DELETE.none`,
	`STREAM.PURGE.S`, `STREAM.PURGE.S {}`, `STREAM.PURGE.S junk`, `STREAM.PURGE.S {"keep":0}`, `STREAM.PURGE.S {"keep":2}`, `STREAM.PURGE.S {"keep":100}`, `STREAM.PURGE.S {"seq":1}`, `STREAM.PURGE.S {"seq":3}`,
	`STREAM.PURGE.S {"seq":6}`, `STREAM.PURGE.S {"seq":7}`, `STREAM.PURGE.S {"seq":20}`, `STREAM.PURGE.S {"seq":3,"keep":1}`, `STREAM.PURGE.S {"filter":"a.x"}`, `STREAM.PURGE.S {"filter":"a.*","keep":1}`, `STREAM.PURGE.S {"filter":"a.x","seq":4}`,
	`STREAM.PURGE.S {"filter":"none"}`, `STREAM.PURGE.S {"filter":"a..b"}`, `STREAM.PURGE.S {"filter":">"}`, `STREAM.PURGE.S {"filter":">","keep":1}`, `STREAM.PURGE.S {"filter":">","seq":20}`, `STREAM.PURGE.S {"filter":"a.x","seq":20}`, `STREAM.PURGE.none`, `STREAM.PURGE.S {"x":1}`,
	`STREAM.MSG.DELETE.S {"seq":2}`, `STREAM.MSG.DELETE.S {"seq":1}`, `STREAM.MSG.DELETE.S {"seq":6}`, `STREAM.MSG.DELETE.S {"seq":0}`, `STREAM.MSG.DELETE.S {"seq":7}`, `STREAM.MSG.DELETE.S {"seq":4}`, `STREAM.MSG.DELETE.S {"seq":2,"no_erase":true}`, `STREAM.MSG.DELETE.S`,
	`STREAM.MSG.DELETE.S {}`, `STREAM.MSG.DELETE.S junk`, `STREAM.MSG.DELETE.S {"seq":"x"}`, `STREAM.MSG.DELETE.none {"seq":1}`, `STREAM.MSG.DELETE.S {"seq":-1}`,
	`STREAM.MSG.GET.S {"seq":1}`, `STREAM.MSG.GET.S {"seq":2}`, `STREAM.MSG.GET.S {"seq":2,"no_hdr":true}`, `STREAM.MSG.GET.S {"seq":4}`, `STREAM.MSG.GET.S {"seq":9}`, `STREAM.MSG.GET.S {"last_by_subj":"a.x"}`, `STREAM.MSG.GET.S {"last_by_subj":"a.*"}`, `STREAM.MSG.GET.S {"last_by_subj":"none"}`,
	`STREAM.MSG.GET.S {"next_by_subj":"a.x"}`, `STREAM.MSG.GET.S {"next_by_subj":"a.x","seq":2}`, `STREAM.MSG.GET.S {"next_by_subj":"a.*","seq":4}`, `STREAM.MSG.GET.S {"next_by_subj":"a.x","seq":9}`, `STREAM.MSG.GET.S {"start_time":"2000-01-01T00:00:00Z"}`,
	`STREAM.MSG.GET.S {"start_time":"2100-01-01T00:00:00Z"}`, `STREAM.MSG.GET.S {"start_time":"2000-01-01T00:00:00Z","next_by_subj":"a.y"}`, `STREAM.MSG.GET.S {"start_time":"x"}`, `STREAM.MSG.GET.S {"seq":1,"last_by_subj":"a.x"}`, `STREAM.MSG.GET.S {"seq":1,"start_time":"2000-01-01T00:00:00Z"}`,
	`STREAM.MSG.GET.S {"last_by_subj":"a","next_by_subj":"b"}`, `STREAM.MSG.GET.S {"batch":2,"seq":1}`, `STREAM.MSG.GET.S {"max_bytes":2,"seq":1}`, `STREAM.MSG.GET.S`, `STREAM.MSG.GET.S {}`, `STREAM.MSG.GET.S {"no_hdr":true}`, `STREAM.MSG.GET.S junk`, `STREAM.MSG.GET.none {"seq":1}`, `STREAM.MSG.GET.S {"x":1}`,
	`STREAM.LEADER.STEPDOWN.S`, `STREAM.PEER.REMOVE.S {"peer":"x"}`, `STREAM.PEER.EVACUATE.S {"peer":"x"}`, `STREAM.CANCEL_MOVE.S`, `CONSUMER.LEADER.STEPDOWN.S.C`, `CONSUMER.PEER.REMOVE.S.C {"peer":"x"}`, `CONSUMER.PEER.EVACUATE.S.C {"peer":"x"}`,
	`CONSUMER.NAMES.none`, `CONSUMER.LIST.none`, `CONSUMER.INFO.none.c`, `CONSUMER.DELETE.none.c`, `CONSUMER.NAMES.S`, `CONSUMER.LIST.S`, `CONSUMER.INFO.S.c`, `CONSUMER.DELETE.S.c`,
}

// directs are direct gets of the same stream.
var directs = []string{
	`S`, `S {}`, `S junk`, `S {"seq":1}`, `S {"seq":2}`, `S {"seq":2,"no_hdr":true}`, `S {"seq":4}`, `S {"seq":9}`, `S {"last_by_subj":"a.x"}`, `S {"last_by_subj":"a.*"}`, `S {"last_by_subj":"none"}`, `S {"next_by_subj":"a.x"}`, `S {"next_by_subj":"a.x","seq":2}`,
	`S {"next_by_subj":"a.*","seq":4}`, `S {"next_by_subj":"none","seq":1}`, `S {"start_time":"2000-01-01T00:00:00Z"}`, `S {"start_time":"2100-01-01T00:00:00Z"}`, `S {"seq":1,"last_by_subj":"a.x"}`, `S {"seq":1,"start_time":"2000-01-01T00:00:00Z"}`,
	`S {"last_by_subj":"a.x","batch":2}`, `S {"last_by_subj":"a.x","multi_last":["a"]}`, `S {"next_by_subj":"a.x","multi_last":["a"]}`, `S {"multi_last":["a"],"up_to_seq":3,"up_to_time":"2000-01-01T00:00:00Z"}`, `S {"no_hdr":true}`, `S {"seq":1,"unknown":1}`, `S {"seq":"x"}`,
	`S.a.x`, `S.a.*`, `S.>`, `S.none`, `S.a.x {"no_hdr":true}`, `S.a.x {"seq":1}`, `S.a.x junk`, `S.a.x {"batch":1}`,
}

// gathers are direct gets with several answers.
var gathers = []string{
	`S {"seq":1,"batch":2}`, `S {"seq":1,"batch":100}`, `S {"seq":3,"batch":3}`, `S {"seq":6,"batch":1}`, `S {"seq":7,"batch":2}`, `S {"seq":1,"batch":100,"no_hdr":true}`, `S {"seq":1,"batch":100,"max_bytes":10}`, `S {"next_by_subj":"a.x","batch":10}`, `S {"next_by_subj":"a.*","seq":2,"batch":2}`,
	`S {"next_by_subj":"none","batch":2}`, `S {"start_time":"2000-01-01T00:00:00Z","batch":2}`, `S {"multi_last":["a.x","a.y"]}`, `S {"multi_last":["a.*"]}`, `S {"multi_last":[">"],"batch":1}`, `S {"multi_last":["a.x","a.x"]}`, `S {"multi_last":["a.*"],"up_to_seq":3}`, `S {"multi_last":["a.*"],"seq":5}`,
	`S {"multi_last":["none"]}`, `S {"multi_last":["a.*"],"up_to_time":"2000-01-01T00:00:00Z"}`, `S {"multi_last":["a.*"],"up_to_time":"2100-01-01T00:00:00Z"}`, `S {"multi_last":["a.*"],"max_bytes":1}`, `S {"multi_last":["a.*"],"no_hdr":true}`,
}

// headers are headers of a publish into a stream whose last message is the sixth, the last of a.x the fifth.
var headers = []string{
	`Nats-Expected-Stream: S`, `Nats-Expected-Stream: T`, `Nats-Expected-Last-Sequence: 6`, `Nats-Expected-Last-Sequence: 5`, `Nats-Expected-Last-Sequence: x`, `Nats-Expected-Last-Sequence: -1`, `Nats-Expected-Last-Sequence: 0`, `Nats-Expected-Last-Sequence: `,
	`Nats-Expected-Last-Subject-Sequence: 5`, `Nats-Expected-Last-Subject-Sequence: 4`, `Nats-Expected-Last-Subject-Sequence: 0`, `Nats-Expected-Last-Subject-Sequence: x`, `Nats-Expected-Last-Subject-Sequence-Subject: a.y`, `Nats-Expected-Last-Msg-Id: id6`, `Nats-Expected-Last-Msg-Id: x`,
	`Nats-Msg-Id: id6`, `Nats-Msg-Id: id7`, `Nats-Msg-Id: id4`, `Nats-Rollup: sub`, `Nats-Rollup: all`, `Nats-Rollup: SUB`, `Nats-Rollup: x`, `Nats-TTL: 1s`, `Nats-TTL: never`, `Nats-TTL: 5`, `Nats-TTL: 0`, `Nats-TTL: 1.5`, `Nats-TTL: 500ms`, `Nats-TTL: -1`, `Nats-TTL: x`,
	`Nats-Incr: 1`, `Nats-Incr: x`, `Nats-Incr: +5`, `Nats-Schedule: @every 1s`, `Nats-Schedule: junk`, `Nats-Schedule-Next: purge`, `Nats-Schedule-Next: x`, `Nats-Scheduler: a.y`, `Nats-Stream-Source: x`, `nats-msg-id: id6`, `X: y`, `Nats-Batch-Id: b`, `Nats-Batch-Sequence: 1`,
}

// filled are the steps that make the stream that the rows above speak of.
var filled = []string{
	`req $JS.API.STREAM.CREATE.S {"name":"S","subjects":["a.>"],"storage":"%kind","allow_direct":true,"allow_rollup_hdrs":true}`,
	`req a.x one`, `head Nats-Msg-Id: id2`, `head X-Own: v`, `req a.y two`, `req a.x three`, `head Nats-Msg-Id: id4`, `req a.z four`, `req a.x five`, `head Nats-Msg-Id: id6`, `req a.y six`,
	`req $JS.API.STREAM.MSG.DELETE.S {"seq":4}`,
}

// rowTalks makes a talk of each row.
func rowTalks() (list []talk) {
	other := `req $JS.API.STREAM.CREATE.O {"name":"O","storage":"%kind"}`
	body := func(c string) string {
		if c != "" {
			c = "," + c
		}
		return `{"name":"S","storage":"%kind"` + c + `}`
	}
	for i, c := range creates {
		create := `req $JS.API.STREAM.CREATE.S ` + body(c)
		steps := []string{other, create, create}
		if strings.Contains(c, `"no_ack":true`) && strings.Contains(c, `>"]`) { // it stores what is asked about it, and either may answer first
			steps = []string{other, create, `req $JS.API.STREAM.DELETE.S`}
		}
		list = append(list, talk{name: fmt.Sprintf("create %d %.40s", i, c), once: true, steps: steps})
	}
	for i, u := range updates {
		list = append(list, talk{name: fmt.Sprintf("update %d %.40s", i, u[1]), steps: []string{
			other, `req $JS.API.STREAM.CREATE.S ` + body(u[0]), `req S a`, `req S bbbbbb`, `req S c`, `req S d`, `req $JS.API.STREAM.INFO.S`, `req $JS.API.STREAM.UPDATE.S ` + body(u[1]), `req S e`, `req $JS.API.STREAM.INFO.S`,
		}})
	}
	with := func(kind, verb, prefix string, rows []string) {
		for i, r := range rows {
			list = append(list, talk{name: fmt.Sprintf("%s %d %.40s", kind, i, r), steps: append(append([]string(nil), filled...), verb+" "+prefix+r)})
		}
	}
	with("request", "req", "$JS.API.", requests)
	with("direct", "req", "$JS.API.DIRECT.GET.", directs)
	with("gather", "get", "$JS.API.DIRECT.GET.", gathers)
	for i, h := range headers {
		list = append(list, talk{name: fmt.Sprintf("header %d %.40s", i, h), steps: append(append([]string(nil), filled...), "head "+h, "req a.x body", "head "+h, "req a.x", "head "+h, "pub a.y next", "req a.z end")})
	}
	return list
}
