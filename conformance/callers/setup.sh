#!/bin/sh
# Installs the callers: podman, conmon, buildah, containerd and the peers crun and runc (Debian packages, as root). Docker's engine is
# only unpacked, into build/callers/docker: its package would start a daemon. The validation suite runtime-tools is built. What can not be had
# is said, and the cases that need it are skipped.
#
#   setup.sh [CALLER]...       without names: all
#   setup.sh interface         CRI's interface alone, for callers that are installed elsewhere
set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)

say() {
    echo "callers: $*" >&2
}

has() {
    command -v "$1" >/dev/null
}

[ $# -gt 0 ] || set -- podman buildah containerd docker cri runtime-tools

[ "$(id -u)" = 0 ] || {
    say "nothing is installed: needs root"
    exit 0
}
has apt-get || {
    say "nothing is installed: only Debian's packages are known here"
    exit 0
}

# The interface that the kubelet calls: one file, in a package that Debian 12 has not.
fetch_interface() {
    cri=$top/build/callers/cri
    [ ! -e "$cri/api.proto" ] || return 0
    rm -rf "$cri.new"
    mkdir -p "$cri.new" "$cri"
    if sh "$top/native-shim/fetch-debs.sh" sid "$cri.new/deb" golang-k8s-cri-api-dev; then
        dpkg-deb --extract "$(find "$cri.new/deb" -name 'golang-k8s-cri-api-dev_*.deb' | head -n 1)" "$cri.new"
        mv "$(find "$cri.new" -path '*/runtime/v1/api.proto' | head -n 1)" "$cri/api.proto"
    else
        say "the list for CRI is left out"
    fi
    rm -rf "$cri.new"
}
if [ "$*" = interface ]; then
    fetch_interface
    exit 0
fi

missing=
for pair in podman:podman conmon:conmon buildah:buildah containerd:containerd crun:crun runc:runc script:bsdutils ip:iproute2 \
    /usr/lib/cni/bridge:containernetworking-plugins; do
    has "${pair%:*}" || missing="$missing ${pair#*:}"
done
if [ -n "$missing" ]; then
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086
    apt-get install -y -qq --no-install-recommends $missing >/dev/null 2>&1 || {
        apt-get update -qq
        apt-get install -y -qq --no-install-recommends $missing >/dev/null || say "can not install$missing"
    }
fi

docker=$top/build/callers/docker
case " $* " in *" docker "*) wanted=yes ;; *) wanted= ;; esac
if [ -n "$wanted" ] && [ ! -x "$docker/usr/sbin/dockerd" ]; then
    suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-sid}")
    rm -rf "$docker.new" "$top/build/callers/deb"
    mkdir -p "$docker.new"
    if sh "$top/native-shim/fetch-debs.sh" "$suite" "$top/build/callers/deb" docker.io; then
        dpkg-deb --extract "$(find "$top/build/callers/deb" -name 'docker.io_*.deb' | head -n 1)" "$docker.new"
        rm -rf "$docker"
        mv "$docker.new" "$docker"
    else
        say "Docker's engine is left out"
    fi
    rm -rf "$docker.new" "$top/build/callers/deb"
fi

sh "$top/conformance/checkpoint/criu.sh" fetch >/dev/null || say "checkpoints are left out"

case " $* " in *" cri"*) fetch_interface ;; esac
case " $* " in *" runtime-tools "*) sh "$top/conformance/runtime-tools/build.sh" || say "runtime-tools is left out" ;; esac
