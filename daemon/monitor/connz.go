package monitor

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"time"

	"github.com/nats-broker/nats-broker/daemon/subject"
)

// DefaultPage is how many connections or subscriptions are shown when limit is
// not given.
const DefaultPage = 1024

// ConnState selects open, closed or all connections. In JSON it is a number.
type ConnState int

// The states ?state= can name.
const (
	ConnOpen ConnState = iota
	ConnClosed
	ConnAll
)

// ConnzOptions select and order what /connz shows. The JSON names are those of
// the system account's CONNZ request.
type ConnzOptions struct {
	Sort                ConnSort  `json:"sort"`
	Username            bool      `json:"auth"` // show user, account, JWT, certificates
	Subscriptions       bool      `json:"subscriptions"`
	SubscriptionsDetail bool      `json:"subscriptions_detail"`
	Offset              int       `json:"offset"`
	Limit               int       `json:"limit"`
	CID                 uint64    `json:"cid"`
	MQTTClient          string    `json:"mqtt_client"`
	State               ConnState `json:"state"`
	User                string    `json:"user"`
	Account             string    `json:"acc"`
	FilterSubject       string    `json:"filter_subject"`

	// For the dashboard, no part of NATS: free text, in lower case, to find in
	// name, address, user, account, client library and id; and the order turned
	// around.
	search  string
	reverse bool
}

// Connz is what /connz shows.
type Connz struct {
	ID       string      `json:"server_id"`
	Now      time.Time   `json:"now"`
	NumConns int         `json:"num_connections"`
	Total    int         `json:"total"`
	Offset   int         `json:"offset"`
	Limit    int         `json:"limit"`
	Conns    []*ConnInfo `json:"connections"`
}

// ConnInfo is one connection in /connz.
type ConnInfo struct {
	CID            uint64        `json:"cid"`
	Kind           string        `json:"kind,omitempty"`
	Type           string        `json:"type,omitempty"`
	IP             string        `json:"ip"`
	Port           int           `json:"port"`
	Start          time.Time     `json:"start"`
	LastActivity   time.Time     `json:"last_activity"`
	Stop           *time.Time    `json:"stop,omitempty"`
	Reason         string        `json:"reason,omitempty"`
	RTT            string        `json:"rtt,omitempty"`
	Uptime         string        `json:"uptime"`
	Idle           string        `json:"idle"`
	Pending        int64         `json:"pending_bytes"`
	InMsgs         int64         `json:"in_msgs"`
	OutMsgs        int64         `json:"out_msgs"`
	InBytes        int64         `json:"in_bytes"`
	OutBytes       int64         `json:"out_bytes"`
	Stalls         int64         `json:"stalls,omitempty"`
	NumSubs        uint32        `json:"subscriptions"`
	Name           string        `json:"name,omitempty"`
	Lang           string        `json:"lang,omitempty"`
	Version        string        `json:"version,omitempty"`
	TLSVersion     string        `json:"tls_version,omitempty"`
	TLSCipher      string        `json:"tls_cipher_suite,omitempty"`
	TLSPeerCerts   []TLSPeerCert `json:"tls_peer_certs,omitempty"`
	TLSFirst       bool          `json:"tls_first,omitempty"`
	AuthorizedUser string        `json:"authorized_user,omitempty"`
	Account        string        `json:"account,omitempty"`
	Subs           []string      `json:"subscriptions_list,omitempty"`
	SubsDetail     []SubDetail   `json:"subscriptions_list_detail,omitempty"`
	JWT            string        `json:"jwt,omitempty"`
	IssuerKey      string        `json:"issuer_key,omitempty"`
	NameTag        string        `json:"name_tag,omitempty"`
	Tags           []string      `json:"tags,omitempty"`
	MQTTClient     string        `json:"mqtt_client,omitempty"`
	Proxy          *ProxyKey     `json:"proxy,omitempty"`
}

// TLSPeerCert names a client's certificate; the checksums are SHA-256 in hex.
type TLSPeerCert struct {
	Subject    string `json:"subject,omitempty"`
	SPKISha256 string `json:"spki_sha256,omitempty"`
	CertSha256 string `json:"cert_sha256,omitempty"`
}

// defaultAccount is the account of clients that name none; /connz does not
// repeat it on every connection.
const defaultAccount = "$G"

// Connz answers /connz. Its cost is one pass over the open connections' rows,
// plus the details of the page that is shown.
func (r *Reporter) Connz(o ConnzOptions) (*Connz, error) {
	z, sel, err := r.connz(o)
	if err != nil {
		return nil, err
	}
	for info := range sel.infos() {
		shown := *info
		shown.Subs, shown.SubsDetail = slices.Clone(info.Subs), slices.Clone(info.SubsDetail)
		z.Conns = append(z.Conns, &shown)
	}
	return z, nil
}

// connz returns the answer without its list, and the selection that has it.
func (r *Reporter) connz(o ConnzOptions) (*Connz, *connSelection, error) {
	order, err := o.check()
	if err != nil {
		return nil, nil, err
	}
	now := r.now()
	z := &Connz{Now: now.UTC(), Offset: o.Offset, Limit: o.Limit, Conns: []*ConnInfo{}}
	sel := &connSelection{r: r, o: &o, now: now}
	if r.src.Connections == nil {
		z.ID, _ = r.identity()
		return z, sel, nil
	}
	if o.Account != "" && (r.src.Accounts == nil || !r.src.Accounts.HasAccount(o.Account)) {
		z.Conns = nil // what nats-server sends for an unknown account: no id, null
		return z, sel, nil
	}
	z.ID, _ = r.identity()
	sel.gather(order.lessAt(now, o.reverse))
	z.Total, z.NumConns = sel.matched, len(sel.page)
	return z, sel, nil
}

// check fills in defaults and refuses what does not fit together.
func (o *ConnzOptions) check() (order connOrder, err error) {
	if o.Sort == "" {
		o.Sort = ByCID
	}
	order, known := connOrders[o.Sort]
	switch {
	case !known:
		return order, fmt.Errorf("invalid sorting option: %s", o.Sort)
	case o.Sort == ByStop && o.State != ConnClosed:
		return order, errors.New("sort by stop only valid on closed connections")
	case o.Sort == ByReason && o.State != ConnClosed:
		return order, errors.New("sort by reason only valid on closed connections")
	}
	if o.FilterSubject == ">" {
		o.FilterSubject = ""
	}
	if o.FilterSubject != "" && o.Account == "" {
		return order, errors.New("filter by subject only valid with account filtering")
	}
	o.Offset = max(o.Offset, 0)
	if o.Limit <= 0 {
		o.Limit = DefaultPage
	}
	if o.CID > 0 {
		o.Limit = 1
	}
	return order, nil
}

// subsShown is what a page needs to know of subscriptions.
func (o *ConnzOptions) subsShown() SubsShown {
	switch {
	case o.SubscriptionsDetail:
		return SubsCounted
	case o.Subscriptions:
		return SubsNamed
	}
	return NoSubs
}

// pageEnd is the number of rows to keep so that the page can be cut from them.
func (o *ConnzOptions) pageEnd() int {
	if o.Offset > math.MaxInt-o.Limit {
		return math.MaxInt
	}
	return o.Offset + o.Limit
}

// connCandidate is a row on its way into the page; closed points to the shared
// record of a closed connection, nil for an open one.
type connCandidate struct {
	ConnRow
	closed *Conn
}

// connSelection is one request's pass over the connections, and what it chose.
type connSelection struct {
	r       *Reporter
	o       *ConnzOptions
	now     time.Time
	pace    pacer
	page    []*connCandidate
	matched int  // after all filters, before the page is cut
	scratch Conn // the connection that is looked at
}

// gather passes over all connections and keeps the page.
func (s *connSelection) gather(less func(a, b *connCandidate) bool) {
	conns := s.r.src.Connections
	top := topK[connCandidate]{k: s.o.pageEnd(), less: less}
	defer func() { s.page = top.page(s.o.Offset) }()
	if s.o.State != ConnClosed {
		top.expect(conns.NumConnections())
		var cand connCandidate
		conns.EachConnection(func(row *ConnRow) bool {
			s.pace.step()
			if s.o.Account != "" && row.Account != s.o.Account {
				return true
			}
			if s.o.matches(row) && s.interested(row.CID) {
				cand.ConnRow = *row
				top.offer(&cand)
				s.matched++
			}
			return true
		})
	}
	if s.o.State == ConnOpen {
		return
	}
	for _, c := range conns.ClosedConnections() {
		if s.o.Account != "" && c.Account != s.o.Account {
			continue
		}
		if s.matched > 0 && s.o.CID > 0 || !s.o.matches(&c.ConnRow) {
			continue
		}
		top.offer(&connCandidate{ConnRow: c.ConnRow, closed: c})
		s.matched++
	}
}

// interested applies filter_subject to an open connection.
func (s *connSelection) interested(cid uint64) bool {
	if s.o.FilterSubject == "" {
		return true
	}
	if !s.r.src.Connections.Connection(cid, SubsNamed, &s.scratch) {
		return false
	}
	for i := range s.scratch.Subs {
		if subject.Collide(s.o.FilterSubject, s.scratch.Subs[i].Subject) {
			return true
		}
	}
	return false
}

// infos describes the connections of the page, one after the other in the same
// memory: what it yields, and its lists, are overwritten by the next.
func (s *connSelection) infos() iter.Seq[*ConnInfo] {
	return func(yield func(*ConnInfo) bool) {
		var info ConnInfo
		for _, row := range s.page {
			s.pace.step()
			s.describe(row, &info)
			if !yield(&info) {
				return
			}
		}
	}
}

// describe makes the entry of one row of the page. A connection that has gone
// since is shown as far as its row tells.
func (s *connSelection) describe(row *connCandidate, info *ConnInfo) {
	c := row.closed
	if c == nil {
		c = &s.scratch
		if !s.r.src.Connections.Connection(row.CID, s.o.subsShown(), c) {
			*c = Conn{ConnRow: row.ConnRow, Kind: "Client", Type: "nats", AccountTag: row.Account, Subs: c.Subs[:0]}
		}
	}
	info.set(c, s.now)
	switch {
	case s.o.SubscriptionsDetail:
		info.SubsDetail = clientSubDetails(info.SubsDetail, c.Subs, row.closed != nil)
	case s.o.Subscriptions:
		info.Subs = subjectsOf(info.Subs, c.Subs)
	}
	if s.o.Username {
		info.AuthorizedUser = c.User
		if c.Account != defaultAccount {
			info.Account = c.Account
		}
		info.JWT, info.IssuerKey, info.Tags, info.NameTag = c.JWT, c.IssuerKey, c.Tags, c.AccountTag
		if row.closed != nil && c.Account == defaultAccount {
			info.NameTag = "" // as nats-server has it
		}
		if c.TLS != nil {
			info.TLSPeerCerts = c.TLS.Peer
		}
	}
}

// set overwrites the entry with what is shown without being asked for; it keeps
// the memory of its lists.
func (info *ConnInfo) set(c *Conn, now time.Time) {
	*info = ConnInfo{
		CID: c.CID, Kind: c.Kind, Type: c.Type, IP: c.IP, Port: c.Port,
		Start: c.Start.UTC(), LastActivity: c.LastActivity.UTC(), Reason: c.Reason,
		RTT: rttText(c.RTT), Pending: c.Pending,
		InMsgs: c.InMsgs, OutMsgs: c.OutMsgs, InBytes: c.InBytes, OutBytes: c.OutBytes,
		Stalls: c.Stalls, NumSubs: c.NumSubs, Name: c.Name, Lang: c.Lang, Version: c.Version,
		MQTTClient: c.MQTTClient, Subs: info.Subs[:0], SubsDetail: info.SubsDetail[:0],
	}
	if !c.Stop.IsZero() {
		stop := c.Stop.UTC()
		info.Stop, now = &stop, c.Stop
	}
	info.Uptime = span(now.Sub(c.Start))
	info.Idle = span(now.Sub(c.LastActivity))
	if c.TLS != nil {
		info.TLSVersion, info.TLSCipher, info.TLSFirst = c.TLS.Version, c.TLS.Cipher, c.TLS.First
	}
	if c.ProxyKey != "" {
		info.Proxy = &ProxyKey{Key: c.ProxyKey}
	}
}
