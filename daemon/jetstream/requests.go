package jetstream

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/nats-broker/nats-broker/daemon/batch"
	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/jetstream/api"
	"github.com/nats-broker/nats-broker/daemon/subject"
)

// request is one that waits.
type request struct {
	op      *api.Op
	subject string // in the form without domain
	reply   string
	header  []byte
	body    []byte
	client  *broker.Client
	told    json.RawMessage // who asks, as an import has said; nil: nothing
	extra   []byte          // a header of the answer; nil: none
}

// requests are those of an account that wait, and the goroutine that answers them while there are any.
type requests struct {
	answer func(*request)

	mu      sync.Mutex
	list    []*request
	waiting [2]int // by op.Info
	busy    bool
	stopped bool
	idle    sync.WaitGroup
}

func kindOf(r *request) int {
	if r.op.Info {
		return 1
	}
	return 0
}

// put queues a request. If more of its kind wait than may, all of them are dropped, and their number returned.
func (q *requests) put(r *request, most [2]int) (dropped int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.stopped {
		return 0
	}
	k := kindOf(r)
	q.list = append(q.list, r)
	q.waiting[k]++
	if q.waiting[k] >= most[k] {
		kept := q.list[:0]
		for _, r := range q.list {
			if kindOf(r) != k {
				kept = append(kept, r)
			}
		}
		clear(q.list[len(kept):])
		q.list, dropped, q.waiting[k] = kept, q.waiting[k], 0
	}
	if !q.busy && len(q.list) > 0 {
		q.busy = true
		q.idle.Go(q.run)
	}
	return dropped
}

// run answers what waits, and ends when nothing does.
func (q *requests) run() {
	for {
		q.mu.Lock()
		if len(q.list) == 0 || q.stopped {
			q.busy, q.list, q.waiting = false, nil, [2]int{}
			q.mu.Unlock()
			return
		}
		r := q.list[0]
		q.list[0] = nil
		q.list = q.list[1:]
		q.waiting[kindOf(r)]--
		q.mu.Unlock()
		q.answer(r)
	}
}

func (q *requests) stop() {
	q.mu.Lock()
	q.stopped = true
	q.mu.Unlock()
	q.idle.Wait()
}

// The account is the sink of what is published to the API. It copies requests at once and stages nothing; as a sink it can say
// of a message that nobody takes it, which is how those who ask for what is not there learn so.

// Outlet leads to the account.
func (a *account) Outlet() *batch.Outlet { return &a.outlet }

// Put is never called: nothing is staged.
func (a *account) Put(*batch.Lane) bool { return false }

// AwaitRoom does nothing.
func (a *account) AwaitRoom(func() bool) {}

// Stage takes a request off a publisher's hands. What streams and consumers answer themselves is not taken here.
func (a *account) Stage(_ *batch.Lane, m *broker.Message) (taken bool) {
	// An answer to it would itself be a request, in the server's name.
	if subject.IsJetStream(m.Reply) {
		return true
	}
	subj := string(m.Subject)
	domain := !strings.HasPrefix(subj, api.Prefix+".")
	if domain {
		subj = "$JS" + subj[4+strings.IndexByte(subj[4:], '.'):]
	}
	op := a.find(subj)
	switch {
	case op != nil && op.Direct:
		_, there := a.allowed()
		return there && op == api.ConsumerResetOp
	case a.elsewhere():
		return false
	case op == nil:
		return !domain
	}
	r := &request{op: op, subject: subj, reply: string(m.Reply), body: bytes.Clone(m.Payload), client: m.Client}
	if len(m.Header) > 0 {
		r.header = bytes.Clone(m.Header)
		if v, ok := api.Header(r.header, requestInfo); ok {
			r.told = v
		}
	}
	o := a.srv.options()
	if n := a.queue.put(r, [2]int{o.Requests, o.Infos}); n > 0 {
		a.srv.log.Warn(fmt.Sprintf("JetStream request limit reached in account %q, dropping %d requests", a.name(), n))
		a.srv.limitReached(n)
	}
	return true
}

// elsewhere reports whether an account without JetStream uses that of another, which answers then.
func (a *account) elsewhere() bool {
	_, there := a.allowed()
	return !there && a.broker != a.srv.broker.System() && a.broker.ImportsService(api.Prefix+".INFO")
}

// find returns what is asked for. The system account may ask for what others may not, and not for what they may.
func (a *account) find(subj string) *api.Op {
	if a.broker != a.srv.broker.System() {
		return api.Find(subj)
	}
	switch op := api.FindSystem(subj); {
	case op == api.AccountOp, op == api.AccountPurgeOp:
		return op
	case op == nil:
		return nil
	default:
		return api.SystemOp
	}
}

// answer answers one request. A panic in doing so costs the answer, not the server.
func (a *account) answer(r *request) {
	defer func() {
		if p := recover(); p != nil {
			a.srv.log.Error(fmt.Sprintf("JetStream request on %q failed: %v", r.subject, p))
		}
	}()
	if api.LevelRefused(r.header) {
		a.fail(r, api.RequiredLevel.Error())
		return
	}
	if r.op == api.AccountPurgeOp {
		a.purgeAccount(r)
		return
	}
	if _, ok := a.allowed(); !ok {
		a.fail(r, api.NotEnabledForAccount.Error())
		return
	}
	if r.op.Cluster {
		a.fail(r, api.ClusterRequired.Error())
		return
	}
	if !r.op.Info {
		a.changing.Lock()
		defer a.changing.Unlock()
	}
	a.handle(r)
}

// handle does what is asked.
func (a *account) handle(r *request) {
	switch r.op {
	case api.AccountOp:
		a.respond(r, api.AccountAnswer{Answer: r.op.Answer(), AccountInfo: a.info()})
	case api.StreamCreateOp:
		a.createStream(r)
	case api.StreamUpdateOp:
		a.updateStream(r)
	case api.StreamNamesOp:
		a.names(r)
	case api.StreamListOp:
		a.listStreams(r)
	case api.StreamInfoOp:
		a.streamInfo(r)
	case api.StreamDeleteOp:
		a.deleteStream(r)
	case api.StreamPurgeOp:
		a.purge(r)
	case api.MsgDeleteOp:
		a.deleteMessage(r)
	case api.MsgGetOp:
		a.getMessage(r)
	case api.SnapshotOp:
		a.snapshot(r)
	case api.RestoreOp:
		a.restore(r)
	default:
		a.consumers(r)
	}
}

// decode reads the body of a request, or answers what is wrong with it.
func (a *account) decode(r *request, v any) bool {
	if err := api.Decode(r.body, a.srv.options().Strict, v); err != nil {
		a.fail(r, api.InvalidJSON.Error(err))
		return false
	}
	return true
}

// target finds the stream that the subject names, or answers that there is none.
func (a *account) target(r *request, token int) *Stream {
	s := a.stream(api.Token(r.subject, token))
	if s == nil {
		a.fail(r, api.StreamNotFound.Error())
	}
	return s
}

// fail answers with an error.
func (a *account) fail(r *request, err *api.Error) {
	a.failed.Add(1)
	a.srv.errors.Add(1)
	r.extra = nil
	a.respond(r, r.op.Failed(err))
}

// respond answers, and tells whoever listens what was asked and answered.
func (a *account) respond(r *request, answer any) {
	a.answered.Add(1)
	a.srv.requests.Add(1)
	b := a.reply(r, answer)
	a.audit(r, b)
}

// reply answers without that.
func (a *account) reply(r *request, answer any) []byte {
	b, err := json.Marshal(answer)
	if err != nil {
		panic("jetstream: an answer cannot be encoded: " + err.Error())
	}
	if r.reply != "" {
		a.broker.Publish(r.reply, "", r.extra, b)
	}
	return b
}

// nanos is a time in nanoseconds since 1970; one that is too far away to be counted is the first or the last that is not.
func nanos(t time.Time) int64 {
	switch {
	case t.Before(time.Unix(0, math.MinInt64)):
		return math.MinInt64
	case t.After(time.Unix(0, math.MaxInt64)):
		return math.MaxInt64
	}
	return t.UnixNano()
}

func utc(nanos int64) time.Time {
	if nanos == 0 {
		return time.Time{}
	}
	return time.Unix(0, nanos).UTC()
}
