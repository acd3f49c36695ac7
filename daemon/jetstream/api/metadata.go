package api

import (
	"maps"
	"reflect"
	"strconv"
)

// Keys of metadata that belong to the server: the level that an asset needs is stored with it, version and
// level of the server are added to answers. A client's own values for them are dropped.
const (
	metaRequired = "_nats.req.level"
	metaVersion  = "_nats.ver"
	metaLevel    = "_nats.level"
)

// requiredLevel is the API level that a configuration needs.
func (c *StreamConfig) requiredLevel() int {
	switch {
	case c.AllowBatched:
		return 4
	case c.AllowCounter, c.AllowAtomic, c.AllowSchedules, c.PersistMode == PersistAsync:
		return 2
	case c.AllowMsgTTL, c.DeleteMarkerTTL > 0:
		return 1
	}
	return 0
}

// stamped returns metadata as it is stored: with the level that is needed, without what answers add.
func stamped(meta map[string]string, level int) map[string]string {
	m := make(map[string]string, len(meta)+1)
	for k, v := range meta {
		if k != metaVersion && k != metaLevel {
			m[k] = v
		}
	}
	m[metaRequired] = strconv.Itoa(level)
	return m
}

// answered returns metadata as answers show it: with the version and the level of the server.
func answered(meta map[string]string) map[string]string {
	m := make(map[string]string, len(meta)+2)
	maps.Copy(m, meta)
	m[metaVersion], m[metaLevel] = ServerVersion, strconv.Itoa(Level)
	return m
}

// Stamp puts the level that the configuration needs into its metadata.
func (c *StreamConfig) Stamp() {
	c.Metadata = stamped(c.Metadata, c.requiredLevel())
}

// Answered returns the configuration as create, update and info show it.
func (c *StreamConfig) Answered() *StreamConfig {
	n := *c
	n.Metadata = answered(c.Metadata)
	return &n
}

// SameAs reports whether a stream that exists is what the request asks for. What the server wrote into
// metadata does not count.
func (c *StreamConfig) SameAs(stored *StreamConfig) bool {
	return reflect.DeepEqual(withoutMeta(c), withoutMeta(stored))
}

func withoutMeta(c *StreamConfig) *StreamConfig {
	n := *c
	n.Metadata = maps.Clone(c.Metadata)
	maps.DeleteFunc(n.Metadata, func(k, _ string) bool { return k == metaRequired || k == metaVersion || k == metaLevel })
	if len(n.Metadata) == 0 {
		n.Metadata = nil
	}
	return &n
}
