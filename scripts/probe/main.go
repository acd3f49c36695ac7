// Command probe is the client of the package tests: a static program that runs
// inside the machines under test and says what a client saw.
//
//	probe once URL    publish, subscribe, queue group, request: prints ok, or exits 1
//	probe load URL    traffic until SIGTERM, then a report (JSON) on standard output
//	probe carry URL CLIENTS,RATE
//	                  clients that must not notice a restart, until SIGTERM: "running", then a report
//	probe stranger ADDRESS,ADDRESS...
//	                  publishes without credentials every 20 ms until SIGTERM, then a report
//	probe stream URL fill [N]|count|check N
//	                  a stream: N messages into it, or until SIGTERM, and the number of each that was
//	                  acknowledged; how many there are; are the first N there?
//	probe slow URL    a consumer that does not read before SIGUSR1; then ok, or exits 1
//	probe wait URL    a pull that waits, of a stream in memory, for what comes at SIGUSR1; then ok, or exits 1
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: probe once|load|carry|stranger|stream|slow|wait URL [ARGUMENT...]")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx, os.Args[1], os.Args[2], os.Args[3:]); err != nil {
		fmt.Fprintln(os.Stderr, "probe:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, verb, url string, more []string) error {
	switch verb {
	case "once":
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		if err := once(ctx, url); err != nil {
			return err
		}
		fmt.Println("ok")
		return nil
	case "load":
		report, err := load(ctx, url)
		if err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(report)
	case "carry":
		how := "1000,50000"
		if len(more) > 0 {
			how = more[0]
		}
		report, err := carry(ctx, url, how)
		if err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(report)
	case "stranger":
		return json.NewEncoder(os.Stdout).Encode(stranger(ctx, strings.Split(url, ",")))
	case "stream":
		if len(more) == 0 {
			return errors.New("stream: fill, count or check?")
		}
		return stream(ctx, url, more[0], more[1:])
	case "slow":
		return slow(ctx, url)
	case "wait":
		return wait(ctx, url)
	}
	return fmt.Errorf("unknown verb %q", verb)
}
