#!/bin/sh
# Builds the programs of a cluster into ../bin/cluster-VERSION: sh conformance/cluster/build.sh 1.37.2
#
# All of them come as Go modules. Kubernetes' own are built with the versions that the release names, etcd and
# CoreDNS each with theirs. Needs Go; half an hour of processor time at the first build, seconds later.
set -eu
cd "$(dirname "$0")/.."
version=${1:?usage: build.sh VERSION}
etcd=v3.7.0
coredns=v1.15.0
mod=go.mod
grep -q "k8s.io/kubernetes v$version\$" go.mod || mod=versions/$version/go.mod
test -f "$mod" || { echo "build.sh: no $mod; see README.md on how to add a version" >&2; exit 2; }

out=$PWD/bin/cluster-$version
mkdir -p "$out"
export CGO_ENABLED=0 GOFLAGS=-mod=mod
cp "$mod" "bin/cluster-$version.mod"
cp "${mod%.mod}.sum" "bin/cluster-$version.sum"
for program in kubectl kube-proxy kube-controller-manager kube-apiserver; do
    go build -modfile="bin/cluster-$version.mod" -trimpath -p 2 \
        -ldflags="-X k8s.io/component-base/version.gitVersion=v$version" \
        -o "$out/$program" "k8s.io/kubernetes/cmd/$program"
done

# A module of its own for each: their dependencies are others.
other() {
    module=$1 package=$2 release=$3
    folder=$(mktemp -d)
    (
        cd "$folder"
        go mod init other >/dev/null 2>&1
        go get "$module@$release" >/dev/null 2>&1
        go build -p 2 -o "$out/$4" "$package"
    )
    rm -rf "$folder"
}
test -x "$out/etcd" || other go.etcd.io/etcd/server/v3 go.etcd.io/etcd/server/v3 "$etcd" etcd
test -x "$out/coredns" || other github.com/coredns/coredns github.com/coredns/coredns "$coredns" coredns
