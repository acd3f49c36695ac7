package daemon

import (
	"fmt"
	"time"

	"github.com/nats-broker/nats-broker/daemon/control"
	"github.com/nats-broker/nats-broker/daemon/jetstream"
	"github.com/nats-broker/nats-broker/daemon/monitor"
)

// streamStatus is what status shows of streams; nil: none are kept. It does not wait for the disk.
func (d *Daemon) streamStatus() *control.Streams {
	js := d.jetStream.server()
	if js == nil {
		return nil
	}
	o, u := js.Options(), js.Usage()
	s := &control.Streams{
		Folder: js.Folder(), Memory: u.Memory, MaxMemory: o.MaxMemory, Storage: u.Store, MaxStorage: o.MaxStore,
		Requests: u.Requests, Errors: u.Errors,
	}
	if r, ok := js.Storage(); ok {
		s.Free, s.Need = r.Free, r.Need
	}
	for _, a := range js.Accounts() {
		for _, st := range a.Streams {
			f := st.Figures()
			s.Streams++
			s.Consumers += f.Consumers
			s.Messages += f.Msgs
			s.Bytes += f.Bytes
			s.Lost += f.Lost
			s.Refused += f.Refused
			s.Waiting += f.Waiting
			s.Resting += f.Resting
		}
	}
	return s
}

// fewNames is how many streams are named in a sentence.
const fewNames = 3

// streamProblems says what keeps messages from being stored.
func (d *Daemon) streamProblems() (list []string) {
	source := jetStreamSource{d}
	if s := source.Storage(); s != nil {
		if why := s.Trouble(); why != "" {
			list = append(list, "JetStream "+why)
		}
	}
	ill := 0
	d.eachStream(func(account string, s *jetstream.Stream) {
		what, err := "takes no messages any more", s.Failure()
		if err == nil {
			what, err = "waits", s.Delay()
		}
		if err == nil {
			return
		}
		if ill++; ill <= fewNames {
			list = append(list, fmt.Sprintf("stream %s > %s %s: %v", account, s.Name(), what, err))
		}
	})
	if ill > fewNames {
		list = append(list, fmt.Sprintf("%d more streams are ill", ill-fewNames))
	}
	return list
}

// lossWarning says which streams have lost something; empty: none has.
func (d *Daemon) lossWarning() string {
	var lost uint64
	streams, text := 0, ""
	d.eachStream(func(account string, s *jetstream.Stream) {
		f := s.Figures()
		if f.Lost == 0 {
			return
		}
		lost += f.Lost
		if streams++; streams <= fewNames {
			text += fmt.Sprintf(", stream %s > %s", account, s.Name())
		}
	})
	if streams == 0 {
		return ""
	}
	if streams > fewNames {
		text += fmt.Sprintf(", %d more streams", streams-fewNames)
	}
	return counted(lost, "stored message") + " cannot be read" + text
}

func (d *Daemon) eachStream(f func(account string, s *jetstream.Stream)) {
	js := d.jetStream.server()
	if js == nil {
		return
	}
	for _, a := range js.Accounts() {
		for _, s := range a.Streams {
			f(a.Name, s)
		}
	}
}

// checks implements [checked].
func (p *jetStreamPart) checks() []monitor.Check {
	if p.server() == nil {
		return nil
	}
	s := p.d.streamStatus()
	c := monitor.Check{Name: "streams", OK: true, Detail: fmt.Sprintf("%s with %s; %s free on the disk",
		counted(uint64(s.Streams), "stream"), counted(s.Messages, "message"), readable(int64(s.Free)))}
	if problems := p.d.streamProblems(); len(problems) > 0 {
		c.OK, c.Detail = false, problems[0]
	} else if w := p.d.lossWarning(); w != "" {
		c.OK, c.Detail = false, w
	}
	return []monitor.Check{c}
}

// How often the service manager is told of a start or an end that takes long, and how long it is asked to wait each time.
const (
	tellPeriod  = time.Second
	tellTimeout = 60 * time.Second
)

// tellOfRecovery tells the service manager how far a start is, and asks it to wait as long as it gets further. The function that
// it returns ends that.
func (p *jetStreamPart) tellOfRecovery(js *jetstream.Server, every time.Duration) (end func()) {
	return tellOf(p, every, jetstream.Recovery{}, js.Recovery, recoveryText)
}

// tellOfEnd is tellOfRecovery for the end of the storage, which brings to the disk what has not been brought there. A disk that does
// not answer gets no more time.
func (p *jetStreamPart) tellOfEnd(js *jetstream.Server, every time.Duration) (end func()) {
	written := func() (n uint64) {
		r, _ := js.Storage()
		for _, bytes := range r.Written {
			n += bytes
		}
		return n
	}
	began := written()
	return tellOf(p, every, began, written, func(n uint64, took time.Duration) string {
		return fmt.Sprintf("closing streams: %s written, %v so far", readable(int64(n-began)), took.Round(time.Second))
	})
}

// tellOf tells the service manager every so often how far something is, and asks it to wait each time that it got further.
func tellOf[T comparable](p *jetStreamPart, every time.Duration, last T, far func() T, text func(T, time.Duration) string) (end func()) {
	stop, ended := make(chan struct{}), make(chan struct{})
	began := time.Now()
	go func() { // ends with end
		defer close(ended)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			now := far()
			p.d.warnOf("service manager", p.d.notify.Status(text(now, time.Since(began))))
			if now != last {
				p.d.warnOf("service manager", p.d.notify.ExtendTimeout(tellTimeout))
			}
			last = now
		}
	}()
	return func() {
		close(stop)
		<-ended
		if took := time.Since(began); took > time.Second {
			p.log.Info("JetStream: " + text(far(), took))
		}
	}
}

// recoveryText says how far a start is.
func recoveryText(r jetstream.Recovery, took time.Duration) string {
	return fmt.Sprintf("recovering streams: %s of %s, %s of the journal read, %v so far",
		grouped(uint64(r.Streams)), grouped(uint64(r.Of)), counted(r.Frames, "change"), took.Round(time.Second))
}
