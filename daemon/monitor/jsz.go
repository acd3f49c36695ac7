package monitor

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-broker/nats-broker/daemon/jetstream/api"
)

// JszOptions say what /jsz shows. Their JSON names are those of the system account's JSZ request.
type JszOptions struct {
	Account          string `json:"account,omitempty"` // this one only
	Accounts         bool   `json:"accounts,omitempty"`
	Streams          bool   `json:"streams,omitempty"`
	Consumers        bool   `json:"consumer,omitempty"`
	DirectConsumers  bool   `json:"direct_consumer,omitempty"` // those that mirrors and sources have
	Config           bool   `json:"config,omitempty"`
	LeaderOnly       bool   `json:"leader_only,omitempty"` // a server on its own leads
	Offset           int    `json:"offset,omitempty"`      // in the list of accounts
	Limit            int    `json:"limit,omitempty"`       // 0: 1024; below: all
	Raft             bool   `json:"raft,omitempty"`
	StreamLeaderOnly bool   `json:"stream_leader_only,omitempty"`
}

const jszLimit = 1024

// Jsz is what /jsz shows.
type Jsz struct {
	JetStreamStats
	ID              string           `json:"server_id"`
	Now             time.Time        `json:"now"`
	Disabled        bool             `json:"disabled,omitempty"`
	Config          JetStreamConfig  `json:"config"`
	Limits          *JetStreamLimits `json:"limits,omitempty"`
	Streams         int              `json:"streams"`
	StreamsLeader   int              `json:"streams_leader,omitempty"`
	Consumers       int              `json:"consumers"`
	ConsumersLeader int              `json:"consumers_leader,omitempty"`
	Messages        uint64           `json:"messages"`
	Bytes           uint64           `json:"bytes"`
	AccountDetails  []*JszAccount    `json:"account_details,omitempty"`
	Total           int              `json:"total"` // accounts
}

// JszAccount is an account in detail.
type JszAccount struct {
	Name string `json:"name"`
	ID   string `json:"id"`
	JetStreamStats
	Streams []JszStream `json:"stream_detail,omitempty"`
}

// JszStream is a stream in detail.
type JszStream struct {
	Name      string              `json:"name"`
	Created   time.Time           `json:"created"`
	Cluster   *api.Cluster        `json:"cluster,omitempty"`
	Config    *api.StreamConfig   `json:"config,omitempty"`
	State     api.StreamState     `json:"state"`
	Consumers []*api.ConsumerInfo `json:"consumer_detail,omitempty"`
	Direct    []*api.ConsumerInfo `json:"direct_consumer_detail,omitempty"`
	Mirror    *api.SourceInfo     `json:"mirror,omitempty"`
	Sources   []*api.SourceInfo   `json:"sources,omitempty"`
}

// errNotLeader refuses ?leader-only= on a server that leads nothing.
var errNotLeader = errors.New("filtered response: not leader")

// Jsz answers /jsz.
func (r *Reporter) Jsz(o JszOptions) (*Jsz, error) {
	id, _ := r.identity()
	z := &Jsz{ID: id, Now: r.now().UTC()}
	js := r.jetStream()
	if js == nil {
		if o.LeaderOnly {
			return nil, errNotLeader
		}
		z.Disabled = true
		return z, nil
	}
	o.Streams = o.Streams || o.Consumers
	z.JetStreamStats, z.Config, z.Limits = js.Stats, js.Config, &js.Limits
	accounts := r.src.JetStream.Accounts()
	z.Total = len(accounts)
	for i := range accounts {
		z.add(&accounts[i], o.Raft)
	}
	var pace pacer
	for _, a := range o.choose(accounts) {
		z.AccountDetails = append(z.AccountDetails, o.detail(&a, &pace))
	}
	return z, nil
}

// add counts an account's streams.
func (z *Jsz) add(a *JetStreamAccount, leaders bool) {
	z.Streams += len(a.Streams)
	for _, s := range a.Streams {
		st := s.Report().State
		z.Messages += st.Msgs
		z.Bytes += st.Bytes
		z.Consumers += st.Consumers
		if leaders { // whatever is here is led here
			z.StreamsLeader++
			z.ConsumersLeader += st.Consumers
		}
	}
}

// choose returns the accounts that are to be shown: the one that is named, if it is there, or a page of all.
func (o *JszOptions) choose(all []JetStreamAccount) []JetStreamAccount {
	if i := slices.IndexFunc(all, func(a JetStreamAccount) bool { return a.ID == o.Account }); i >= 0 {
		return all[i : i+1]
	}
	if !o.Accounts && (!o.Streams || o.Account != "") {
		return nil
	}
	limit := o.Limit
	if limit == 0 {
		limit = jszLimit
	}
	if limit < 0 {
		return all
	}
	all = all[min(max(o.Offset, 0), len(all)):]
	return all[:min(limit, len(all))]
}

// detail describes an account as far as is asked.
func (o *JszOptions) detail(a *JetStreamAccount, pace *pacer) *JszAccount {
	z := &JszAccount{Name: a.Name, ID: a.ID, JetStreamStats: a.Stats}
	if !o.Streams {
		return z
	}
	for _, s := range a.Streams {
		pace.step()
		i := s.Report()
		d := JszStream{Name: s.Name(), Created: i.Created, Cluster: i.Cluster, State: i.State, Mirror: i.Mirror, Sources: i.Sources}
		if o.Config {
			d.Config = i.Config
		}
		if o.Consumers {
			s.EachConsumer(func(c *api.ConsumerInfo, _ time.Duration) {
				pace.step()
				to := &d.Consumers
				if c.Config != nil && c.Config.Direct {
					if !o.DirectConsumers {
						return
					}
					to = &d.Direct
				}
				if !o.Config {
					c.Config = nil
				}
				*to = append(*to, c)
			})
		}
		z.Streams = append(z.Streams, d)
	}
	return z
}

// JszAccount answers for one account.
func (r *Reporter) JszAccount(name string, o JszOptions) (*JszAccount, error) {
	if r.jetStream() == nil {
		return nil, errors.New("jetstream not enabled")
	}
	if src := r.src.Accounts; src == nil || !src.HasAccount(name) {
		return nil, fmt.Errorf("account %q not found", name)
	}
	for _, a := range r.src.JetStream.Accounts() {
		if a.ID == name {
			return o.detail(&a, new(pacer)), nil
		}
	}
	return nil, fmt.Errorf("account %q not jetstream enabled", name)
}
