// Command probe is the client of the package tests: a static program that runs
// inside the machines under test and says what a client saw.
//
//	probe once URL    publish, subscribe, queue group, request: prints ok, or exits 1
//	probe load URL    traffic until SIGTERM, then a report (JSON) on standard output
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: probe once|load URL")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx, os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "probe:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, verb, url string) error {
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
	}
	return fmt.Errorf("unknown verb %q", verb)
}
