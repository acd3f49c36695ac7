// Package schedule reads when a message is to be sent, and says when that is next: once, at intervals, or by a calendar as cron has
// it. It knows no message and has no clock: time is given.
package schedule
