// Package logtest is what every [stream.Log] must do, as tests: random changes and questions, compared with a
// list of messages.
package logtest
