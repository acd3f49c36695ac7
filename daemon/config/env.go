package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/nats-broker/nats-broker/confparse"
)

// kubernetesLink tells the variables that Kubernetes sets for a service called nats-broker from ours: its
// NATS_BROKER_PORT is "tcp://10.0.0.1:4222".
func kubernetesLink(name, value string) bool {
	return strings.HasPrefix(name, envPrefix+"SERVICE_") || strings.HasPrefix(name, envPrefix+"PORT_") ||
		name == envPrefix+"PORT" && strings.Contains(value, "://")
}

// environment makes the layer of the variables NATS_BROKER_… in environ ("NAME=value"). Strings are taken as they
// stand; numbers, sizes and booleans are read as the dialect reads them. Variables that name no option are warned of.
func environment(environ []string) (*confparse.Value, problems) {
	var layer settings
	var found problems
	environ = slices.DeleteFunc(slices.Clone(environ), func(pair string) bool {
		name, value, _ := strings.Cut(pair, "=")
		return !strings.HasPrefix(name, envPrefix) || kubernetesLink(name, value)
	})
	if len(environ) == 0 { // as nearly always: nobody needs to know every name
		return layer.tree(), found
	}
	rows := map[string]*Option{}
	var known []string
	Walk(func(o *Option) {
		if env := o.Env(); env != "" {
			rows[env] = o
			known = append(known, env)
		}
	})
	slices.Sort(environ)
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		src := confparse.NewSource("environment variable "+name, LayerEnvironment, value).Mask()
		row := rows[name]
		if row == nil {
			w := confparse.Errorf(src.All(), "%s names no option", name)
			w.Secret = true
			if near := closest(name, lowerAll(known)); near != "" {
				w.WithHint("did you mean %q?", strings.ToUpper(near))
			}
			found.warns = append(found.warns, Warning{Error: w})
			continue
		}
		layer.set(row.Path, scalar(row, src))
	}
	return layer.tree(), found
}

// scalar reads the text of src as a value for row.
func scalar(row *Option, src *confparse.Source) *confparse.Value {
	text := strings.TrimSpace(src.Text())
	switch row.Kind {
	case String, Path, Subject, Word, SecretFile, Version:
		return confparse.NewString(src.All(), src.Text())
	}
	tree, err := confparse.Parse(src.Name(), []byte(fmt.Sprintf("value: %s\n", text)), confparse.Options{
		LookupEnv: func(string) (string, bool) { return "", false },
		ReadFile:  func(name string) ([]byte, error) { return nil, fmt.Errorf("no files here") },
	})
	if err == nil && tree.Root.Fields().Len() == 1 {
		v := tree.Root.Fields().All()[0].Value
		switch v.Kind() {
		case confparse.Bool:
			b, _ := v.Bool()
			return confparse.NewBool(src.All(), b)
		case confparse.Int:
			n, _ := v.Int()
			return confparse.NewInt(src.All(), n)
		case confparse.Float:
			f, _ := v.Float()
			return confparse.NewFloat(src.All(), f)
		}
	}
	return confparse.NewString(src.All(), text)
}
