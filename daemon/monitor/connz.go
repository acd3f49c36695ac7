package monitor

import (
	"errors"
	"fmt"
	"math"
	"runtime"
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
	z, _, err := r.connz(o)
	return z, err
}

// connz also returns how many connections the filters let through.
func (r *Reporter) connz(o ConnzOptions) (z *Connz, matched int, err error) {
	order, err := o.check()
	if err != nil {
		return nil, 0, err
	}
	now := r.now()
	z = &Connz{Now: now.UTC(), Offset: o.Offset, Limit: o.Limit, Conns: []*ConnInfo{}}
	if r.src.Connections == nil {
		z.ID, _ = r.identity()
		return z, 0, nil
	}
	if o.Account != "" && (r.src.Accounts == nil || !r.src.Accounts.HasAccount(o.Account)) {
		z.Conns = nil // what nats-server sends for an unknown account: no id, null
		return z, 0, nil
	}
	z.ID, _ = r.identity()
	sel := &connSelection{r: r, o: &o, page: topK[connCandidate]{k: o.pageEnd(), less: order.lessAt(now, o.reverse)}}
	sel.gather()
	z.Total = sel.total
	for i, row := range sel.page.page(o.Offset) {
		if i%breath == breath-1 {
			runtime.Gosched()
		}
		if info := sel.describe(row, now); info != nil {
			z.Conns = append(z.Conns, info)
		}
	}
	z.NumConns = len(z.Conns)
	return z, sel.matched, nil
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

// breath is after how many connections a pass lets others run.
const breath = 256

// connSelection is one request's pass over the connections.
type connSelection struct {
	r       *Reporter
	o       *ConnzOptions
	page    topK[connCandidate]
	total   int // as nats-server counts: before user, client id and subject filters
	matched int // after all filters
}

func (s *connSelection) gather() {
	conns := s.r.src.Connections
	if s.o.State != ConnClosed {
		var cand connCandidate
		n := 0
		conns.EachConnection(func(row *ConnRow) bool {
			if n++; n%breath == 0 {
				runtime.Gosched()
			}
			if s.o.Account != "" && row.Account != s.o.Account {
				return true
			}
			s.total++
			if s.o.matches(row) && s.interested(row.CID) {
				cand.ConnRow = *row
				s.page.offer(&cand)
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
		s.total++
		if s.matched > 0 && s.o.CID > 0 || !s.o.matches(&c.ConnRow) {
			continue
		}
		s.page.offer(&connCandidate{ConnRow: c.ConnRow, closed: c})
		s.matched++
	}
}

// interested applies filter_subject to an open connection.
func (s *connSelection) interested(cid uint64) bool {
	if s.o.FilterSubject == "" {
		return true
	}
	c, ok := s.r.src.Connections.Connection(cid, true)
	if !ok {
		return false
	}
	for i := range c.Subs {
		if subject.Collide(s.o.FilterSubject, c.Subs[i].Subject) {
			return true
		}
	}
	return false
}

// describe makes the entry of one row of the page; nil when the connection has
// gone since.
func (s *connSelection) describe(row *connCandidate, now time.Time) *ConnInfo {
	c := row.closed
	if c == nil {
		open, ok := s.r.src.Connections.Connection(row.CID, s.o.Subscriptions || s.o.SubscriptionsDetail)
		if !ok {
			return nil
		}
		c = open
	}
	info := newConnInfo(c, now)
	switch {
	case s.o.SubscriptionsDetail:
		info.SubsDetail = clientSubDetails(c.Subs, row.closed != nil)
	case s.o.Subscriptions:
		info.Subs = subjectsOf(c.Subs)
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
	return info
}

func newConnInfo(c *Conn, now time.Time) *ConnInfo {
	info := &ConnInfo{
		CID: c.CID, Kind: c.Kind, Type: c.Type, IP: c.IP, Port: c.Port,
		Start: c.Start.UTC(), LastActivity: c.LastActivity.UTC(), Reason: c.Reason,
		RTT: rttText(c.RTT), Pending: c.Pending,
		InMsgs: c.InMsgs, OutMsgs: c.OutMsgs, InBytes: c.InBytes, OutBytes: c.OutBytes,
		Stalls: c.Stalls, NumSubs: c.NumSubs, Name: c.Name, Lang: c.Lang, Version: c.Version,
		MQTTClient: c.MQTTClient,
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
	return info
}
