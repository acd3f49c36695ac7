package schedule

import (
	"sync"
	"time"
	_ "time/tzdata" // for machines and images that have none
)

// zones are those that were asked for. Only such as there are get there.
var zones sync.Map

// zone finds a time zone by its name.
func zone(name string) (*time.Location, error) {
	if name == "" {
		return nil, ErrZone
	}
	if z, ok := zones.Load(name); ok {
		return z.(*time.Location), nil
	}
	z, err := time.LoadLocation(name)
	if err != nil {
		return nil, ErrZone
	}
	zones.Store(name, z)
	return z, nil
}
