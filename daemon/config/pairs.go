package config

import (
	"crypto/tls"
	"errors"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"
)

// certPairs lists the certificates with their keys of every TLS block, each once.
func certPairs(o *Options) (list []CertPair) {
	eachBound(registry(), "", o, func(r *Option, _ string, block any) {
		if !r.IsBlock() {
			return
		}
		if c, ok := r.bind(block).(certified); ok {
			list = append(list, c.pairs()...)
		}
	})
	return slices.DeleteFunc(list, func(p CertPair) bool { return p.CertFile == "" || p.KeyFile == "" })
}

// Load reads both files; the error says why they are no pair.
func (p CertPair) Load() error {
	_, err := tls.LoadX509KeyPair(p.CertFile, p.KeyFile)
	return err
}

// half reports whether what is wrong may be that the other file is still to come: two that do not belong together, or
// only one.
func (p CertPair) half() bool {
	err := p.Load()
	return err != nil && (errors.Is(err, os.ErrNotExist) || strings.Contains(err.Error(), "does not match"))
}

// HalfRenewed finds a pair in use of which one file is new and the other is as it was, and which are no pair.
func HalfRenewed(old, new *Config) (pair CertPair, found bool) {
	before, now := digests(old), digests(new)
	for _, p := range certPairs(new.Options) {
		_, had := before[p.CertFile]
		_, hadKey := before[p.KeyFile]
		if had && hadKey && (before[p.CertFile] != now[p.CertFile]) != (before[p.KeyFile] != now[p.KeyFile]) && p.half() {
			return p, true
		}
	}
	return CertPair{}, false
}

func digests(c *Config) map[string]CertificateFile {
	m := map[string]CertificateFile{}
	for _, f := range c.Certificates {
		m[f.Path] = f
	}
	return m
}

// FreshHalf reports whether there is a pair that is none, and of which one file has come within the given time.
func FreshHalf(c *Config, within time.Duration) bool {
	return slices.ContainsFunc(certPairs(c.Options), func(p CertPair) bool {
		return (fresh(p.CertFile, within) || fresh(p.KeyFile, within)) && p.half()
	})
}

func fresh(path string, within time.Duration) bool {
	var st syscall.Stat_t
	return syscall.Stat(path, &st) == nil && time.Since(time.Unix(st.Ctim.Unix())) < within
}
