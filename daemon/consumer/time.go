package consumer

import "math"

// never is a time that does not come.
const never = math.MaxInt64

// after returns the time d nanoseconds after t; what is too far away to be counted is never. Clients ask for the longest
// duration there is when they mean for ever.
func after(t, d int64) int64 {
	if d > 0 && t > never-d {
		return never
	}
	return t + d
}
