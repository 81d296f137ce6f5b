#!/bin/sh
# Makes npm's packages: `reg`, the library and reg-env, and `reg-linux-CPU`, the native binary, which is its optional dependency.
# Usage: npm.sh library|native VERSION ARCH WORK; dist.sh calls it.
set -eu
cd "$(dirname "$0")/../.."
what=$1 version=$2 arch=$3 work=$4
rm -rf "$work"
node dist/conformance/release/npm.js "$what" "$version" "$arch" "$work"
for package in "$work"/*; do
    (cd "$package" && npm pack --silent --ignore-scripts --pack-destination "$OLDPWD/dist" >/dev/null)
done
