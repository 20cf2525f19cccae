#!/bin/sh
# Builds bin/recorder-VERSION over the proxiers of that Kubernetes release: sh conformance/build.sh 1.37.2
#
# The files under _inside are added to packages of k8s.io/kubernetes as they are compiled (go build -overlay),
# so that they reach what those packages do not export. Go refuses to overlay its module cache, hence the
# symbolic link, and a go.mod that leads there; the module itself is checked against go.sum before.
set -eu
cd "$(dirname "$0")"
version=${1:?usage: build.sh VERSION [vet]}
action=${2:-build}
mod=go.mod  # of the newest release; the others have theirs aside
grep -q "k8s.io/kubernetes v$version\$" go.mod || mod=versions/$version/go.mod
test -f "$mod" || { echo "build.sh: no $mod; see README.md on how to add a version" >&2; exit 2; }

tree=$PWD/bin/kubernetes-$version
mkdir -p bin
rm -f "$tree"
ln -s "$(go mod download -modfile="$mod" -json k8s.io/kubernetes | sed -n 's/^\t"Dir": "\(.*\)",\{0,1\}$/\1/p')" "$tree"
cp "$mod" "bin/$version.mod"
cp "${mod%.mod}.sum" "bin/$version.sum"
go mod edit -replace "k8s.io/kubernetes=./bin/kubernetes-$version" "bin/$version.mod"

# Up to 1.35 the function that _inside/pkg/proxy/nftables/supported.go stands in for is part of a larger file,
# which is compiled with another name for it.
proxier=pkg/proxy/nftables/proxier.go
sed 's/^func getNFTablesInterface(/func replacedNFTablesInterface(/' "$tree/$proxier" > "bin/$version.proxier"

# Files with a build constraint of another release stay out by themselves.
{
    printf '{"Replace": {\n"%s/%s": "%s/bin/%s.proxier"' "$tree" "$proxier" "$PWD" "$version"
    comma=,
    for file in $(cd _inside && find . -name '*.go' | sort); do
        printf '%s\n"%s/%s": "%s/_inside/%s"' "$comma" "$tree" "${file#./}" "$PWD" "${file#./}"
        comma=,
    done
    printf '\n}}\n'
} > "bin/$version.overlay.json"

# Kubernetes 1.36.2 is built with the tags kube1_33 to kube1_36: a file says since when it holds.
minor=${version#1.}
minor=${minor%%.*}
tags=$(seq -s, -f 'kube1_%g' 33 "$minor")

export CGO_ENABLED=0
set -- -modfile="bin/$version.mod" -overlay="bin/$version.overlay.json" -tags="$tags" -p=2
if test "$action" = vet; then
    go vet "$@" ./...
else
    go build "$@" -o "bin/recorder-$version" -ldflags="-X rulegen/conformance/record.Version=$version" ./cmd/recorder
fi
