package config

// checkAccounts looks at what accounts export to and import from each other.
func (d *decoder) checkAccounts(o *Options) {}
