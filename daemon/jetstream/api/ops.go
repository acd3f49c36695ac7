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
	Type    string // of its answer
	Info    bool   // it changes nothing: waits in the queue of infos
	Cluster bool   // only a cluster can answer
	Direct  bool   // answered by the stream or the consumer, not by the API's queue

	pattern string
	bare    func(Answer) any // an answer that carries an error only
}

func op(name, kind string) *Op {
	return &Op{Name: name, Type: typePrefix + kind + "_response", pattern: Prefix + "." + name, bare: func(a Answer) any { return a }}
}

func (o *Op) info() *Op                    { o.Info = true; return o }
func (o *Op) cluster() *Op                 { o.Cluster = true; return o }
func (o *Op) direct() *Op                  { o.Direct = true; return o }
func (o *Op) as(bare func(Answer) any) *Op { o.bare = bare; return o }
func (o *Op) Answer() Answer               { return Answer{Type: o.Type} }
func (o *Op) Matches(subj string) bool     { return subject.Matches(o.pattern, subj) }
func (o *Op) Failed(err *Error) any        { return o.bare(Answer{Type: o.Type, Error: err}) }
func (o *Op) Token(subj string, i int) string {
	t := strings.SplitN(subj, ".", i+3)
	if len(t) < i+3 {
		return ""
	}
	rest, _, _ := strings.Cut(t[i+2], ".")
	return rest
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

// The operations.
var (
	AccountOp       = op("INFO", "account_info").info()
	StreamCreateOp  = op("STREAM.CREATE.*", "stream_create")
	StreamUpdateOp  = op("STREAM.UPDATE.*", "stream_update")
	StreamNamesOp   = op("STREAM.NAMES", "stream_names").info().as(func(a Answer) any { return NamesAnswer{Answer: a} })
	StreamListOp    = op("STREAM.LIST", "stream_list").info().as(func(a Answer) any { return ListAnswer{Answer: a, Streams: []*StreamInfo{}} })
	StreamInfoOp    = op("STREAM.INFO.*", "stream_info").info().as(func(a Answer) any { return InfoAnswer{Answer: a} })
	StreamDeleteOp  = op("STREAM.DELETE.*", "stream_delete")
	StreamPurgeOp   = op("STREAM.PURGE.*", "stream_purge").as(func(a Answer) any { return PurgeAnswer{Answer: a} })
	MsgDeleteOp     = op("STREAM.MSG.DELETE.*", "stream_msg_delete")
	MsgGetOp        = op("STREAM.MSG.GET.*", "stream_msg_get")
	SnapshotOp      = op("STREAM.SNAPSHOT.*", "stream_snapshot")
	RestoreOp       = op("STREAM.RESTORE.*", "stream_restore").as(func(a Answer) any { return bareRestore{Answer: a} })
	ConsumerNamesOp = op("CONSUMER.NAMES.*", "consumer_names").info().as(func(a Answer) any { return bareConsumers{Answer: a, Consumers: []string{}} })
	ConsumerListOp  = op("CONSUMER.LIST.*", "consumer_list").info().as(func(a Answer) any { return bareConsumers{Answer: a, Consumers: []string{}} })
	AccountPurgeOp  = op("ACCOUNT.PURGE.*", "account_purge")
)

// Ops lists what an account may ask. Of two that match the first is meant.
var Ops = []*Op{
	AccountOp, StreamCreateOp, StreamUpdateOp, StreamNamesOp, StreamListOp, StreamInfoOp, StreamDeleteOp, StreamPurgeOp, MsgDeleteOp, MsgGetOp,
	SnapshotOp, RestoreOp,
	op("CONSUMER.CREATE.*", "consumer_create"), op("CONSUMER.CREATE.*.>", "consumer_create"),
	op("CONSUMER.DURABLE.CREATE.*.*", "consumer_create"),
	ConsumerNamesOp, ConsumerListOp,
	op("CONSUMER.INFO.*.*", "consumer_info").info(), op("CONSUMER.DELETE.*.*", "consumer_delete"),
	op("CONSUMER.PAUSE.*.*", "consumer_pause").as(func(a Answer) any { return barePause{Answer: a} }),
	op("CONSUMER.UNPIN.*.*", "consumer_unpin"),
	op("CONSUMER.RESET.*.*", "consumer_reset").direct().as(func(a Answer) any { return bareReset{Answer: a} }),
	op("CONSUMER.MSG.NEXT.*.*", "").direct(),
	op("DIRECT.GET.*", "").direct(), op("DIRECT.GET.*.>", "").direct(),
	op("STREAM.LEADER.STEPDOWN.*", "stream_leader_stepdown").cluster(), op("CONSUMER.LEADER.STEPDOWN.*.*", "consumer_leader_stepdown").cluster(),
	op("STREAM.PEER.REMOVE.*", "stream_remove_peer").cluster(), op("STREAM.PEER.EVACUATE.*", "stream_evacuate_peer").cluster(),
	op("CONSUMER.PEER.REMOVE.*.*", "consumer_remove_peer").cluster(), op("CONSUMER.PEER.EVACUATE.*.*", "consumer_evacuate_peer").cluster(),
	op("STREAM.CANCEL_MOVE.*", "stream_cancel_move").cluster(),
}

// Find returns what is asked for on a subject; nil: nobody knows it.
func Find(subj string) *Op {
	for _, o := range Ops {
		if o.Matches(subj) {
			return o
		}
	}
	return nil
}
