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

// Stamp puts the level that the configuration needs into its metadata.
func (c *StreamConfig) Stamp() {
	m := make(map[string]string, len(c.Metadata)+1)
	for k, v := range c.Metadata {
		if k != metaVersion && k != metaLevel {
			m[k] = v
		}
	}
	m[metaRequired] = strconv.Itoa(c.requiredLevel())
	c.Metadata = m
}

// Answered returns the configuration as create, update and info show it.
func (c *StreamConfig) Answered() *StreamConfig {
	n := *c
	n.Metadata = make(map[string]string, len(c.Metadata)+2)
	maps.Copy(n.Metadata, c.Metadata)
	n.Metadata[metaVersion], n.Metadata[metaLevel] = ServerVersion, strconv.Itoa(Level)
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
