package broker

import (
	"fmt"
	"net"
	"slices"
	"strconv"
)

// advertised returns where clients are told to find the server.
func (o *Options) advertised() (host string, port int, err error) {
	a := o.ClientAdvertise
	if a == "" {
		return o.Host, o.Port, nil
	}
	host, text, err := net.SplitHostPort(a)
	if err != nil {
		// Without a port, or with nothing before or behind the colon.
		return a, o.Port, nil
	}
	port, err = strconv.Atoi(text)
	if text == "" {
		port, err = o.Port, nil
	}
	if err != nil {
		return "", 0, fmt.Errorf("client advertise %q: invalid port", a)
	}
	if port <= 0 {
		port = o.Port
	}
	return host, port, nil
}

// check reports what cannot be meant.
func (o *Options) check() error {
	switch {
	case o.MaxPayload > maxFrame:
		return fmt.Errorf("max_payload (%d) cannot be higher than %d", o.MaxPayload, maxFrame)
	case o.MaxPending < int64(o.MaxPayload):
		return fmt.Errorf("max_payload (%v) cannot be higher than max_pending (%v)", o.MaxPayload, o.MaxPending)
	}
	_, _, err := o.advertised()
	return err
}

// SetConnectURLs changes where INFO tells clients to connect: all are the places of
// the whole cluster, others those of other servers, which are told in lame duck
// mode. Clients that take INFO at any time are told if something changed.
func (b *Broker) SetConnectURLs(all, others []string) {
	b.mu.Lock()
	same := slices.Equal(all, b.urls)
	b.urls, b.otherURLs = slices.Clone(all), slices.Clone(others)
	b.mu.Unlock()
	if !same {
		b.refreshInfo()
		b.tellAll()
	}
}

// SetWebURLs is SetConnectURLs for connections that come by doors whose URLs are those of WebSocket.
func (b *Broker) SetWebURLs(all, others []string) {
	b.mu.Lock()
	same := slices.Equal(all, b.webURLs[0])
	b.webURLs = [2][]string{slices.Clone(all), slices.Clone(others)}
	b.mu.Unlock()
	if !same {
		b.refreshInfo()
		b.tellAll()
	}
}

// WebURLs returns where WebSocket clients are told to connect.
func (b *Broker) WebURLs() []string {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return slices.Clone(b.webURLs[0])
}

// ConnectURLs returns where INFO tells clients to connect.
func (b *Broker) ConnectURLs() []string {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return slices.Clone(b.urls)
}

// tellAll sends INFO to the clients that take it at any time.
func (b *Broker) tellAll() {
	i := b.info()
	for _, c := range b.snapshot() {
		if c.has(flagAsyncInfo) && c.has(flagPonged) {
			c.sendInfo(i)
		}
	}
}

// sendInfo sends INFO to one client, behind what is queued for it.
func (c *Client) sendInfo(i Info) {
	c.broker.tells(c.by.door, &i)
	i.ClientID, i.ClientIP, i.MaxPayload = c.cid, c.address(), int(c.maxPayload.Load())
	c.Out.Send(i.frame())
}

// address returns the IP address the connection is from.
func (c *Client) address() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ip
}
