//go:build crashhook

package broker

// AtResume, if it is set, is called by Resume before each connection, with its number and
// how many there are. It is in no build that is shipped: with it tests end the process
// at that moment.
var AtResume func(i, n int)

func atResume(i, n int) {
	if AtResume != nil {
		AtResume(i, n)
	}
}
