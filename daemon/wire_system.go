package daemon

import (
	"github.com/nats-broker/nats-broker/daemon/config"
	"github.com/nats-broker/nats-broker/daemon/system"
)

// systemOptions translates the configuration for the system account's service.
func systemOptions(o *config.Options) system.Options {
	return system.Options{Tags: lower(o.Tags), Metadata: o.Metadata, FeatureFlags: o.FeatureFlags}
}
