// Package stream decides what happens to the messages of one stream: which are taken, which
// sequence they get, what goes to keep the limits, which message ids are remembered. It does
// no i/o and has no clock: time is given.
//
// A message passes in two steps. It is *accepted* against what is stored and what was accepted
// before it, and gets its sequence then; it is *applied* to the stream's [Log] once it is
// committed, in the order of sequences. What is accepted and not applied is seen by nobody but
// those who are accepted after it. What applying removes to keep the limits follows from the
// messages and the configuration alone, so that a log that is read again comes to the same
// state.
package stream
