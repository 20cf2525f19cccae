#!/bin/sh
# Writes versions/VERSION/go.mod and go.sum for an older Kubernetes release: sh new-version.sh 1.36.3
# The release lists its staging modules as directories of its own tree; their released versions stand in.
set -eu
cd "$(dirname "$0")"
version=${1:?usage: new-version.sh VERSION}
dir=versions/$version
mkdir -p "$dir"
aside=$(mktemp -d)
trap 'rm -rf "$aside"' EXIT
upstream=$(cd "$aside" && echo 'module aside' > go.mod &&
    go mod download -json "k8s.io/kubernetes@v$version" | sed -n 's/^\t"GoMod": "\(.*\)",\{0,1\}$/\1/p')
{
    echo 'module rulegen/conformance'
    echo
    grep '^go ' "$upstream"
    echo
    echo "require k8s.io/kubernetes v$version"
    echo
    echo 'replace ('
    sed -n "s|^\(.*\) => ./staging/src/\(k8s.io/[a-z-]*\)\$|\t\2 => \2 v0.${version#1.}|p" "$upstream"
    echo ')'
} > "$dir/go.mod"
go mod tidy -modfile="$dir/go.mod"
