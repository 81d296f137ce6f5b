#!/bin/bash
# Runs a shell command in a virtual machine that is thrown away: Debian's kernel, cgroup v2 alone. Its files are this machine's, read-only
# under a tmpfs; or with -r those of another root, with the kernel in it, on a disk that may be written to, and as /reg this or another checkout.
# Output and exit status are the command's; 124 when it took too long, 125 when the machine died.
#
#   machine.sh [-s] [-t SECONDS] [-m MIB] [-r ROOT [-c CHECKOUT]] [-w DIRECTORY] COMMAND
#
#   -s  systemd is process 1      -w  what the command writes to /results is found in DIRECTORY
#
# The processor is emulated, so it works in a virtual machine too, slowly: 5 s to the command, 20 s with systemd. Needs the packages that
# setup.sh installs.
set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
systemd=0 limit=600 memory=2048 root='' checkout=$top results=''
while getopts st:m:r:c:w: option; do
    case $option in
    s) systemd=1 ;;
    t) limit=$OPTARG ;;
    m) memory=$OPTARG ;;
    r) root=$(cd "$OPTARG" && pwd) ;;
    c) checkout=$(cd "$OPTARG" && pwd) ;;
    w) results=$(cd "$OPTARG" && pwd) ;;
    *) exit 125 ;;
    esac
done
shift $((OPTIND - 1))
command=${1:?usage: machine.sh [-s] [-t SECONDS] [-m MIB] [-r ROOT [-c CHECKOUT]] [-w DIRECTORY] COMMAND}

cache=$top/build/vm
work=$(mktemp -d)
mkdir -p "$cache"
machine=''
cleanup() {
    [ -z "$machine" ] || kill "$machine" 2>/dev/null || true # by then it may have ended
    rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 125' HUP INT TERM

die() {
    echo "machine.sh: $*" >&2
    exit 125
}

version=$(find "$root/lib/modules/" -maxdepth 1 -name '*-amd64' ! -name '*cloud*' -printf '%f\n' 2>/dev/null | sort -V | tail -n 1)
[ -n "$version" ] || die "no kernel in $root/lib/modules: apt-get install linux-image-amd64"

# The kernel as an ELF file: the emulated processor would take half a minute to unpack it. What is packed lies behind the setup
# sectors, at the offset and with the length that the header names (Linux, Documentation/arch/x86/boot.rst).
kernel=$cache/vmlinux-$version
if [ ! -s "$kernel" ]; then
    image=$root/boot/vmlinuz-$version
    number() { od -An -t "u$2" -j "$1" -N "$2" "$image" | tr -d ' '; }
    offset=$((($(number $((0x1f1)) 1) + 1) * 512 + $(number $((0x248)) 4)))
    tail -c +$((offset + 1)) "$image" | head -c "$(number $((0x24c)) 4)" >"$work/packed"
    case $(od -An -t x1 -N 4 "$work/packed" | tr -d ' ') in
    fd377a58) unpack=xz ;;
    28b52ffd) unpack=zstd ;;
    *) die "$image is packed in a way that is not known here" ;;
    esac
    "$unpack" -dc <"$work/packed" >"$work/kernel" 2>/dev/null || true # the length of the whole follows the packed data
    [ "$(head -c 4 "$work/kernel" | tail -c 3)" = ELF ] || die "$image holds no ELF file"
    mv "$work/kernel" "$kernel"
fi

# A first file system with busybox and the modules that lead to this machine's files.
base=$cache/base-$version${root:+-disk}.cpio
if [ ! -s "$base" ] || [ "$0" -nt "$base" ]; then
    mkdir -p "$work/base"/{bin,modules,proc,sys,dev,lower,upper,root}
    cp "$(command -v busybox)" "$work/base/bin/busybox"
    count=100
    for module in virtio_pci virtio_console 9p 9pnet_virtio overlay ${root:+virtio_blk ext4}; do
        modprobe --dirname "${root:-/}" --set-version "$version" --show-depends "$module" | sed -n 's/^insmod \([^ ]*\).*/\1/p'
    done | awk '!seen[$0]++' | while read -r file; do
        count=$((count + 1))
        target=$work/base/modules/$count-$(basename "$file")
        case $file in
        *.xz) xz -dc "$file" >"${target%.xz}" ;;
        *.zst) zstd -qdc "$file" >"${target%.zst}" ;;
        *) cp "$file" "$target" ;;
        esac
    done
    cp "$(dirname "$0")/init.sh" "$work/base/init"
    chmod +x "$work/base/init"
    (cd "$work/base" && find . | cpio --quiet -o -H newc) >"$base.new"
    mv "$base.new" "$base"
fi

# The root as a disk. What the machine writes to it goes into a temporary file.
disk=
if [ -n "$root" ]; then
    disk=$cache/$(basename "$root").ext4
    if [ ! -e "$disk" ] || [ -n "$(find "$root" -maxdepth 1 -name '.complete*' -newer "$disk")" ]; then
        rm -f "$disk" "$disk.new"
        truncate -s 16G "$disk.new"
        mkfs.ext4 -q -O ^has_journal -E root_owner=0:0 -d "$root" "$disk.new"
        mv "$disk.new" "$disk"
    fi
fi

mkdir -p "$work/run/vm" "$work/root"
printf '%s\n' "$systemd" >"$work/run/vm/systemd"
printf 'cd %q 2>/dev/null || cd /\n%s\n' "$([ -n "$root" ] && echo /reg || echo "$PWD")" "$command" >"$work/run/vm/command"
cp "$(dirname "$0")/process-1.sh" "$(dirname "$0")/command.sh" "$work/run/vm"
chmod +x "$work/run/vm"/*.sh
(cd "$work/run" && find . | cpio --quiet -o -H newc) >"$work/run.cpio"
cat "$base" "$work/run.cpio" >"$work/initrd"
mkfifo "$work/output"
exec 3<>"$work/output" # so that the reader does not end before the machine has begun
cat <"$work/output" 3>&- &
reader=$!

shared() { # TAG DIRECTORY OPTIONS
    echo "-fsdev" "local,id=$1,path=$2,security_model=$3" "-device" "virtio-9p-pci,fsdev=$1,mount_tag=$1"
}
shares=$(shared root "$work/root" passthrough,readonly=on,multidevs=remap)
[ -z "$results" ] || shares="$shares $(shared results "$results" none)"
[ -z "$disk" ] || shares="$shares -drive file=$disk,format=raw,if=none,id=disk,snapshot=on,cache=unsafe -device virtio-blk-pci,drive=disk"

# With a thread for each processor, Linux 7.2 was seen to die of a breakpoint that it had put into its own code, and taken away again. In one
# thread a second processor makes nothing faster, and each wait for the other one slower.
threads=multi processors=2
[ -z "$root" ] || threads=single processors=1

# In a mount namespace of its own what is shown is shown without what is mounted below it: /proc, /sys and /dev are the machine's own.
status=0
# shellcheck disable=SC2016,SC2086
timeout --kill-after=10 "$limit" unshare --mount sh -c '
    mount --bind "$1" "$2/root" && shift 2 && exec qemu-system-x86_64 "$@"' machine "$([ -n "$root" ] && echo "$checkout" || echo /)" "$work" \
    -nodefaults -display none -no-reboot -m "$memory" -smp "$processors" -accel "tcg,thread=$threads" -cpu Nehalem,+rdrand \
    -kernel "$kernel" -initrd "$work/initrd" \
    -append "console=ttyS0 quiet panic=-1 mitigations=off cgroup_no_v1=all psi=1 random.trust_cpu=on tsc=reliable systemd.show_status=0" \
    -serial "file:$work/console" -device virtio-serial-pci \
    -chardev "file,id=output,path=$work/output" -device virtserialport,nr=1,chardev=output \
    -chardev "file,id=status,path=$work/status" -device virtserialport,nr=2,chardev=status \
    $shares </dev/null &
machine=$!
wait "$machine" || status=$?
machine=''
exec 3>&-
wait "$reader"
[ "$status" -ne 124 ] || exit 124
if [ ! -s "$work/status" ]; then
    tail -n 60 "$work/console" >&2
    die "the machine ended before the command did"
fi
exit "$(cat "$work/status")"
