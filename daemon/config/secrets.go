package config

import (
	"net/url"
	"reflect"
	"slices"
	"strings"

	"github.com/nats-broker/nats-broker/confparse"
)

// Secrets lists the secrets in the configuration, so that they can be masked wherever else they stand: the values of secret
// options, what their files hold, user information of URLs, and variables that look like one. In no order, each once. It
// may be asked of a configuration that is not valid, for what could be read of it.
func (c *Config) Secrets() []string {
	found := map[string]bool{}
	add := func(s string) {
		if s = strings.TrimSpace(s); s != "" {
			found[s] = true
		}
	}
	if c.Tree != nil {
		used := map[string]bool{}
		secretVariables(registry(), c.Tree, used)
		treeSecrets(registry(), c.Tree, used, add)
	}
	if c.Options != nil {
		heldSecrets(reflect.ValueOf(c.Options), "", add)
	}
	list := make([]string, 0, len(found))
	for s := range found {
		list = append(list, s)
	}
	slices.Sort(list)
	return list
}

// treeSecrets finds what Redact would mask.
func treeSecrets(rows []*Option, v *confparse.Value, used map[string]bool, add func(string)) {
	for _, e := range v.Fields().All() {
		row := find(rows, e.Key)
		switch {
		case row == nil && (used[e.Key] || secretive(e.Key)), row != nil && row.Secret:
			scalarSecrets(e.Value, add)
		case row == nil:
		case row.Kind == Resolving && strings.Contains(valueText(e.Value), "://"):
			scalarSecrets(e.Value, add)
		default:
			for _, child := range children(row, e.Value) {
				treeSecrets(row.Fields(), child, used, add)
			}
		}
	}
}

// scalarSecrets adds what is written as a secret value; of URLs user and password.
func scalarSecrets(v *confparse.Value, add func(string)) {
	for _, item := range v.Items() {
		scalarSecrets(item, add)
	}
	for _, e := range v.Fields().All() {
		scalarSecrets(e.Value, add)
	}
	if v.Kind() == confparse.Array || v.Kind() == confparse.Map {
		return
	}
	text, ok := v.Str()
	if !ok {
		if printed, err := confparse.PrintValue(v, 0); err == nil { // a password that is written as a number
			add(string(printed))
		}
		return
	}
	if u, err := url.Parse(text); err == nil && strings.Contains(text, "://") {
		urlSecrets(u, add)
		return
	}
	add(text)
}

// urlSecrets adds the password of a URL, or the token that stands alone.
func urlSecrets(u *url.URL, add func(string)) {
	if u == nil || u.User == nil {
		return
	}
	if password, ok := u.User.Password(); ok {
		add(password)
		return
	}
	add(u.User.Username())
}

// heldSecrets finds secrets in decoded options: what files of secrets hold is nowhere else.
func heldSecrets(v reflect.Value, name string, add func(string)) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if u, ok := reflect.TypeAssert[*url.URL](v); ok {
			urlSecrets(u, add)
		} else if !v.IsNil() {
			heldSecrets(v.Elem(), name, add)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				heldSecrets(v.Field(i), f.Name, add)
			}
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			heldSecrets(v.Index(i), name, add)
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			heldSecrets(v.MapIndex(k), name, add)
		}
	case reflect.String:
		if name == "Password" || name == "Token" || strings.HasSuffix(name, "Seed") {
			add(v.String())
		}
	}
}
