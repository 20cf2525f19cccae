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
)

const usage = `usage:
  recorder record < scenarios.jsonl > cases.jsonl
  recorder generate -seed S -count N [-first I] -mode MODE > scenarios.jsonl
`

var commands = map[string]func(ctx context.Context, args []string, in io.Reader, out io.Writer) error{
	"record":   recordAll,
	"generate": generateAll,
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

func recordAll(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	flags := flag.NewFlagSet("record", flag.ExitOnError)
	_ = flags.Parse(args)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	return scenario.Each(in, func(raw json.RawMessage, parsed *scenario.Scenario) error {
		expected, err := record.Record(ctx, parsed)
		if err != nil {
			return err
		}
		return encoder.Encode(scenario.Case{Scenario: raw, Expected: expected})
	})
}

func generateAll(_ context.Context, args []string, _ io.Reader, out io.Writer) error {
	flags := flag.NewFlagSet("generate", flag.ExitOnError)
	seed := flags.Uint64("seed", 1, "the same seed gives the same scenarios")
	first := flags.Int("first", 0, "number of the first scenario")
	count := flags.Int("count", 100, "how many scenarios")
	mode := flags.String("mode", generate.IPTables, "iptables, ipvs or nftables")
	minor := flags.Int("minor", record.Minor, "N of Kubernetes 1.N")
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
