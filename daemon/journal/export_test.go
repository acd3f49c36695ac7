package journal

// For the tests that drive a whole store.
var (
	Directed    = directed
	RaceEnabled = raceEnabled
)

// Chance is where salts come from in tests: never the same twice, and the same for the same seed.
type Chance struct{ N uint64 }

func (c *Chance) Read(p []byte) (int, error) {
	for i := range p {
		c.N = c.N*6364136223846793005 + 1442695040888963407
		p[i] = byte(c.N >> 56)
	}
	return len(p), nil
}
