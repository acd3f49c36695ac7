package daemon

import (
	"bytes"
	"fmt"

	"github.com/nats-broker/nats-broker/daemon/config"
)

// textOf is a configuration with the text that it was made from, which it forgets once it is in effect: the files are read
// again. ok is false if they say something else by now; then it is what they say.
func (d *Daemon) textOf(cfg *config.Config) (again *config.Config, ok bool) {
	if cfg.Tree != nil {
		return cfg, true
	}
	again, _, err := config.Load(d.loadRequest(cfg.File, nil))
	return again, err == nil && again.Digest == cfg.Digest
}

// effective writes the configuration in effect, with the origin of each value.
func (d *Daemon) effective() ([]byte, error) {
	cfg, ok := d.textOf(d.active.Load().cfg)
	var b bytes.Buffer
	if !ok {
		fmt.Fprintln(&b, "# The files have changed since they were read. This is what they say now, and not what is in effect.")
	}
	err := cfg.Show(&b, true, true)
	return b.Bytes(), err
}
