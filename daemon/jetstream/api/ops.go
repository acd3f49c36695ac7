package api

import (
	"strings"
	"time"

	"github.com/nats-broker/nats-broker/daemon/subject"
)

// Prefix is what the subjects of the API begin with.
const Prefix = "$JS.API"

const typePrefix = "io.nats.jetstream.api.v1."

// SystemType is the type of an answer to a request that has none.
const SystemType = typePrefix + "system_response"

// Op is one kind of request.
type Op struct {
	Name    string // its subject behind the prefix, with wildcards
	Info    bool   // it changes nothing: waits in the queue of infos
	Cluster bool   // only a cluster can answer
	Direct  bool   // answered by the stream or the consumer, not by the API's queue

	kind string           // of its answer
	bare func(Answer) any // an answer that carries an error only; nil: nothing else
}

// Type is the type of its answers.
func (o *Op) Type() string { return typePrefix + o.kind + "_response" }

// Answer begins an answer.
func (o *Op) Answer() Answer { return Answer{Type: o.Type()} }

// Failed is the answer that carries an error.
func (o *Op) Failed(err *Error) any {
	a := Answer{Type: o.Type(), Error: err}
	if o.bare == nil {
		return a
	}
	return o.bare(a)
}

// Token returns the token of a subject that stands i places behind the prefix, from 1 on.
func Token(subj string, i int) string {
	t := strings.SplitN(subj, ".", i+3)
	if len(t) < i+2 {
		return ""
	}
	return t[i+1]
}

// Forms of answers that carry an error and hold fields nevertheless.
type (
	bareConsumers struct {
		Answer
		Page
		Consumers []string `json:"consumers"`
	}
	barePause struct {
		Answer
		Paused bool      `json:"paused"`
		Until  time.Time `json:"pause_until"`
	}
	bareRestore struct {
		Answer
		DeliverSubject string `json:"deliver_subject"`
	}
	bareReset struct {
		Answer
		Seq uint64 `json:"reset_seq"`
	}
)

// The operations that are told apart in code.
var (
	AccountOp      = &Op{Name: "INFO", kind: "account_info", Info: true}
	StreamCreateOp = &Op{Name: "STREAM.CREATE.*", kind: "stream_create"}
	StreamUpdateOp = &Op{Name: "STREAM.UPDATE.*", kind: "stream_update"}
	StreamNamesOp  = &Op{Name: "STREAM.NAMES", kind: "stream_names", Info: true, bare: func(a Answer) any { return NamesAnswer{Answer: a} }}
	StreamListOp   = &Op{Name: "STREAM.LIST", kind: "stream_list", Info: true, bare: func(a Answer) any { return ListAnswer{Answer: a, Streams: []*StreamInfo{}} }}
	StreamInfoOp   = &Op{Name: "STREAM.INFO.*", kind: "stream_info", Info: true, bare: func(a Answer) any { return InfoAnswer{Answer: a} }}
	StreamDeleteOp = &Op{Name: "STREAM.DELETE.*", kind: "stream_delete"}
	StreamPurgeOp  = &Op{Name: "STREAM.PURGE.*", kind: "stream_purge", bare: func(a Answer) any { return PurgeAnswer{Answer: a} }}
	MsgDeleteOp    = &Op{Name: "STREAM.MSG.DELETE.*", kind: "stream_msg_delete"}
	MsgGetOp       = &Op{Name: "STREAM.MSG.GET.*", kind: "stream_msg_get"}
	SnapshotOp     = &Op{Name: "STREAM.SNAPSHOT.*", kind: "stream_snapshot"}
	RestoreOp      = &Op{Name: "STREAM.RESTORE.*", kind: "stream_restore", bare: func(a Answer) any { return bareRestore{Answer: a} }}
	AccountPurgeOp = &Op{Name: "ACCOUNT.PURGE.*", kind: "account_purge"} // of the system account
)

// The operations on consumers.
var (
	ConsumerCreateOp      = &Op{Name: "CONSUMER.CREATE.*", kind: "consumer_create"}
	ConsumerCreateNamedOp = &Op{Name: "CONSUMER.CREATE.*.>", kind: "consumer_create"}
	DurableCreateOp       = &Op{Name: "CONSUMER.DURABLE.CREATE.*.*", kind: "consumer_create"}
	ConsumerNamesOp       = &Op{Name: "CONSUMER.NAMES.*", kind: "consumer_names", Info: true, bare: bareList}
	ConsumerListOp        = &Op{Name: "CONSUMER.LIST.*", kind: "consumer_list", Info: true, bare: bareList}
	ConsumerInfoOp        = &Op{Name: "CONSUMER.INFO.*.*", kind: "consumer_info", Info: true}
	ConsumerDeleteOp      = &Op{Name: "CONSUMER.DELETE.*.*", kind: "consumer_delete"}
	ConsumerPauseOp       = &Op{Name: "CONSUMER.PAUSE.*.*", kind: "consumer_pause", bare: func(a Answer) any { return barePause{Answer: a} }}
	ConsumerUnpinOp       = &Op{Name: "CONSUMER.UNPIN.*.*", kind: "consumer_unpin"}
	ConsumerNextOp        = &Op{Name: "CONSUMER.MSG.NEXT.*.*", Direct: true}
	ConsumerResetOp       = &Op{Name: "CONSUMER.RESET.*.*", kind: "consumer_reset", Direct: true, bare: func(a Answer) any { return bareReset{Answer: a} }}
)

func bareList(a Answer) any { return bareConsumers{Answer: a, Consumers: []string{}} }

// Ops lists what an account may ask. Of two that match the first is meant.
var Ops = []*Op{
	AccountOp, StreamCreateOp, StreamUpdateOp, StreamNamesOp, StreamListOp, StreamInfoOp, StreamDeleteOp, StreamPurgeOp, MsgDeleteOp, MsgGetOp,
	SnapshotOp, RestoreOp,
	ConsumerCreateOp, ConsumerCreateNamedOp, DurableCreateOp, ConsumerNamesOp, ConsumerListOp, ConsumerInfoOp, ConsumerDeleteOp, ConsumerPauseOp,
	ConsumerUnpinOp, ConsumerResetOp,
	ConsumerNextOp,
	{Name: "DIRECT.GET.*", Direct: true},
	{Name: "DIRECT.GET.*.>", Direct: true},
	{Name: "STREAM.LEADER.STEPDOWN.*", kind: "stream_leader_stepdown", Cluster: true},
	{Name: "CONSUMER.LEADER.STEPDOWN.*.*", kind: "consumer_leader_stepdown", Cluster: true},
	{Name: "STREAM.PEER.REMOVE.*", kind: "stream_remove_peer", Cluster: true},
	{Name: "STREAM.PEER.EVACUATE.*", kind: "stream_evacuate_peer", Cluster: true},
	{Name: "CONSUMER.PEER.REMOVE.*.*", kind: "consumer_remove_peer", Cluster: true},
	{Name: "CONSUMER.PEER.EVACUATE.*.*", kind: "consumer_evacuate_peer", Cluster: true},
	{Name: "STREAM.CANCEL_MOVE.*", kind: "stream_cancel_move", Cluster: true},
}

// SystemOp is whatever the system account asks for that accounts may.
var SystemOp = &Op{Name: ">", kind: "system"}

// FindSystem is [Find] in the system account.
func FindSystem(subj string) *Op {
	if name, ok := strings.CutPrefix(subj, Prefix+"."); ok && subject.Matches(AccountPurgeOp.Name, name) {
		return AccountPurgeOp
	}
	return Find(subj)
}

// Find returns what is asked for on a subject; nil: nobody knows it.
func Find(subj string) *Op {
	name, ok := strings.CutPrefix(subj, Prefix+".")
	if !ok {
		return nil
	}
	for _, o := range Ops {
		if subject.Matches(o.Name, name) {
			return o
		}
	}
	return nil
}
