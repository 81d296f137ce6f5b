#!/bin/sh
# Makes the images that the experiments compare with, once, below build/experiments: Debian's debootstrap (minbase), and for each program
# a layer above it with the program's packages, as an image for Docker would have it.
#
#   base/               debootstrap
#   images/NAME/layer   what installing the packages changed
#   images/NAME/root    base and layer in one: a copy for each image
set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
work=$top/build/experiments

say() {
    echo "experiments: $*" >&2
}

[ "$(id -u)" = 0 ] || {
    say "needs root"
    exit 1
}
command -v apt-get >/dev/null || {
    say "only Debian's packages are known here"
    exit 1
}
missing=
for pair in debootstrap:debootstrap crun:crun runc:runc; do
    command -v "${pair%:*}" >/dev/null || missing="$missing ${pair#*:}"
done
if [ -n "$missing" ]; then
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086
    apt-get install -y -qq --no-install-recommends $missing >/dev/null 2>&1 || {
        apt-get update -qq
        apt-get install -y -qq --no-install-recommends $missing >/dev/null
    }
fi

# The address of the archive that the machine itself uses.
suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-sid}")
archive=$(apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 'Created-By: Packages' | sed -n "s/^$suite //p" | head -n 1)
[ -n "$archive" ] || {
    say "apt has no archive of Debian $suite"
    exit 1
}

mkdir -p "$work/images"
if [ ! -d "$work/base" ]; then
    say "debootstrap of Debian $suite"
    rm -rf "$work/base.new"
    debootstrap --variant=minbase "$suite" "$work/base.new" "$archive" >"$work/debootstrap.log" 2>&1 || {
        tail -n 20 "$work/debootstrap.log" >&2
        exit 1
    }
    rm -rf "$work/base.new/var/cache/apt/archives"/*.deb "$work/base.new/var/lib/apt/lists"/*
    mv "$work/base.new" "$work/base"
fi

# image NAME PACKAGE...
image() {
    name=$1
    shift
    [ ! -d "$work/images/$name" ] || return 0
    say "image with $*"
    new=$work/images/$name.new
    rm -rf "$new"
    mkdir -p "$new/layer" "$new/work" "$new/root"
    # The mounts end with this shell's namespace, whatever happens. Services are not started in a chroot.
    unshare --mount sh -eu -c '
        mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/layer,workdir=$2/work" "$2/root"
        mount -t proc proc "$2/root/proc"
        mount --bind /dev "$2/root/dev"
        root=$2/root
        archive=$3
        suite=$4
        shift 4
        cp /etc/resolv.conf "$root/etc/resolv.conf"
        printf "#!/bin/sh\nexit 101\n" >"$root/usr/sbin/policy-rc.d"
        chmod 0755 "$root/usr/sbin/policy-rc.d"
        echo "deb $archive $suite main" >"$root/etc/apt/sources.list"
        export DEBIAN_FRONTEND=noninteractive LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin
        chroot "$root" apt-get update -qq
        chroot "$root" apt-get install -y -qq --no-install-recommends "$@"
        rm -rf "$root/var/cache/apt/archives"/*.deb "$root/var/cache/apt"/*.bin "$root/var/lib/apt/lists"/* "$root/usr/sbin/policy-rc.d"
        : >"$root/etc/resolv.conf"
    ' image "$work/base" "$new" "$archive" "$suite" "$@" >"$new/log" 2>&1 </dev/null || {
        tail -n 20 "$new/log" >&2
        exit 1
    }
    unshare --mount sh -eu -c '
        mkdir "$1/merged"
        mount -t overlay overlay -o "lowerdir=$1/layer:$2" "$1/merged"
        cp -a "$1/merged/." "$1/root/"
    ' copy "$new" "$work/base"
    rm -rf "$new/work" "$new/merged"
    mv "$new" "$work/images/$name"
}

image nginx nginx-light
image redis redis-server redis-tools
image python python3 ca-certificates
image node nodejs
image perl perl
image curl curl ca-certificates
image sqlite sqlite3
image git git ca-certificates
