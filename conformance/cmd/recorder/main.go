// Command recorder shows what the proxiers of a Kubernetes release make of scenarios.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"

	"k8s.io/klog/v2"
	"rulegen/conformance/generate"
	"rulegen/conformance/record"
	"rulegen/conformance/scenario"
	"rulegen/conformance/timing"
	"rulegen/conformance/valid"
)

const usage = `usage:
  recorder record [-keep-going] [-valid] < scenarios.jsonl > cases.jsonl
  recorder generate -seed S -count N [-first I] -mode MODE > scenarios.jsonl
  recorder time -services S -endpoints E -mode MODE > times.json
`

var commands = map[string]func(ctx context.Context, args []string, in io.Reader, out *bufio.Writer) error{
	"record":   recordAll,
	"generate": generateAll,
	"time":     timeOne,
}

func main() {
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	klog.SetLogger(klog.Logger{})
	out := bufio.NewWriterSize(os.Stdout, 1<<20)
	err := commands[os.Args[1]](record.Quiet(context.Background()), os.Args[2:], os.Stdin, out)
	if flushed := out.Flush(); err == nil {
		err = flushed
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "recorder %s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}

// recordAll writes each case as soon as it has it, so that another program can ask one at a time.
func recordAll(ctx context.Context, args []string, in io.Reader, out *bufio.Writer) error {
	flags := flag.NewFlagSet("record", flag.ExitOnError)
	keepGoing := flags.Bool("keep-going", false, "write an error in place of what is expected, and go on")
	check := flags.Bool("valid", false, "refuse what the API server would refuse")
	_ = flags.Parse(args)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	return scenario.Each(in, func(raw json.RawMessage, parsed *scenario.Scenario) error {
		done := scenario.Case{Scenario: raw}
		var err error
		if *check {
			err = valid.Objects(parsed)
		}
		if err == nil {
			done.Expected, err = record.Record(ctx, parsed)
		}
		if err != nil && !*keepGoing {
			return err
		}
		if err != nil {
			done.Error = err.Error()
		}
		if err := encoder.Encode(done); err != nil {
			return err
		}
		return out.Flush()
	})
}

func generateAll(_ context.Context, args []string, _ io.Reader, out *bufio.Writer) error {
	flags := flag.NewFlagSet("generate", flag.ExitOnError)
	seed := flags.Uint64("seed", 1, "the same seed gives the same scenarios")
	first := flags.Int("first", 0, "number of the first scenario")
	count := flags.Int("count", 100, "how many scenarios")
	mode := flags.String("mode", generate.IPTables, "iptables, ipvs or nftables")
	minor := flags.Int("minor", ownMinor(), "N of Kubernetes 1.N that they are for")
	_ = flags.Parse(args)
	for i := *first; i < *first+*count; i++ {
		made, err := generate.Scenario(*seed, i, *mode, *minor)
		if err != nil {
			return err
		}
		line, err := made.Encode()
		if err != nil {
			return err
		}
		if _, err := out.Write(line); err != nil {
			return err
		}
	}
	return nil
}

func ownMinor() int {
	var minor int
	_, _ = fmt.Sscanf(record.Version, "1.%d.", &minor)
	return minor
}

func timeOne(ctx context.Context, args []string, _ io.Reader, out *bufio.Writer) error {
	flags := flag.NewFlagSet("time", flag.ExitOnError)
	services := flags.Int("services", 10000, "how many Services")
	endpoints := flags.Int("endpoints", 10, "endpoints of each Service")
	mode := flags.String("mode", generate.IPTables, "iptables, ipvs or nftables")
	runs := flags.Int("runs", 3, "new proxiers to measure; the median counts")
	texts := flags.Bool("texts", false, "also print the cluster, and what iptables-restore was given")
	_ = flags.Parse(args)
	if *services < 1 || *endpoints < 1 || *runs < 1 {
		return fmt.Errorf("services, endpoints and runs are 1 or more")
	}
	result, err := timing.Run(ctx, *mode, *services, *endpoints, *runs, *texts)
	if err != nil {
		return err
	}
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(result)
}
