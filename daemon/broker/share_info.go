package broker

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/nats-broker/nats-broker/daemon/proto"
)

const (
	requestInfo = "Nats-Request-Info"
	noHeader    = "NATS/1.0\r\n" // what a header without fields begins with
)

// told is what a service is told of who asks. It is immutable.
type told struct {
	who  *ClientInfo
	line string // of the header

	// The header of a request that has none of its own: its length between blanks, and
	// itself with a line end in front.
	length, header string
}

func newTold(i *ClientInfo) *told {
	t := &told{who: i, line: infoLine(i)}
	header := noHeader + t.line + "\r\n"
	t.length, t.header = " "+strconv.Itoa(len(header))+" ", "\r\n"+header
	return t
}

// tells returns what services are told of the sender's client; whole is as in [Client.about].
func (s *sender) tells(whole bool) *told {
	i := s.self.about(whole)
	if whole {
		return newTold(i)
	}
	if s.told == nil || s.told.who.Account != i.Account || s.told.who.RTT != i.RTT {
		s.told = newTold(i)
	}
	return s.told
}

// tellsBy returns what a service is told by an import, nil for nothing. What comes by an
// earlier import is told as it was there, with the account that asks on behalf of another.
func (s *sender) tellsBy(im *serviceImport) *told {
	before := s.via
	switch {
	case before == nil && s.source() != nil:
		return s.source().told
	case before == nil && s.self == nil:
		return nil
	case before == nil:
		return s.tells(im.Share && s.entry == Published)
	case before.told == nil:
		return nil
	}
	i := *before.told.who
	i.Service = s.acc.name
	if im.Share && !before.im.Share {
		o := s.acc.broker.opts.Load()
		i.Server, i.Cluster = o.ServerName, o.Cluster
	}
	return newTold(&i)
}

// infoLine is the header line that tells a service who asks.
func infoLine(i *ClientInfo) string {
	text, err := json.Marshal(i)
	if err != nil {
		return ""
	}
	return requestInfo + ": " + string(text) + "\r\n"
}

// fastBatch is how the reply subject of a message of a fast batch ends: what stands before it is for the stream.
const fastBatch = ".$FI"

// lineFor is the line that a service is told of one request, which is rewritten next: of a message of a fast batch it has the reply
// subject that it was published with.
func (st *serviceStep) lineFor(f *proto.Frame) string {
	reply := asString(f.Reply)
	if !strings.HasSuffix(reply, fastBatch) {
		if reply = st.saidReply(f); reply == "" {
			return st.told.line
		}
	}
	i := *st.told.who
	i.Reply = reply
	return infoLine(&i)
}

// saidReply is the reply subject that an import before this one has told of; empty: none.
func (st *serviceStep) saidReply(f *proto.Frame) string {
	if st.before == nil || f.Hdr <= 0 {
		return ""
	}
	header := asString(f.Body[:f.Hdr])
	cut := cutHeader(header, requestInfo)
	line := header[cut.from:cut.to]
	if !strings.Contains(line, `"reply":`) {
		return ""
	}
	var i ClientInfo
	if json.Unmarshal([]byte(line[len(requestInfo)+1:]), &i) != nil {
		return "" // what is not ours says nothing
	}
	return i.Reply
}

// prependInfo rewrites a frame so that its header has the line, in place of all of
// the same name: who receives it shall not read one that the client has made. The frame then lies in the nest.
func (n *nest) prependInfo(line string, f *proto.Frame) {
	header, payload := noHeader, f.Body
	if f.Hdr > len("\r\n") { // what is shorter is part of the payload from here on, as with nats-server
		header, payload = asString(f.Body[:f.Hdr-2]), f.Body[f.Hdr:]
	}
	hdr := len(header) - lengthOf(header, requestInfo) + len(line) + 2
	size := hdr + len(payload) - 2

	b := n.made[:0]
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
	b = appendWithout(b, header, requestInfo)
	b = append(append(append(b, line...), "\r\n"...), payload...)
	n.made = b

	f.Op, f.Hdr, f.Size = proto.HPub, hdr, size
	f.HdrText, f.SizeText = b[hdrAt:sizeAt-1], b[sizeAt:lineEnd]
	f.Tail, f.Body = b, b[body:]
}

// dropInfo rewrites a frame so that its header has no line that tells who asks. The frame
// then lies in the nest.
func (n *nest) dropInfo(f *proto.Frame) {
	if f.Hdr <= len("\r\n") {
		return // it has no lines
	}
	header, payload := asString(f.Body[:f.Hdr-2]), f.Body[f.Hdr:]
	b := n.made[:0]
	if len(f.Reply) > 0 {
		b = append(append(b, f.Reply...), ' ')
	}
	hdrAt := len(b)
	if f.Hdr -= lengthOf(header, requestInfo); f.Hdr == len(noHeader)+2 {
		f.Op, f.Hdr = proto.Pub, -1
	} else {
		b = append(strconv.AppendInt(b, int64(f.Hdr), 10), ' ')
	}
	f.Size = max(f.Hdr, 0) + len(payload) - 2
	sizeAt := len(b)
	b = strconv.AppendInt(b, int64(f.Size), 10)
	lineEnd := len(b)
	b = append(b, "\r\n"...)
	body := len(b)
	if f.Hdr > 0 {
		b = append(appendWithout(b, header, requestInfo), "\r\n"...)
	}
	n.made = append(b, payload...)
	b = n.made
	f.HdrText = nil
	if f.Hdr > 0 {
		f.HdrText = b[hdrAt : sizeAt-1]
	}
	f.SizeText, f.Tail, f.Body = b[sizeAt:lineEnd], b, b[body:]
}

// lengthOf returns how many bytes the lines of a header field take.
func lengthOf(header, name string) (n int) {
	for at := 0; at < len(header); {
		cut := cutHeader(header[at:], name)
		n, at = n+cut.to-cut.from, at+cut.to
	}
	return n
}

// appendWithout appends a header without the lines of a field.
func appendWithout(b []byte, header, name string) []byte {
	for len(header) > 0 {
		cut := cutHeader(header, name)
		b, header = append(b, header[:cut.from]...), header[cut.to:]
	}
	return b
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

// ClientInfo describes a connection to others, as nats-server 2.15.3 does in
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
	Reply      string        `json:"reply,omitempty"` // of a request as it was made, where that says something to the service
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
	i.Server, i.Cluster = o.ServerName, o.Cluster
	i.Kind, i.ClientType = "Client", c.by.door.Type
	if c.connect != nil {
		i.Name, i.Lang, i.Version = c.connect.Name, c.connect.Lang, c.connect.Version
	}
	if c.who != nil {
		i.User, i.IssuerKey, i.NameTag, i.Tags = c.who.User, c.who.IssuerKey, c.who.NameTag, c.who.Tags
	}
	return i
}
