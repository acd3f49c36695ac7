package monitor

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// Accountz is what /accountz shows: the names, or one account in detail.
type Accountz struct {
	ID            string       `json:"server_id"`
	Now           time.Time    `json:"now"`
	SystemAccount string       `json:"system_account,omitempty"`
	Accounts      []string     `json:"accounts,omitempty"`
	Account       *AccountInfo `json:"account_detail,omitempty"`
}

// AccountInfo is one account in detail.
type AccountInfo struct {
	Name        string                   `json:"account_name"`
	LastUpdate  time.Time                `json:"update_time"`
	IsSystem    bool                     `json:"is_system,omitempty"`
	Expired     bool                     `json:"expired"`
	Complete    bool                     `json:"complete"`
	JetStream   bool                     `json:"jetstream_enabled"`
	Leafs       int                      `json:"leafnode_connections"`
	Clients     int                      `json:"client_connections"`
	Subs        uint32                   `json:"subscriptions"`
	Mappings    map[string][]MapDest     `json:"mappings,omitempty"`
	Exports     []AccountExport          `json:"exports,omitempty"`
	Imports     []AccountImport          `json:"imports,omitempty"`
	JWT         string                   `json:"jwt,omitempty"`
	IssuerKey   string                   `json:"issuer_key,omitempty"`
	NameTag     string                   `json:"name_tag,omitempty"`
	Tags        []string                 `json:"tags,omitempty"`
	Claim       json.RawMessage          `json:"decoded_jwt,omitempty"`
	Validation  []ClaimIssue             `json:"validation_result_jwt,omitempty"`
	RevokedUser map[string]time.Time     `json:"revoked_user,omitempty"`
	Index       *IndexInfo               `json:"sublist_stats,omitempty"`
	Responses   map[string]AccountImport `json:"responses,omitempty"`
}

// MapDest is a destination of a subject mapping.
type MapDest struct {
	Subject string `json:"subject"`
	Weight  uint8  `json:"weight"`
	Cluster string `json:"cluster,omitempty"`
}

// AccountExport is something an account offers to others.
type AccountExport struct {
	Name             string               `json:"name,omitempty"`
	Subject          string               `json:"subject,omitempty"`
	Type             string               `json:"type,omitempty"` // "stream" or "service"
	TokenReq         bool                 `json:"token_req,omitempty"`
	Revocations      map[string]int64     `json:"revocations,omitempty"`
	ResponseType     string               `json:"response_type,omitempty"`
	Latency          *Latency             `json:"service_latency,omitempty"`
	Advertise        bool                 `json:"advertise,omitempty"`
	AllowTrace       bool                 `json:"allow_trace,omitempty"`
	ApprovedAccounts []string             `json:"approved_accounts,omitempty"`
	RevokedAct       map[string]time.Time `json:"revoked_activations,omitempty"`
}

// AccountImport is something an account uses of another.
type AccountImport struct {
	Name         string      `json:"name,omitempty"`
	Subject      string      `json:"subject,omitempty"`
	Account      string      `json:"account,omitempty"`
	Token        string      `json:"token,omitempty"`
	To           string      `json:"to,omitempty"`
	LocalSubject string      `json:"local_subject,omitempty"`
	Type         string      `json:"type,omitempty"`
	AllowTrace   bool        `json:"allow_trace,omitempty"`
	Invalid      bool        `json:"invalid"`
	Share        bool        `json:"share"`
	Tracking     bool        `json:"tracking"`
	TrackingHdr  http.Header `json:"tracking_header,omitempty"`
	Latency      *Latency    `json:"latency,omitempty"`
}

// Latency is a service's latency sampling.
type Latency struct {
	Sampling Sampling `json:"sampling"`
	Results  string   `json:"results"`
}

// Sampling is how many of the requests are sampled, in per cent. 0 stands for those
// that ask for it by a header, and is written as the word.
type Sampling int

// MarshalJSON implements [json.Marshaler].
func (s Sampling) MarshalJSON() ([]byte, error) {
	if s == 0 {
		return []byte(`"headers"`), nil
	}
	return strconv.AppendInt(nil, int64(s), 10), nil
}

// ClaimIssue is a finding of the validation of an account's claims.
type ClaimIssue struct {
	Description string `json:"description"`
	Blocking    bool   `json:"blocking"`
	Time        bool   `json:"time_check"`
}

// Accountz answers /accountz; name is empty for the list.
func (r *Reporter) Accountz(name string) (*Accountz, error) {
	id, _ := r.identity()
	z := &Accountz{ID: id, Now: r.now().UTC()}
	accounts := r.src.Accounts
	if accounts == nil {
		if name != "" {
			return nil, fmt.Errorf("Account %s does not exist", name) //nolint:staticcheck // the text is the protocol
		}
		return z, nil
	}
	z.SystemAccount = accounts.SystemAccount()
	if name != "" {
		info, ok := accounts.AccountDetail(name)
		if !ok {
			return nil, fmt.Errorf("Account %s does not exist", name) //nolint:staticcheck // the text is the protocol
		}
		z.Account = info
		return z, nil
	}
	accounts.EachAccount(func(row *AccountRow) bool {
		z.Accounts = append(z.Accounts, row.Name)
		return true
	})
	return z, nil
}

// AccstatzOptions select what /accstatz shows. The JSON names are those of the
// system account's STATZ request.
type AccstatzOptions struct {
	Accounts      []string `json:"accounts"` // empty: all
	IncludeUnused bool     `json:"include_unused"`
}

// Accstatz is what /accstatz shows.
type Accstatz struct {
	ID       string         `json:"server_id"`
	Now      time.Time      `json:"now"`
	Accounts []*AccountStat `json:"account_statz"`
}

// AccountStat is one account's figures.
type AccountStat struct {
	Account       string    `json:"acc"`
	Name          string    `json:"name"`
	Conns         int       `json:"conns"`
	Leafs         int       `json:"leafnodes"`
	TotalConns    int       `json:"total_conns"`
	NumSubs       uint32    `json:"num_subscriptions"`
	Sent          DataStats `json:"sent"`
	Received      DataStats `json:"received"`
	SlowConsumers int64     `json:"slow_consumers"`
}

// DataStats is traffic in total and of it by kind of connection.
type DataStats struct {
	MsgBytes
	Gateways *MsgBytes `json:"gateways,omitempty"`
	Routes   *MsgBytes `json:"routes,omitempty"`
	Leafs    *MsgBytes `json:"leafs,omitempty"`
}

// MsgBytes is an amount of traffic.
type MsgBytes struct {
	Msgs  int64 `json:"msgs"`
	Bytes int64 `json:"bytes"`
}

// Accstatz answers /accstatz. Accounts without connections are left out unless
// asked for.
func (r *Reporter) Accstatz(o AccstatzOptions) *Accstatz {
	id, _ := r.identity()
	z := &Accstatz{ID: id, Now: r.now().UTC(), Accounts: []*AccountStat{}}
	if r.src.Accounts == nil {
		return z
	}
	wanted := make(map[string]bool, len(o.Accounts))
	for _, name := range o.Accounts {
		wanted[name] = true
	}
	r.src.Accounts.EachAccount(func(row *AccountRow) bool {
		used := row.Clients > 0 || row.Leafs > 0
		if (len(wanted) == 0 || wanted[row.Name]) && (used || o.IncludeUnused) {
			z.Accounts = append(z.Accounts, newAccountStat(row))
		}
		return true
	})
	return z
}

func newAccountStat(row *AccountRow) *AccountStat {
	amount := func(t Traffic) *MsgBytes { return &MsgBytes{Msgs: t.Msgs, Bytes: t.Bytes} }
	return &AccountStat{
		Account: row.Name, Name: row.Tag, Conns: row.Clients, Leafs: row.Leafs,
		TotalConns: row.Clients + row.Leafs, NumSubs: row.Subs, SlowConsumers: row.SlowConsumers,
		Sent: DataStats{MsgBytes: *amount(row.Sent), Gateways: amount(row.SentGateways),
			Routes: amount(row.SentRoutes), Leafs: amount(row.SentLeafs)},
		Received: DataStats{MsgBytes: *amount(row.Received), Gateways: amount(row.RecvGateways),
			Routes: amount(row.RecvRoutes), Leafs: amount(row.RecvLeafs)},
	}
}
