package api

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-broker/nats-broker/daemon/subject"
)

// Defaults of consumers.
const (
	defaultAckWait       = 30 * time.Second
	defaultAckPending    = 1000
	defaultMaxWaiting    = 512
	defaultPinnedTime    = 2 * time.Minute
	flowAckHeartbeat     = time.Second
	ephemeralThreshold   = 5 * time.Second
	shortestBeat         = 100 * time.Millisecond
	shortestExpires      = time.Millisecond
	longestPriorityGroup = 16
)

// ConsumerSurroundings are what a check must know of the server, the account and the stream.
type ConsumerSurroundings struct {
	Stream               *StreamConfig
	MaxAckPending        int // of the server; 0 or less: any, here and below
	AccountMaxAckPending int
	MaxRequestBatch      int
	Stays                bool // there is one of this name, which stays when nobody uses it
}

// Check returns the configuration with its defaults, or what is wrong with it first. In pedantic mode
// whatever would be corrected silently is an error.
func (c *ConsumerConfig) Check(sur *ConsumerSurroundings, pedantic bool) (*ConsumerConfig, *Error) {
	k := &consumerChecker{c: c.Clone(), sur: sur, pedantic: pedantic}
	for _, step := range []func() *Error{
		k.notNegative, k.defaults, k.names, k.replicas, k.waits, k.flowAcks, k.backoff, k.push, k.pull, k.limits, k.direct,
		k.filters, k.start, k.sampling, k.heartbeat, k.durable, k.metadata, k.priority, k.ephemeral,
	} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return k.c, nil
}

// consumerChecker checks one configuration; c is completed on the way.
type consumerChecker struct {
	c        *ConsumerConfig
	sur      *ConsumerSurroundings
	pedantic bool
}

// notNegative puts the value that means none where something is negative.
func (k *consumerChecker) notNegative() *Error {
	c := k.c
	if c.MaxDeliver == 0 || c.MaxDeliver < -1 {
		if k.pedantic && c.MaxDeliver < -1 {
			return pedanticError("max_deliver must be set to -1")
		}
		c.MaxDeliver = -1
	}
	if err := least(k, &c.MaxWaiting, "max_waiting"); err != nil {
		return err
	}
	if c.MaxAckPending < -1 {
		if k.pedantic {
			return pedanticError("max_ack_pending must be set to -1")
		}
		c.MaxAckPending = -1
	}
	if err := least(k, &c.MaxRequestBatch, "max_batch"); err != nil {
		return err
	}
	if err := least(k, &c.MaxRequestExpires, "max_expires"); err != nil {
		return err
	}
	if err := least(k, &c.MaxRequestBytes, "max_bytes"); err != nil {
		return err
	}
	if err := least(k, &c.Heartbeat, "idle_heartbeat"); err != nil {
		return err
	}
	if err := least(k, &c.InactiveThreshold, "inactive_threshold"); err != nil {
		return err
	}
	return least(k, &c.PriorityTimeout, "priority_timeout")
}

func least[N int | time.Duration](k *consumerChecker, n *N, name string) *Error {
	if *n >= 0 {
		return nil
	}
	if k.pedantic {
		return pedanticError(name + " must not be negative")
	}
	*n = 0
	return nil
}

// defaults fills in what was not said.
func (k *consumerChecker) defaults() *Error {
	c, limits := k.c, k.sur.Stream.ConsumerLimits
	if !c.Push() && c.MaxWaiting == 0 {
		c.MaxWaiting = defaultMaxWaiting
	}
	if c.AckWait == 0 && (c.AckPolicy == AckExplicit || c.AckPolicy == AckAll) {
		c.AckWait = defaultAckWait
	}
	if len(c.Backoff) > 0 {
		if k.pedantic && c.AckWait != c.Backoff[0] {
			return pedanticError("first backoff value has to equal batch AckWait")
		}
		c.AckWait = c.Backoff[0]
	}
	if c.MaxAckPending == 0 {
		if k.pedantic && limits.MaxAckPending > 0 {
			return pedanticError("max_ack_pending must be set if it's configured in stream limits")
		}
		c.MaxAckPending = limits.MaxAckPending
	}
	if c.InactiveThreshold == 0 {
		if k.pedantic && limits.InactiveThreshold > 0 {
			return pedanticError("inactive_threshold must be set if it's configured in stream limits")
		}
		c.InactiveThreshold = limits.InactiveThreshold
	}
	if c.MaxAckPending == 0 && c.AckPolicy != AckNone {
		c.MaxAckPending = defaultAckPending
		for _, most := range []int{k.sur.MaxAckPending, k.sur.AccountMaxAckPending} {
			if most > 0 {
				c.MaxAckPending = min(c.MaxAckPending, most)
			}
		}
	}
	if !c.Push() && c.MaxRequestBatch == 0 && k.sur.MaxRequestBatch > 0 {
		if k.pedantic {
			return pedanticError("max_request_batch must be set if it's JetStream limits are set")
		}
		c.MaxRequestBatch = k.sur.MaxRequestBatch
	}
	if c.PriorityPolicy == PriorityPinned && c.PriorityTimeout == 0 {
		c.PriorityTimeout = defaultPinnedTime
	}
	if c.AckPolicy == AckFlowControl && !k.pedantic {
		c.FlowControl, c.Heartbeat = true, flowAckHeartbeat
	}
	return nil
}

func (k *consumerChecker) names() *Error {
	if k.c.Name != "" && !ValidName(k.c.Name) {
		return invalid(`consumer name can not contain '.', '*', '>', '\', '/'`)
	}
	if k.c.Durable != "" && !ValidName(k.c.Durable) {
		return invalid(`consumer durable name can not contain '.', '*', '>', '\', '/'`)
	}
	return nil
}

func (k *consumerChecker) replicas() *Error {
	switch n, s := k.c.Replicas, k.sur.Stream; {
	case n > 0 && n > s.Replicas:
		return ConsumerReplicas.Error()
	case n < 0:
		return NegativeReplicas.Error()
	case s.Retention != Limits && n != 0 && n != s.Replicas:
		return ReplicasNotStreams.Error()
	}
	return nil
}

func (k *consumerChecker) waits() *Error {
	for _, b := range k.c.Backoff {
		if b < 0 {
			return BackoffNegative.Error()
		}
	}
	if k.c.AckWait < 0 {
		return AckWaitNegative.Error()
	}
	return nil
}

// flowAcks checks what consumers need that are acknowledged by flow control.
func (k *consumerChecker) flowAcks() *Error {
	c := k.c
	switch {
	case c.AckPolicy != AckFlowControl:
		return nil
	case !c.Push():
		return FlowAckNeedsPush.Error()
	case !c.FlowControl:
		return FlowAckNeedsFlow.Error()
	case c.Heartbeat != flowAckHeartbeat:
		return invalid("flow control ack policy heartbeat needs to be 1s")
	case c.MaxAckPending <= 0:
		return FlowAckNeedsPending.Error()
	case c.AckWait != 0 || len(c.Backoff) > 0:
		return FlowAckWithWait.Error()
	case c.MaxDeliver > 0:
		return FlowAckWithMaxDeliver.Error()
	}
	return nil
}

func (k *consumerChecker) backoff() *Error {
	if n := len(k.c.Backoff); n > 0 && k.c.MaxDeliver != -1 && n > k.c.MaxDeliver {
		return MaxDeliverBackoff.Error()
	}
	if len(k.c.Description) > maxDescription {
		return ConsumerDescription.Error(maxDescription)
	}
	return nil
}

// push checks a consumer that delivers by itself.
func (k *consumerChecker) push() *Error {
	c := k.c
	if !c.Push() {
		return nil
	}
	switch to := c.DeliverSubject; {
	case !subject.IsLiteral(to):
		return DeliverWildcard.Error()
	case !subject.Valid(to) || subject.HasEffect(to):
		return PushDeliverInvalid.Error()
	case k.cycle(to):
		return DeliverCycle.Error()
	case c.MaxWaiting != 0:
		return PushMaxWaiting.Error()
	case c.MaxAckPending > 0 && c.AckPolicy == AckNone:
		return PendingNeedsAcks.Error()
	case c.Heartbeat > 0 && c.Heartbeat < shortestBeat:
		return HeartbeatTooShort.Error()
	}
	return nil
}

// cycle reports whether what is delivered would be stored again.
func (k *consumerChecker) cycle(to string) bool {
	for _, s := range k.sur.Stream.Subjects {
		if subject.IsSubset(to, s) {
			return true
		}
	}
	return false
}

// pull checks a consumer that is asked.
func (k *consumerChecker) pull() *Error {
	c := k.c
	switch {
	case c.Push():
		return nil
	case c.AckPolicy == AckNone && k.sur.Stream.Retention == WorkQueue:
		return PullNeedsAcks.Error()
	case c.RateLimit > 0:
		return PullRateLimit.Error()
	case c.Heartbeat > 0:
		return PullHeartbeat.Error()
	case c.FlowControl:
		return PullFlowControl.Error()
	case c.MaxRequestExpires != 0 && c.MaxRequestExpires < shortestExpires:
		return MaxExpiresTooShort.Error()
	case k.sur.MaxRequestBatch > 0 && c.MaxRequestBatch > k.sur.MaxRequestBatch:
		return MaxBatchExceeded.Error(k.sur.MaxRequestBatch)
	}
	return nil
}

func (k *consumerChecker) limits() *Error {
	own := k.sur.Stream.ConsumerLimits
	for _, most := range []int{k.sur.MaxAckPending, k.sur.AccountMaxAckPending, own.MaxAckPending} {
		if most > 0 && k.c.MaxAckPending > most {
			return MaxAckPendingExceeded.Error(most)
		}
	}
	if own.InactiveThreshold > 0 && k.c.InactiveThreshold > own.InactiveThreshold {
		return InactiveTooLong.Error(own.InactiveThreshold)
	}
	return nil
}

func (k *consumerChecker) direct() *Error {
	switch {
	case !k.c.Direct:
	case !k.c.Push():
		return DirectNeedsPush.Error()
	case k.c.Durable != "":
		return DirectNeedsEphemeral.Error()
	}
	return nil
}

func (k *consumerChecker) filters() *Error {
	c := k.c
	if c.FilterSubject != "" && len(c.FilterSubjects) > 0 {
		return FilterAndFilters.Error()
	}
	if c.FilterSubject != "" && !validFilter(c.FilterSubject) {
		return invalid("invalid subject")
	}
	for _, f := range c.FilterSubjects {
		if f == "" {
			return FilterEmpty.Error()
		}
	}
	all := c.Filters()
	for i, f := range all {
		if !validFilter(f) {
			return invalid("invalid subject")
		}
		for j, g := range all {
			if i != j && subject.IsSubset(f, g) {
				return FiltersOverlap.Error()
			}
		}
	}
	return nil
}

func validFilter(s string) bool { return subject.Valid(s) && !strings.ContainsAny(s, " \t\r\n\f") }

// checkedStart is what a policy wants, and what is given.
type checkedStart struct {
	name                                string
	seqWanted, timeWanted, filterWanted bool
	seq, time, filter                   bool
}

// check returns an error unless the place to begin at is given where it is asked for, and nowhere else.
func (k *checkedStart) check() *Error {
	also := func(what string) *Error {
		return StartMismatch.Error(fmt.Sprintf("consumer delivery policy is deliver %s, but optional start %s is also set", k.name, what))
	}
	missing := func(what string) *Error {
		return StartMismatch.Error(fmt.Sprintf("consumer delivery policy is deliver %s, but optional %s is not set", k.name, what))
	}
	switch {
	case k.seqWanted && !k.seq:
		return missing("start sequence")
	case k.timeWanted && !k.time:
		return missing("start time")
	case !k.seqWanted && k.seq && k.timeWanted:
		return also("start sequence")
	case !k.seqWanted && k.seq:
		return also("sequence")
	case !k.timeWanted && k.time:
		return also("time")
	case k.filterWanted && !k.filter:
		return missing("filter subject")
	}
	return nil
}

func (k *consumerChecker) start() *Error {
	c := k.c
	if c.StartSeq > MaxSequence {
		return StartMismatch.Error("consumer start " + sequenceTooHigh)
	}
	s := checkedStart{
		name:      strings.ReplaceAll(c.DeliverPolicy.String(), "_", " "),
		seqWanted: c.DeliverPolicy == DeliverByStartSequence, timeWanted: c.DeliverPolicy == DeliverByStartTime,
		filterWanted: c.DeliverPolicy == DeliverLastPerSubject,
		seq:          c.StartSeq > 0, time: c.StartTime != nil, filter: len(c.Filters()) > 0,
	}
	return s.check()
}

func (k *consumerChecker) sampling() *Error {
	if k.c.SampleFreq == "" {
		return nil
	}
	if n, err := strconv.Atoi(strings.TrimSuffix(k.c.SampleFreq, "%")); err != nil || n < 0 {
		return SamplingInvalid.Error(err)
	}
	return nil
}

// Sample is how many per cent of acks are told of.
func (c *ConsumerConfig) Sample() int {
	n, err := strconv.Atoi(strings.TrimSuffix(c.SampleFreq, "%"))
	if err != nil {
		return 0
	}
	return n
}

func (k *consumerChecker) heartbeat() *Error {
	if k.c.FlowControl && k.c.Heartbeat == 0 {
		return FlowNeedsHeartbeat.Error()
	}
	return nil
}

func (k *consumerChecker) durable() *Error {
	if k.c.Durable != "" && k.c.Name != "" && k.c.Name != k.c.Durable {
		return DurableNotName.Error()
	}
	return nil
}

func (k *consumerChecker) metadata() *Error {
	n := 0
	for key, v := range k.c.Metadata {
		n += len(key) + len(v)
	}
	if n > maxMetadata {
		return ConsumerMetadata.Error(fmt.Sprintf("%dKB", maxMetadata/1024))
	}
	return nil
}

func (k *consumerChecker) priority() *Error {
	c := k.c
	if c.PriorityPolicy == PriorityNone {
		if len(c.PriorityGroups) > 0 {
			return GroupsWithoutPolicy.Error()
		}
		if c.PriorityTimeout > 0 {
			return PinnedTimeWithoutPolicy.Error()
		}
		return nil
	}
	if c.Push() {
		return PushWithGroups.Error()
	}
	if len(c.PriorityGroups) == 0 {
		return PolicyNeedsGroup.Error()
	}
	for _, g := range c.PriorityGroups {
		if err := checkGroup(g); err != nil {
			return err
		}
	}
	return nil
}

// ephemeral lets a consumer without a durable name go when nobody uses it, unless it is one that stays and is updated: nats-server
// looks at the time only when it changes.
func (k *consumerChecker) ephemeral() *Error {
	if k.c.Durable == "" && k.c.InactiveThreshold == 0 && !k.sur.Stays {
		k.c.InactiveThreshold = ephemeralThreshold
	}
	return nil
}

// Check returns what is wrong with the request by itself.
func (q *UnpinRequest) Check() *Error {
	if q.Group == "" {
		return InvalidJSON.Error("consumer group not specified")
	}
	return checkGroup(q.Group)
}

// Check returns what is wrong with the request by itself.
func (q *ResetRequest) Check() *Error {
	if q.Seq > MaxSequence {
		return ResetInvalid.Error(sequenceTooHigh)
	}
	return nil
}

func checkGroup(g string) *Error {
	if g == "" {
		return GroupEmpty.Error()
	}
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/_=-", r)
	}
	if len(g) > longestPriorityGroup || strings.ContainsFunc(g, func(r rune) bool { return !plain(r) }) {
		return GroupInvalid.Error()
	}
	return nil
}
