package broker

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/nats-broker/nats-broker/daemon/proto"
	"github.com/nats-broker/nats-broker/daemon/subject"
	"github.com/nats-broker/nats-broker/daemon/sublist"
)

// A service import is a subscription of the importing account that sends what it
// matches on to the exporting account, under the subject there, with a reply
// subject of the exporting account in place of the requestor's. Answers to that
// come back through the table of replies.

// serviceImport is a ServiceImport in use.
type serviceImport struct {
	ServiceImport
	acc, to *Account // who imports, and from whom; set by attach
	local   string
	out     *subject.Transform // subjects here to subjects there
	sub     *Subscription
}

// serviceExport is a ServiceExport in use.
type serviceExport struct{ ServiceExport }

var anyExport = &serviceExport{ServiceExport{Threshold: defaultThreshold}}

func newServiceImport(i ServiceImport) (*serviceImport, error) {
	im := &serviceImport{ServiceImport: i, local: i.Local}
	if im.local == "" {
		im.local = i.Subject
	}
	in, err := subject.NewReversible(i.Subject, localDestination(im.local))
	if err != nil {
		return nil, err
	}
	if im.out, err = in.Reverse(); err != nil {
		return nil, err
	}
	im.local = im.out.Source()
	return im, nil
}

// attach puts the import into effect for an account.
func (im *serviceImport) attach(a *Account) {
	im.acc, im.to = a, a.broker.Account(im.Account)
	if im.to == nil {
		return
	}
	im.to.shares.replies.open(im.to)
	im.sub = newSubscription(nil, asBytes(im.local), nil, nil)
	im.sub.kind = kindInternal
	im.sub.more.Store(&subExtra{service: im})
	_, _ = a.index.Insert(im.sub) // the pattern is valid
}

func (im *serviceImport) detach() {
	if im.sub != nil {
		im.acc.index.Remove(im.sub)
	}
}

// exportOf returns how a service of the account is exported.
func (a *Account) exportOf(s string) *serviceExport {
	if sh := a.shares.now.Load(); sh != nil {
		for _, e := range sh.exports {
			if subject.IsSubset(s, e.Subject) {
				return e
			}
		}
	}
	return anyExport
}

// maxChain is through how many imports a request may go.
const maxChain = 16

// addService adds a service import to a plan.
func (s *sender) addService(p *plan, im *serviceImport) {
	if s.routed || s.depth >= maxChain {
		return // a peer's request has been through its own server's imports
	}
	s.depth++
	to := im.out.Apply(p.seen())
	st := &serviceStep{im: im, plan: s.mappedPlanOf(im.to, to), export: im.to.exportOf(to)}
	s.depth--
	if s.self != nil {
		st.asker = s.self.about(im.Share)
		st.info = infoLine(st.asker)
	}
	p.dependOn(im.to, st.plan)
	p.steps = append(p.steps, st)
}

// mappedPlanOf is planOf for what enters the account from another, whose mappings
// come first.
func (s *sender) mappedPlanOf(a *Account, to string) *plan {
	ways := a.waysFor(to)
	if len(ways) == 1 && ways[0].upto == 100 && !ways[0].to.Varies() {
		return s.planOf(a, ways[0].to.Apply(to))
	}
	if ways == nil {
		return s.planOf(a, to)
	}
	p := &plan{subject: to, hash: sublist.Hash(asBytes(to)), shard: sublist.ShardOf(asBytes(to))}
	acc := s.acc
	s.acc = a
	p.stamp = a.index.Stamp(p.shard)
	s.fillMapped(p, ways)
	s.acc = acc
	return p
}

// serviceStep sends requests on to the account of the service.
type serviceStep struct {
	im     *serviceImport
	export *serviceExport
	plan   *plan
	asker  *ClientInfo
	info   string // the header line that tells of the asker
}

func (st *serviceStep) deliver(s *sender, _ []byte, f *proto.Frame) bool {
	if s.depth >= maxChain {
		return false
	}
	g := *f
	var r *reply
	m := st.sampled(f)
	switch {
	case len(f.Reply) > 0:
		var name []byte
		r, name = st.im.to.shares.replies.add(st, s.acc, string(f.Reply), m)
		g.Reply = name
	case m != nil:
		m.failed(badRequest)
	}
	if st.info != "" {
		s.prependInfo(st.info, &g)
	} else {
		g.Tail = nil
	}
	foreign := s.foreign
	s.foreign = s.foreign || st.info != ""
	s.depth++
	delivered := s.within(st.im.to, st.plan, &g)
	s.depth--
	s.foreign = foreign
	if !delivered && r != nil {
		st.im.to.shares.replies.remove(r)
		if m != nil {
			m.failed(nobodyServes)
		}
	}
	return delivered
}

const requestInfo = "Nats-Request-Info"

// infoLine is the header line that tells a service who asks.
func infoLine(i *ClientInfo) string {
	text, err := json.Marshal(i)
	if err != nil {
		return ""
	}
	return requestInfo + ": " + string(text) + "\r\n"
}

// prependInfo rewrites a frame so that its header has the line, in place of one of
// the same name. The frame then lies in memory of the sender.
func (s *sender) prependInfo(line string, f *proto.Frame) {
	for len(s.made) <= s.depth {
		s.made = append(s.made, nil)
	}
	header, payload := "NATS/1.0\r\n", f.Body
	if f.Hdr > 0 {
		header, payload = asString(f.Body[:f.Hdr-2]), f.Body[f.Hdr:]
	}
	kept := cutHeader(header, requestInfo)
	hdr := len(header) - (kept.to - kept.from) + len(line) + 2
	size := hdr + len(payload) - 2

	b := s.made[s.depth][:0]
	if len(f.Reply) > 0 {
		b = append(append(b, f.Reply...), ' ')
	}
	hdrAt := len(b)
	b = append(strconv.AppendInt(b, int64(hdr), 10), ' ')
	sizeAt := len(b)
	b = strconv.AppendInt(b, int64(size), 10)
	lineEnd := len(b)
	b = append(b, "\r\n"...)
	body := len(b)
	b = append(append(b, header[:kept.from]...), header[kept.to:]...)
	b = append(append(append(b, line...), "\r\n"...), payload...)
	s.made[s.depth] = b

	f.Op, f.Hdr, f.Size = proto.HPub, hdr, size
	f.HdrText, f.SizeText = b[hdrAt:sizeAt-1], b[sizeAt:lineEnd]
	f.Tail, f.Body = b, b[body:]
}

// span is a part of a text.
type span struct{ from, to int }

// cutHeader finds the line of a header field; an empty span at the end if there is
// none.
func cutHeader(header, name string) span {
	for at := 0; at < len(header); {
		end := at
		for end < len(header) && header[end] != '\n' {
			end++
		}
		end = min(end+1, len(header))
		if len(header)-at > len(name) && header[at:at+len(name)] == name && header[at+len(name)] == ':' {
			return span{at, end}
		}
		at = end
	}
	return span{len(header), len(header)}
}

// replyStep sends an answer back to who asked.
type replyStep struct {
	r    *reply
	plan *plan
}

// addReply adds the way back of an answer to a plan.
func (s *sender) addReply(p *plan) {
	r := s.acc.shares.replies.find(p.seen())
	if r == nil || s.depth >= maxChain {
		return
	}
	s.depth++
	st := &replyStep{r: r, plan: s.planOf(r.to, r.subject)}
	s.depth--
	p.dependOn(r.to, st.plan)
	p.steps = append(p.steps, st)
}

func (st *replyStep) deliver(s *sender, _ []byte, f *proto.Frame) bool {
	r := st.r
	if !r.take(f.Size == 0) {
		return false
	}
	all := s.allGroups
	s.allGroups = true
	s.depth++
	g := *f
	delivered := s.within(r.to, st.plan, &g)
	s.depth--
	s.allGroups = all
	if delivered && r.sample != nil && s.routed && tracked(f.Subject) {
		r.sample.answeredElsewhere(string(f.Subject))
	}
	if r.done.Load() {
		s.acc.shares.replies.remove(r)
	}
	switch {
	case r.sample == nil:
	case delivered:
		r.sample.answered(s)
	default:
		r.sample.failed(nobodyWaits)
	}
	return delivered
}

// ClientInfo describes a connection to others, as nats-server 2.15.2 does in
// events and headers. Durations are nanoseconds.
type ClientInfo struct {
	Start      *time.Time    `json:"start,omitempty"`
	Host       string        `json:"host,omitempty"`
	ID         uint64        `json:"id,omitempty"`
	Account    string        `json:"acc,omitempty"`
	Service    string        `json:"svc,omitempty"`
	User       string        `json:"user,omitempty"`
	Name       string        `json:"name,omitempty"`
	Lang       string        `json:"lang,omitempty"`
	Version    string        `json:"ver,omitempty"`
	RTT        time.Duration `json:"rtt,omitempty"`
	Server     string        `json:"server,omitempty"`
	Cluster    string        `json:"cluster,omitempty"`
	Stop       *time.Time    `json:"stop,omitempty"`
	IssuerKey  string        `json:"issuer_key,omitempty"`
	NameTag    string        `json:"name_tag,omitempty"`
	Tags       []string      `json:"tags,omitempty"`
	Kind       string        `json:"kind,omitempty"`
	ClientType string        `json:"client_type,omitempty"`
}

// about describes a client; whole says all there is, otherwise its account and
// distance only.
func (c *Client) about(whole bool) *ClientInfo {
	o := c.broker.opts.Load()
	c.mu.Lock()
	defer c.mu.Unlock()
	i := &ClientInfo{Account: c.acc.name, RTT: c.ping.rtt}
	if !whole {
		return i
	}
	start := c.start.UTC()
	i.Start, i.Host, i.ID = &start, c.ip, c.cid
	i.Server, i.Cluster = c.broker.id, o.Cluster
	i.Kind, i.ClientType = "Client", "nats"
	if c.connect != nil {
		i.Name, i.Lang, i.Version = c.connect.Name, c.connect.Lang, c.connect.Version
	}
	if c.who != nil {
		i.User, i.IssuerKey, i.NameTag, i.Tags = c.who.User, c.who.IssuerKey, c.who.NameTag, c.who.Tags
	}
	return i
}
