package jetstream

import (
	"time"

	"github.com/nats-broker/nats-broker/daemon/jetstream/api"
	"github.com/nats-broker/nats-broker/daemon/stream"
	"github.com/nats-broker/nats-broker/daemon/subject"
	"github.com/nats-broker/nats-broker/daemon/subjects"
)

// info is the stream as it is; with details, the sequences of deleted messages are listed.
func (s *Stream) info(details bool) *api.StreamInfo {
	i := &api.StreamInfo{
		Config: s.config.Load().Answered(), Created: s.created, State: s.state(details), Domain: s.acc.srv.options().Domain,
		Cluster: &api.Cluster{Leader: s.acc.srv.serverName()}, Now: time.Now().UTC(),
	}
	i.Mirror, i.Sources = s.origins() // behind the state, which is not to have more
	return i
}

// state is what the stream holds.
func (s *Stream) state(details bool) api.StreamState {
	s.reading.RLock()
	defer s.reading.RUnlock()
	st := s.log.State()
	out := api.StreamState{
		Msgs: st.Msgs, Bytes: st.Bytes, FirstSeq: st.First, FirstTime: utc(st.FirstTime), LastSeq: st.Last, LastTime: utc(st.LastTime),
		NumSubjects: st.Subjects,
	}
	out.Consumers = len(s.consumers.shown())
	if st.Msgs > 0 {
		out.NumDeleted = int(st.Last - st.First + 1 - st.Msgs)
	}
	if details && out.NumDeleted > 0 {
		s.log.Holes(func(r stream.Range) bool {
			for seq := r.From; seq <= r.To; seq++ {
				out.Deleted = append(out.Deleted, seq)
			}
			return true
		})
	}
	if lost := s.log.Lost(); len(lost) > 0 {
		out.Lost = &api.Lost{}
		for _, r := range lost {
			for seq := r.From; seq <= r.To; seq++ {
				out.Lost.Msgs = append(out.Lost.Msgs, seq)
			}
		}
	}
	return out
}

// streamInfo answers what a stream is.
func (a *account) streamInfo(r *request) {
	var q api.InfoRequest
	if api.IsDocument(r.body) && !a.decode(r, &q) {
		return
	}
	s := a.target(r, 3)
	if s == nil {
		return
	}
	out := api.InfoAnswer{Answer: r.op.Answer(), StreamInfo: s.info(q.Deleted)}
	if q.Subjects != "" {
		var err error
		if out.Page, out.State.Subjects, err = s.page(q.Subjects, max(q.Offset, 0)); err != nil {
			a.fail(r, api.StoreFailed.Error(unreadText))
			return
		}
	}
	a.respond(r, out)
}

// page counts messages by subject, from the one with a number on.
func (s *Stream) page(filter string, offset int) (api.Page, map[string]uint64, error) {
	var p api.Page
	by := map[string]uint64{}
	var err error
	s.look(func() {
		err = s.log.Subjects(subjects.NewFilter(filter), func(name []byte, t stream.Totals) bool {
			if p.Total >= offset && len(by) < api.MaxSubjects {
				by[string(name)] = t.Msgs
			}
			p.Total++
			return true
		})
	})
	if p.Total > 0 {
		p.Offset, p.Limit = offset, api.MaxSubjects
	}
	return p, by, err
}

// names lists the streams.
func (a *account) names(r *request) {
	var q api.NamesRequest
	if api.IsDocument(r.body) && !a.decode(r, &q) {
		return
	}
	list := a.meeting(q.Subject)
	out := api.NamesAnswer{Answer: r.op.Answer()}
	out.Page = page(len(list), q.Offset, api.MaxNames)
	for _, s := range list[out.Offset:min(out.Offset+api.MaxNames, len(list))] {
		out.Streams = append(out.Streams, s.Name())
	}
	a.respond(r, out)
}

// listStreams lists the streams with what they hold.
func (a *account) listStreams(r *request) {
	var q api.ListRequest
	if api.IsDocument(r.body) && !a.decode(r, &q) {
		return
	}
	list := a.meeting(q.Subject)
	out := api.ListAnswer{Answer: r.op.Answer(), Streams: []*api.StreamInfo{}}
	out.Page = page(len(list), q.Offset, api.MaxList)
	for _, s := range list[out.Offset:min(out.Offset+api.MaxList, len(list))] {
		i := s.info(false)
		i.Config, i.Cluster = s.config.Load(), nil
		out.Streams = append(out.Streams, i)
	}
	a.respond(r, out)
}

func page(total, offset, limit int) api.Page {
	return api.Page{Total: total, Offset: min(max(offset, 0), total), Limit: limit}
}

// meeting returns the streams that take messages on a subject; empty: all.
func (a *account) meeting(subject string) (list []*Stream) {
	for _, s := range a.list() {
		if subject == "" || meets(s, subject) {
			list = append(list, s)
		}
	}
	return list
}

func meets(s *Stream, filter string) bool {
	for _, p := range s.config.Load().Subjects {
		if subject.Collide(filter, p) {
			return true
		}
	}
	return false
}
