package system

import (
	"bytes"
	"fmt"
	"runtime"
	"runtime/pprof"
	"strings"
	"time"
)

// Expvarz shows what the Go runtime counts.
type Expvarz struct {
	MemStats    *runtime.MemStats `json:"memstats"`
	CommandLine []string          `json:"cmdline"`
}

func (s *Service) expvarz(*Request) (any, error) {
	z := &Expvarz{MemStats: &runtime.MemStats{}, CommandLine: []string{}}
	runtime.ReadMemStats(z.MemStats)
	if s.source.CommandLine != nil {
		z.CommandLine = s.source.CommandLine()
	}
	return z, nil
}

// queueDepth is how many messages wait in a queue.
type queueDepth struct {
	Pending    int `json:"pending"`
	InProgress int `json:"in_progress,omitempty"`
}

// queuesz shows the queues of this service, by the names of those that serve the same
// purpose in nats-server.
func (s *Service) queuesz(r *Request) (any, error) {
	var o struct {
		All    bool   `json:"all"`
		Filter string `json:"filter"`
	}
	if err := r.Decode(&o); err != nil {
		return nil, err
	}
	depths := map[string]int{
		"System recvQ":       s.lanes.Depth(Requests) + s.lanes.Depth(News),
		"System recvQ Pings": s.lanes.Depth(Pings),
		"System sendQ":       s.lanes.Unsent(),
	}
	z := map[string]queueDepth{}
	for name, n := range depths {
		if (o.All || n > 0) && strings.Contains(name, o.Filter) {
			z[name] = queueDepth{Pending: n}
		}
	}
	return z, nil
}

// Profilez is a profile in the format of pprof.
type Profilez struct {
	Profile []byte `json:"profile"`
	Error   string `json:"error"`
}

// maxProfile is how long the processor may be profiled.
const maxProfile = 15 * time.Second

// profilez answers with a profile. That of the processor takes as long as was asked
// for, on a goroutine of its own, which ends with it or with the service; there is one
// at a time.
func (s *Service) profilez(r *Request) {
	var o struct {
		Name     string        `json:"name"`
		Debug    int           `json:"debug"`
		Duration time.Duration `json:"duration"`
	}
	take := func(profile func() *Profilez) {
		reporting(func(r *Request) (any, error) { return profile(), nil })(r)
	}
	if err := r.Decode(&o); err != nil {
		r.Refuse(err)
		return
	}
	switch {
	case o.Name == "":
		take(func() *Profilez { return &Profilez{Error: "Profile name not specified"} })
	case o.Name != "cpu":
		take(func() *Profilez { return profile(o.Name, o.Debug) })
	case o.Duration <= 0 || o.Duration > maxProfile:
		take(func() *Profilez {
			return &Profilez{Error: fmt.Sprintf("Duration %s should be between 0s and 15s", o.Duration)}
		})
	default:
		s.aside.Go(func() { take(func() *Profilez { return s.profileCPU(o.Duration) }) })
	}
}

func profile(name string, debug int) *Profilez {
	p := pprof.Lookup(name)
	if p == nil {
		return &Profilez{Error: fmt.Sprintf("Profile %q not found", name)}
	}
	var out bytes.Buffer
	if err := p.WriteTo(&out, debug); err != nil {
		return &Profilez{Error: fmt.Sprintf("Profile %q error: %s", name, err)}
	}
	return &Profilez{Profile: out.Bytes()}
}

func (s *Service) profileCPU(d time.Duration) *Profilez {
	var out bytes.Buffer
	if err := pprof.StartCPUProfile(&out); err != nil { // one is being taken
		return &Profilez{Error: fmt.Sprintf("Failed to start CPU profile: %s", err)}
	}
	t := time.NewTimer(d)
	select {
	case <-t.C:
	case <-s.stopping:
		t.Stop()
	}
	pprof.StopCPUProfile()
	return &Profilez{Profile: out.Bytes()}
}
