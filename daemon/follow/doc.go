// Package follow decides how a stream takes over the messages of another one, its origin: when the origin is asked for
// a consumer, which of the messages that come are taken, when something is missing, so that it is asked again, and where it is
// gone on from then. It does no i/o and has no clock: time is given, in nanoseconds, by a clock that nobody sets.
//
// A [Follower] is the machine of one origin. It goes round three states:
//
//	Resting ──Tick──► Asking ──Accepted──► Following
//	   ▲                │                     │
//	   └────Failed──────┴──────Again──────────┘
//
// Whoever drives it asks when [Follower.Due] has come, tells it of the answer, and shows it each message before it is stored
// ([Follower.Look]) and after ([Follower.Took]). What was taken is remembered by who stores it: the last sequence for a
// mirror, [Source] in a header of each message otherwise, which is where a start finds [Follower.At] again.
//
// Names, headers and times are those of nats-server 2.15.3, whose streams may be origins, or follow.
//
// A machine is used by one goroutine at a time.
package follow
