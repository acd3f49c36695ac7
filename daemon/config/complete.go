package config

import (
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-broker/nats-broker/confparse"
)

const (
	defaultHost       = "0.0.0.0"
	defaultTLSTimeout = 2 * time.Second
	defaultAuthTime   = 2 * time.Second
	defaultPoolSize   = 3
	// SystemAccountName is the account of server events if the configuration names none.
	SystemAccountName = "$SYS"
)

// defaultsText is the registry's defaults in the dialect: the layer below all others.
func defaultsText() string {
	var b strings.Builder
	b.Grow(1 << 10)
	writeDefaults(&b, registry(), new(Options), "")
	return b.String()
}

// writeDefaults uses some for its type only: what a row binds is asked of it.
func writeDefaults(b *strings.Builder, rows []*Option, some *Options, indent string) {
	for _, r := range rows {
		switch {
		case !r.Built(): // has no value to give a default to
		case r.Kind == Block && indent == "" && r.bind != nil && simple(r, some):
			b.WriteString(indent + r.Name + " {\n")
			writeDefaults(b, r.Fields(), some, indent+"  ")
			b.WriteString(indent + "}\n")
		case r.Default != "" && r.IsScalar() && r.bind != nil:
			b.WriteString(indent + r.Name + ": " + r.Default + "\n")
		}
	}
}

// simple reports whether a block of the top level is a part of the Options that exists without being written. The others (tls,
// authorization, cluster) get their defaults when they are.
func simple(r *Option, some *Options) bool {
	_, written := r.bind(some).(definer)
	return !written
}

// defaults returns Options with the registry's defaults.
func defaults() *Options {
	o := &Options{}
	tree, err := confparse.Parse("built-in defaults", []byte(defaultsText()), confparse.Options{
		Layer:     LayerDefault,
		LookupEnv: func(string) (string, bool) { return "", false },
	})
	d := &decoder{}
	d.fields(registry(), tree.Root.Fields(), o, "")
	if err != nil || len(d.errs) > 0 || len(d.warns) > 0 {
		panic("config: a default in the registry is not valid: " + defaultsText())
	}
	return o
}

// complete fills in what is derived from other options and turns the zeros that stand for "the default" into it, as
// nats-server does.
func complete(o *Options) {
	zeroDefaults(o)
	if o.Host == "" {
		o.Host = defaultHost
	}
	if o.Monitor.Host == "" {
		o.Monitor.Host = o.Host
	}
	o.Monitor.BasePath = basePath(o.Monitor.BasePath)
	if o.Limits.MaxConnections == 0 {
		o.Limits.MaxConnections = -1
	}
	if o.Log.TraceVerbose || o.Log.TraceHeaders {
		o.Log.Trace = true
	}
	if o.Authorization.Timeout == 0 {
		o.Authorization.Timeout = authTimeout(o.TLS)
	}
	if len(o.globalMappings) > 0 && o.account(globalAccount) == nil {
		o.Accounts = append(o.Accounts, Account{Name: globalAccount, Mappings: o.globalMappings})
		o.globalMappings = nil
	}
	completeOperator(o)
	completeWebSocket(o)
	completeCluster(o)
}

// zeroDefaults gives options of the top level that are 0 their default, where 0 says just that.
func zeroDefaults(o *Options) {
	fresh := sync.OnceValue(defaults)
	for _, r := range registry() {
		if !r.zeroIsDefault || r.bind == nil {
			continue
		}
		if v := reflect.ValueOf(r.bind(o)).Elem(); v.IsZero() {
			v.Set(reflect.ValueOf(r.bind(fresh())).Elem())
		}
	}
	if o.Log.Remote.Queue == 0 {
		o.Log.Remote.Queue = fresh().Log.Remote.Queue
	}
}

func basePath(p string) string {
	p = "/" + strings.Trim(p, "/")
	return p
}

func authTimeout(t TLS) time.Duration {
	if t.Defined {
		return t.Timeout + time.Second
	}
	return defaultAuthTime
}

func completeWebSocket(o *Options) {
	w := &o.WebSocket
	if !w.Enabled() {
		return
	}
	if w.Host == "" {
		w.Host = defaultHost
	}
	if w.Authorization.Timeout == 0 {
		w.Authorization.Timeout = authTimeout(w.TLS)
	}
}

func completeCluster(o *Options) {
	c := &o.Cluster
	if c.WriteTimeout == "" {
		c.WriteTimeout = "default"
	}
	if !c.Enabled() {
		return
	}
	c.Defined = true
	if c.Host == "" {
		c.Host = defaultHost
	}
	if c.Authorization.Timeout == 0 {
		c.Authorization.Timeout = authTimeout(c.TLS)
	}
	if c.PoolSize == 0 {
		c.PoolSize = defaultPoolSize
	}
	if c.PoolSize > 0 {
		system := o.SystemAccount
		if system == "" && !o.NoSystemAccount {
			system = SystemAccountName
		}
		if system != "" && !slices.Contains(c.Accounts, system) {
			c.Accounts = append(slices.Clone(c.Accounts), system)
		}
	}
	if c.Compression.Mode == "" {
		c.Compression.Mode = "accept"
	}
	if c.PingInterval == 0 {
		c.PingInterval = min(o.PingInterval, maxRoutePing)
	}
	if c.PingMax == 0 {
		c.PingMax = o.PingMax
	}
	if c.WriteDeadline == 0 {
		c.WriteDeadline = o.WriteDeadline
	}
}
