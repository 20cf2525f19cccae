// Package timing measures the proxiers against fakes that take nearly no time.
package timing

import (
	"context"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"time"

	v1 "k8s.io/api/core/v1"
	"rulegen/conformance/record"
	"rulegen/conformance/scenario"
	"sigs.k8s.io/knftables"
)

// Step is the median of all runs, and what one run wrote.
type Step struct {
	Seconds float64 `json:"seconds"`
	written
}

// Result is what one mode took.
type Result struct {
	Kubernetes string `json:"kubernetes"`
	Mode       string `json:"mode"`
	Services   int    `json:"services"`
	Endpoints  int    `json:"endpointsPerService"`
	Runs       int    `json:"runs"`
	Processors int    `json:"processors"`
	// Feed is the handing over of decoded objects, as informers do it.
	Feed      Step `json:"feed"`
	FirstSync Step `json:"firstSync"`
	FullSync  Step `json:"fullSync"`
	// Change is a sync after one endpoint of one service got another address.
	Change   Step `json:"oneEndpointChange"`
	PeakRSS  int  `json:"peakRSSBytes"`
	HeapSize int  `json:"heapBytesAfter"`
	// Scenario is the cluster before the change, where texts are kept.
	Scenario *scenario.Scenario `json:"scenario,omitempty"`
}

// Run measures a cluster of that size. Every run has a new proxier. With texts the result has what
// iptables-restore was given in each step.
func Run(ctx context.Context, mode string, services, endpoints, runs int, texts bool) (*Result, error) {
	cluster := Cluster(services, endpoints, mode)
	result := &Result{
		Kubernetes: record.Version, Mode: mode, Services: services, Endpoints: endpoints,
		Runs: runs, Processors: runtime.GOMAXPROCS(0),
	}
	steps := []*Step{&result.Feed, &result.FirstSync, &result.FullSync, &result.Change}
	seconds := make([][]float64, len(steps))
	for range runs {
		wrote := &written{keep: texts}
		proxier, err := proxier(ctx, cluster, wrote)
		if err != nil {
			return nil, err
		}
		runtime.GC()
		for i, step := range work(proxier, cluster) {
			start := time.Now()
			step()
			seconds[i] = append(seconds[i], time.Since(start).Seconds())
			steps[i].written = wrote.take()
		}
		result.HeapSize = heap()
		runtime.KeepAlive(proxier)
	}
	for i, step := range steps {
		slices.Sort(seconds[i])
		step.Seconds = seconds[i][len(seconds[i])/2]
	}
	result.PeakRSS = peak()
	if texts {
		result.Scenario = cluster
	}
	return result, nil
}

// work is what is measured, one by one.
func work(proxier record.Proxier, cluster *scenario.Scenario) []func() {
	old := cluster.Slices[len(cluster.Slices)/2].DeepCopy()
	changed := old.DeepCopy()
	changed.Endpoints[0].Addresses = []string{"12.0.0.1"}
	return []func(){
		func() { record.Feed(proxier, cluster) },
		func() {
			proxier.OnServiceSynced()
			proxier.OnEndpointSlicesSynced()
		},
		func() {
			proxier.WantFullSync()
			proxier.SyncNow()
		},
		func() {
			proxier.OnEndpointSliceUpdate(old, changed)
			proxier.SyncNow()
		},
	}
}

func proxier(ctx context.Context, s *scenario.Scenario, wrote *written) (record.Proxier, error) {
	prepared, err := record.Prepare(ctx, s)
	if err != nil {
		return nil, err
	}
	family, iptables := v1.IPv4Protocol, tables{written: wrote}
	switch s.Mode {
	case "ipvs":
		return record.IPVS(ctx, s, prepared, family, iptables, newServers(wrote), newEntries(wrote), newLinks(wrote))
	case "nftables":
		return record.NFTables(ctx, s, prepared, family, func(family knftables.Family, name string) knftables.Interface {
			return table{knftables.NewFake(family, name), wrote}
		})
	default:
		return record.IPTables(ctx, s, prepared, family, iptables)
	}
}

func heap() int {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int(stats.HeapAlloc)
}

var highWater = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// peak is the most memory that this process ever had, in bytes, or 0 where the system does not tell.
func peak() int {
	status, _ := os.ReadFile("/proc/self/status")
	found := highWater.FindSubmatch(status)
	if found == nil {
		return 0
	}
	kilobytes, _ := strconv.Atoi(string(found[1]))
	return kilobytes * 1024
}
