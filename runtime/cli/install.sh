#!/bin/sh
# Installs reg: the binary, also by the name that containerd looks for, man pages, completion for three shells, and examples for the engines.
# Usage: install.sh PREFIX [DESTDIR]; REG names another binary than build/reg
set -eu
cd "$(dirname "$0")/../.."
prefix=$1
target=${2:-}$prefix
share=$target/share

install -D -m 0755 "${REG:-build/reg}" "$target/bin/reg"
ln -sf reg "$target/bin/containerd-shim-reg-v2"
install -d "$share/man/man8" "$share/bash-completion/completions" "$share/zsh/site-functions" "$share/fish/vendor_completions.d" \
    "$share/doc/reg/examples"
find dist/man -name '*.8' ! -name 'reg-env.8' -exec install -m 0644 -t "$share/man/man8" {} +
install -m 0644 dist/completion/reg.bash "$share/bash-completion/completions/reg"
install -m 0644 dist/completion/reg.zsh "$share/zsh/site-functions/_reg"
install -m 0644 dist/completion/reg.fish "$share/fish/vendor_completions.d/reg.fish"
install -m 0644 LICENSE README.md CHANGELOG.md "$share/doc/reg"
for example in conformance/release/examples/*; do
    sed "s|/usr/bin/|$prefix/bin/|g" "$example" >"$share/doc/reg/examples/$(basename "$example")"
    chmod 0644 "$share/doc/reg/examples/$(basename "$example")"
done
