package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// topClient asks a monitoring address.
type topClient struct {
	http  *http.Client
	base  string
	token string
}

// topServer is the part of /varz that is shown.
type topServer struct {
	Name          string    `json:"server_name"`
	Version       string    `json:"version"`
	Build         topBuild  `json:"nats_broker"`
	Now           time.Time `json:"now"`
	Uptime        string    `json:"uptime"`
	CPU           float64   `json:"cpu"`
	Mem           int64     `json:"mem"`
	Connections   int       `json:"connections"`
	Routes        int       `json:"routes"`
	Subscriptions int       `json:"subscriptions"`
	Slow          int64     `json:"slow_consumers"`
	InMsgs        int64     `json:"in_msgs"`
	OutMsgs       int64     `json:"out_msgs"`
	InBytes       int64     `json:"in_bytes"`
	OutBytes      int64     `json:"out_bytes"`
	JetStream     struct {
		Config *struct{} `json:"config"` // nil: it is off
	} `json:"jetstream"`
}

// topBuild is which nats-broker it is; empty for a nats-server.
type topBuild struct {
	Version string `json:"version"`
}

// topConn is the part of a connection in /connz that is shown.
type topConn struct {
	CID      uint64 `json:"cid"`
	Name     string `json:"name"`
	IP       string `json:"ip"`
	Port     int    `json:"port"`
	Lang     string `json:"lang"`
	Version  string `json:"version"`
	Subs     int    `json:"subscriptions"`
	Pending  int64  `json:"pending_bytes"`
	RTT      string `json:"rtt"`
	Uptime   string `json:"uptime"`
	Idle     string `json:"idle"`
	InMsgs   int64  `json:"in_msgs"`
	OutMsgs  int64  `json:"out_msgs"`
	InBytes  int64  `json:"in_bytes"`
	OutBytes int64  `json:"out_bytes"`
}

// topSample is one look.
type topSample struct {
	topServer
	at      time.Time // of the figures of what is listed
	total   int
	conns   []topConn
	streams *topStreams // nil: there is no JetStream
	query   topQuery
}

// topQuery selects the connections of a look.
type topQuery struct {
	sort, account string
	offset, limit int
	streams       bool // instead of connections
}

func newTopClient(o topOptions, token string) (*topClient, error) {
	transport := &http.Transport{MaxIdleConns: 1, ForceAttemptHTTP2: false}
	c := &topClient{http: &http.Client{Transport: transport, Timeout: 10 * time.Second}, token: token}
	address := o.url
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	switch u.Scheme {
	case "http", "https":
		c.base = strings.TrimSuffix(u.String(), "/")
	case "unix":
		path, base := u.Path, ""
		if at := strings.LastIndex(path, ":/"); at >= 0 { // as in nginx: what stands behind is the path to ask for
			path, base = path[:at], path[at+1:]
		}
		c.base = strings.TrimSuffix((&url.URL{Scheme: "http", User: u.User, Host: "monitor", Path: base}).String(), "/")
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", path)
		}
	default:
		return nil, fmt.Errorf("%s is no address of monitoring: use http, https or unix", o.url)
	}
	transport.TLSClientConfig, err = topTLS(o)
	return c, err
}

func topTLS(o topOptions) (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.caFile != "" {
		pem, err := os.ReadFile(o.caFile)
		if err != nil {
			return nil, err
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate", o.caFile)
		}
	}
	if o.certFile != "" || o.keyFile != "" {
		pair, err := tls.LoadX509KeyPair(o.certFile, o.keyFile)
		if err != nil {
			return nil, err
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	return cfg, nil
}

// look asks for the server's figures and a page of connections.
func (c *topClient) look(ctx context.Context, q topQuery) (*topSample, error) {
	s := &topSample{query: q}
	if err := c.get(ctx, "/varz", &s.topServer); err != nil {
		return nil, err
	}
	if s.JetStream.Config != nil {
		var err error
		if s.streams, s.at, err = c.lookAtStreams(ctx, q); err != nil {
			return nil, err
		}
	}
	if q.streams {
		return s, nil
	}
	values := url.Values{"sort": {q.sort}, "offset": {strconv.Itoa(q.offset)}, "limit": {strconv.Itoa(q.limit)}}
	if q.account != "" {
		values.Set("acc", q.account)
	}
	var z struct {
		Now   time.Time `json:"now"`
		Total int       `json:"total"`
		Conns []topConn `json:"connections"`
	}
	if err := c.get(ctx, "/connz?"+values.Encode(), &z); err != nil {
		return nil, err
	}
	s.at, s.total, s.conns = z.Now, z.Total, z.Conns
	return s, nil
}

func (c *topClient) get(ctx context.Context, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path, nil)
	if err != nil {
		return err
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	res, err := c.http.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // the address may hold a password
		}
		switch text := err.Error(); {
		case strings.Contains(text, "malformed HTTP") && strings.Contains(text, "server_id"), c.greets(ctx): // an INFO
			err = errors.New("clients connect there; monitoring has an address of its own, see http in nats.conf(5)")
		case strings.Contains(text, "malformed HTTP"):
			err = errors.New("what answers does not speak HTTP") // it would be shown whole
		}
		return fmt.Errorf("asking %s: %w", topHost(c.base), err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s to %s", topHost(c.base), res.Status, path)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("%s%s is not NATS monitoring: %w", topHost(c.base), path, err)
	}
	return nil
}

// greets reports whether what is asked says INFO before it is asked anything, as clients are greeted: how the
// HTTP client takes that depends on which of the two is faster.
func (c *topClient) greets(ctx context.Context) bool {
	u, err := url.Parse(c.base)
	if err != nil || u.Scheme != "http" || u.Port() == "" {
		return false
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return false
	}
	defer conn.Close()
	_ = conn.SetReadDeadline(time.Now().Add(time.Second))
	word := make([]byte, len("INFO "))
	_, err = io.ReadFull(conn, word)
	return err == nil && string(word) == "INFO "
}

// topHost is the address without credentials.
func topHost(base string) string {
	u, err := url.Parse(base)
	if err != nil {
		return "the address"
	}
	u.User = nil
	return u.String()
}
