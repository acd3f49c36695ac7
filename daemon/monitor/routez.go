package monitor

import "time"

// RoutezOptions select what /routez shows. The JSON names are those of the
// system account's ROUTEZ request.
type RoutezOptions struct {
	Subscriptions       bool `json:"subscriptions"`
	SubscriptionsDetail bool `json:"subscriptions_detail"`
}

// Routez is what /routez shows.
type Routez struct {
	ID        string             `json:"server_id"`
	Name      string             `json:"server_name"`
	Now       time.Time          `json:"now"`
	Import    *SubjectPermission `json:"import,omitempty"`
	Export    *SubjectPermission `json:"export,omitempty"`
	NumRoutes int                `json:"num_routes"`
	Routes    []*RouteInfo       `json:"routes"`
}

// SubjectPermission lists subjects that are allowed and denied.
type SubjectPermission struct {
	Allow []string `json:"allow,omitempty"`
	Deny  []string `json:"deny,omitempty"`
}

// RouteInfo is one route connection.
type RouteInfo struct {
	RID          uint64             `json:"rid"`
	RemoteID     string             `json:"remote_id"`
	RemoteName   string             `json:"remote_name"`
	DidSolicit   bool               `json:"did_solicit"`
	IsConfigured bool               `json:"is_configured"`
	IP           string             `json:"ip"`
	Port         int                `json:"port"`
	Start        time.Time          `json:"start"`
	LastActivity time.Time          `json:"last_activity"`
	RTT          string             `json:"rtt,omitempty"`
	Uptime       string             `json:"uptime"`
	Idle         string             `json:"idle"`
	Import       *SubjectPermission `json:"import,omitempty"`
	Export       *SubjectPermission `json:"export,omitempty"`
	Pending      int64              `json:"pending_size"`
	InMsgs       int64              `json:"in_msgs"`
	OutMsgs      int64              `json:"out_msgs"`
	InBytes      int64              `json:"in_bytes"`
	OutBytes     int64              `json:"out_bytes"`
	NumSubs      uint32             `json:"subscriptions"`
	Subs         []string           `json:"subscriptions_list,omitempty"`
	SubsDetail   []SubDetail        `json:"subscriptions_list_detail,omitempty"`
	Account      string             `json:"account,omitempty"`
	Compression  string             `json:"compression,omitempty"`
}

// Routez answers /routez.
func (r *Reporter) Routez(o RoutezOptions) *Routez {
	now := r.now()
	z := &Routez{Now: now.UTC(), Routes: []*RouteInfo{}}
	z.ID, z.Name = r.identity()
	if r.src.Routes == nil {
		return z
	}
	z.NumRoutes = r.src.Routes.NumRoutes()
	z.Import, z.Export = r.src.Routes.Permissions()
	r.src.Routes.EachRoute(o.Subscriptions || o.SubscriptionsDetail, func(row *RouteRow) bool {
		info := row.RouteInfo
		info.Start, info.LastActivity = info.Start.UTC(), info.LastActivity.UTC()
		info.RTT = rttText(row.RoundTrip)
		info.Uptime = span(now.Sub(info.Start))
		info.Idle = span(now.Sub(info.LastActivity))
		switch {
		case o.SubscriptionsDetail:
			info.SubsDetail = clientSubDetails(nil, row.SubList, false)
		case o.Subscriptions:
			info.Subs = subjectsOf(nil, row.SubList)
		}
		z.Routes = append(z.Routes, &info)
		return true
	})
	return z
}
