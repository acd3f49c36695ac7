package main

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/nats-broker/nats-broker/daemon/control"
)

// defaultMonitor is the address that top reads if no broker here tells of one.
const defaultMonitor = "http://127.0.0.1:8222"

// monitor asks the broker meant where its monitor is. If none was named, one that does not answer or has no monitor is
// passed over: a nats-server may be meant.
func (o *topOptions) monitor() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	client := control.Client{Path: (&talk{socket: o.socket, inst: o.instance}).path()}
	resp, err := client.Do(ctx, control.Request{Verb: control.VerbStatus})
	if err == nil && resp.Status != nil {
		i := slices.IndexFunc(resp.Status.Listeners, func(l control.Listener) bool { return l.URL != "" })
		if i >= 0 {
			return resp.Status.Listeners[i].URL, nil
		}
		err = errors.New("the broker has no monitor: set http in its configuration")
	}
	if o.socket == "" && o.instance == "" {
		return defaultMonitor, nil
	}
	return "", err
}
