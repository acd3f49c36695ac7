//go:build !race

package brokertest

// raceEnabled reports whether this test binary has the race detector.
const raceEnabled = false
