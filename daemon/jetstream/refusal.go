package jetstream

import (
	"fmt"

	"github.com/nats-broker/nats-broker/daemon/jetstream/api"
	"github.com/nats-broker/nats-broker/daemon/stream"
)

// refusal is the error of a message that was not stored.
func refusal(v *stream.Verdict) *api.Error {
	switch v.Reason {
	case stream.Sealed:
		return api.Sealed.Error()
	case stream.MessageTooLarge:
		return api.MessageTooLarge.Error()
	case stream.HeaderTooLarge:
		return api.HeaderTooLarge.Error()
	case stream.CounterInvalid:
		return api.CounterInvalid.Error()
	case stream.CounterDisabled:
		return api.CountersDisabled.Error()
	case stream.CounterMissing:
		return api.CounterMissing.Error()
	case stream.CounterPayload:
		return api.CounterPayload.Error()
	case stream.CounterBroken:
		return api.CounterBroken.Error()
	case stream.WrongStream:
		return api.WrongStream.Error()
	case stream.TTLDisabled:
		return api.TTLDisabled.Error()
	case stream.TTLInvalid:
		return api.TTLInvalid.Error()
	case stream.WrongSequence:
		return api.WrongLastSequence.Error(v.Seq)
	case stream.MissingSequence:
		return api.MissingSubjectSequence.Error()
	case stream.ScheduleDisabled:
		return api.SchedulesDisabled.Error()
	case stream.SchedulePattern:
		return api.SchedulePattern.Error()
	case stream.ScheduleZone:
		return api.ScheduleZone.Error()
	case stream.ScheduleTarget:
		return api.ScheduleTarget.Error()
	case stream.ScheduleSource:
		return api.ScheduleSource.Error()
	case stream.ScheduleTTL:
		return api.ScheduleTTL.Error()
	case stream.ScheduleRollup:
		return api.ScheduleRollup.Error()
	case stream.SchedulerInvalid:
		return api.SchedulerInvalid.Error()
	case stream.SourceHeader:
		return api.SourceHeader.Error()
	case stream.WrongLastID:
		return api.WrongLastMsgID.Error(v.Text)
	case stream.RollupDenied:
		return api.Rollup.Error("rollup not permitted")
	case stream.RollupInvalid:
		return api.Rollup.Error(fmt.Sprintf("rollup value invalid: %q", v.Text))
	case stream.NotInBatch:
		return api.SequenceInBatch.Error()
	case stream.KnownInBatch:
		return api.AtomicDuplicate.Error()
	case stream.HeaderInBatch:
		return api.AtomicHeader.Error(v.Text)
	case stream.RollupInBatch:
		return api.Rollup.Error("batch rollup " + v.Text + " invalid")
	case stream.ServerFull:
		return api.ServerFull.Error()
	case stream.AccountFull:
		return api.AccountFull.Error()
	case stream.TooManyMessages:
		return api.StoreFailed.Error("maximum messages exceeded")
	case stream.TooManyBytes:
		return api.StoreFailed.Error("maximum bytes exceeded")
	case stream.TooManyOfSubject:
		return api.StoreFailed.Error("maximum messages per subject exceeded")
	case stream.Unread:
		return api.StoreFailed.Error(unreadText)
	default: // RecordTooLarge, LargerThanStream
		return api.StoreFailed.Error("message too large")
	}
}
