#!/bin/sh
# The callers of a Debian suite on today's kind of host: in a virtual machine with that suite's kernel, systemd and engines, and cgroup v2 alone.
#
#   callers.sh SUITE [ARGUMENT]...    trixie, sid ...; the arguments are run.ts's: --cases PATTERN, --runtimes reg,crun, callers' names
#
# The root and its disk are made once and kept in build/roots and build/vm (5 GB). What is tested is this checkout's build. With --write
# the tables go into conformance/callers/RESULTS-vm.md, for another suite than sid RESULTS-vm-SUITE.md, where those of callers that are not
# run stay. The processor is emulated: conformance/callers/machine.ts says what that leaves out.
set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
suite=${1:?"usage: callers.sh SUITE [ARGUMENT]..."}
shift
write='' arguments=''
for argument in "$@"; do
    if [ "$argument" = --write ]; then
        write=yes
    else
        arguments="$arguments '$argument'"
    fi
done

sh "$top/conformance/vm/setup.sh"
root=$(sh "$top/conformance/suites/engines.sh" "$suite" machine)
sh "$top/conformance/callers/setup.sh" interface

# A copy, as another build may change the checkout meanwhile.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
checkout=$work/checkout
mkdir -p "$work/results" "$checkout/build/callers" "$checkout/conformance/checkpoint"
cp -a "$top/dist" "$top/node_modules" "$top/package.json" "$checkout/"
cp "$top/conformance/checkpoint/criu.sh" "$checkout/conformance/checkpoint/"
cp -a "$top/build/reg" "$top/build/containerd-shim-reg-v2" "$top/build/tools" "$checkout/build/"
[ ! -e "$top/build/callers/cri" ] || cp -a "$top/build/callers/cri" "$checkout/build/callers/"

results=$top/conformance/callers/RESULTS-vm.md
[ "$suite" = sid ] || results=$top/conformance/callers/RESULTS-vm-$suite.md
[ -z "$write" ] || [ ! -e "$results" ] || cp "$results" "$work/results/table.md"
status=0
"$top/conformance/vm/machine.sh" -s -m 4096 -t 7200 -r "$root" -c "$checkout" -w "$work/results" "
    echo \"\$(uname -r), \$(systemctl --version | head -n 1)\"
    TMPDIR=/var/tmp COUNTERS_PACE=0.5 node dist/conformance/callers/run.js --machine --results /results/table.md $arguments" || status=$?
if [ -n "$write" ] && [ -s "$work/results/table.md" ]; then
    cp "$work/results/table.md" "$results"
    node "$top/dist/conformance/callers/suites.js"
fi
exit $status
