package generate

import (
	"math/rand/v2"
	"net/netip"
	"strings"
)

// dice makes all choices of one scenario.
type dice struct{ *rand.Rand }

func newDice(seed uint64, index int) dice {
	return dice{rand.New(rand.NewPCG(seed, uint64(index)))}
}

// chance is true in percent of a hundred times.
func (d dice) chance(percent int) bool { return d.IntN(100) < percent }

// between is a number of low to high, both included.
func (d dice) between(low, high int) int { return low + d.IntN(high-low+1) }

func pick[T any](d dice, choices ...T) T { return choices[d.IntN(len(choices))] }

// some is a part of the choices in a random order, of count low to high.
func some[T any](d dice, low, high int, choices ...T) []T {
	mixed := append([]T(nil), choices...)
	d.Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
	return mixed[:min(d.between(low, high), len(mixed))]
}

// within is an address of the prefix. The network's own address is not among them.
func (d dice) within(prefix string) string {
	network := netip.MustParsePrefix(prefix)
	bytes := network.Masked().Addr().AsSlice()
	free := len(bytes)*8 - network.Bits()
	for i := 0; i < free && i < 16; i++ {
		if d.chance(50) {
			bytes[len(bytes)-1-i/8] |= 1 << (i % 8)
		}
	}
	if bytes[len(bytes)-1] == 0 {
		bytes[len(bytes)-1] = byte(d.between(1, 254))
	}
	address, _ := netip.AddrFromSlice(bytes)
	return address.String()
}

// long is a DNS label as long as one can be.
func long(name string) string {
	return strings.TrimRight((name + "-" + strings.Repeat("long", 16))[:63], "-")
}
