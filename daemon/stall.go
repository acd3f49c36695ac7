//go:build !stallhook

package daemon

// armStall does nothing in builds that are shipped; see stall_debug.go.
func (d *Daemon) armStall() {}
