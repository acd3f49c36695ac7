package config

import (
	"strings"

	"github.com/nats-broker/nats-broker/confparse"
)

// domainName checks a JetStream domain. The names that subjects of JetStream have in its place cannot be one.
func domainName(value any) string {
	name := value.(string)
	switch {
	case strings.ContainsAny(name, " \t\r\n.*>"):
		return "JetStream domain must be one token of a subject, without wildcards"
	case name == "API" || name == "ACK" || name == "FC" || name == "SNAPSHOT" || name == "EVENT":
		return "JetStream domain cannot be a word that other subjects of JetStream have in its place"
	}
	return ""
}

// checkJetStream looks at what JetStream cannot be used with.
func (d *decoder) checkJetStream(o *Options) {
	j := &o.JetStream
	inner, top := d.at("jetstream.store_dir"), d.at("store_dir")
	switch {
	case o.StoreDir == "":
	case j.StoreDir == "" || rankOf(top) > rankOf(inner):
		j.StoreDir = o.StoreDir
	case rankOf(top) == rankOf(inner):
		d.wrong("store_dir", "Duplicate 'store_dir' configuration").WithNote(inner, "store_dir is set here")
	}
	if j.Enabled && o.Cluster.Enabled() {
		e := d.wrong("jetstream", "jetstream in a cluster is not supported yet by nats-broker: streams are not replicated between servers")
		if at := d.at("cluster"); !at.IsZero() {
			e.WithNote(at, "the cluster is here")
		}
	}
}

// rankOf is the rank of the layer that a value is of.
func rankOf(s confparse.Span) int {
	if s.IsZero() {
		return -1
	}
	return layerRank(s.Source().Layer())
}
