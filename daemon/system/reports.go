package system

import (
	"errors"

	"github.com/nats-broker/nats-broker/daemon/service"
)

// The subjects of requests.
const (
	anyServer  = "$SYS.REQ.SERVER.PING"
	oneServer  = "$SYS.REQ.SERVER."
	anyAccount = "$SYS.REQ.ACCOUNT.*."
)

// ErrNoAnswer is returned by a [Report] that has nothing to say: another server has.
var ErrNoAnswer = errors.New("filtered response")

// reportHandlers are for the reports of the source and our own.
func (s *Service) reportHandlers() (list []service.Handler) {
	add := func(lane int, pattern string, f Handler) {
		list = append(list, s.handler(lane, pattern, f))
	}
	own := oneServer + s.broker.ID() + "."
	server := func(lane int, name string, f Handler) {
		add(lane, anyServer+"."+name, f)
		add(lane, own+name, f)
	}
	for name, report := range s.source.Servers {
		server(Requests, name, reporting(report))
	}
	server(Requests, "EXPVARZ", reporting(s.expvarz))
	server(Requests, "IPQUEUESZ", reporting(s.queuesz))
	server(Requests, "PROFILEZ", s.profilez)
	server(Pings, "STATSZ", s.statsz)
	server(Pings, "IDZ", s.idz)
	add(Pings, anyServer, s.statsz)
	add(Requests, own+"KICK", s.kick)
	add(Requests, own+"LDM", s.lameDuck)
	add(Requests, own+"RELOAD", s.reload)
	for name, report := range s.source.Accounts {
		add(Requests, anyAccount+name, reporting(report))
	}
	add(News, anyAccount+"CONNS", s.conns)
	add(News, countSubscribers, s.countSubscribers)
	for subject, f := range map[string]Handler{
		"$SYS.REQ.USER.*.INFO": reporting(s.userInfo),
		"$SYS.REQ.USER.INFO":   reporting(s.userInfo),
		debugSubscribers:       s.debugSubscribers,
	} {
		h := s.handler(Requests, subject, f)
		h.Scope = service.Here
		list = append(list, h)
	}
	return list
}

// reporting makes a handler of a report.
func reporting(report Report) Handler {
	return func(r *Request) {
		if r.Reply == "" {
			return
		}
		meant, err := r.Meant()
		if err != nil {
			r.Refuse(err)
			return
		}
		if !meant {
			return
		}
		switch data, err := report(r); {
		case errors.Is(err, ErrNoAnswer):
		case err != nil:
			e := asError(err)
			r.answer(func(si ServerInfo) any { return Envelope{Server: &si, Data: data, Error: e} }, "")
		default:
			r.Data(data)
		}
	}
}

// ServerID says which server there is, and no more.
type ServerID struct {
	Name string `json:"name"`
	Host string `json:"host"`
	ID   string `json:"id"`
}

// idz answers without an envelope.
func (s *Service) idz(r *Request) {
	r.Answer(func(si ServerInfo) any { return ServerID{Name: si.Name, Host: si.Host, ID: si.ID} })
}
