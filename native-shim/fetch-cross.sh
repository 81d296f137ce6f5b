#!/bin/sh
# Leaves what it takes to build for another machine in build/cross/ARCH: musl of that machine, from Debian's package, a compiler that uses it, and the
# file `settings`, which build.sh reads. Usage: fetch-cross.sh arm64
#
# Needs gcc-aarch64-linux-gnu, linux-libc-dev-arm64-cross (the kernel's headers) and qemu-user-static.
set -eu
cd "$(dirname "$0")/.."

die() {
    echo "fetch-cross: $*" >&2
    exit 1
}
arch=$1
case $arch in
arm64) machine=aarch64 ;;
*) die "$arch: only arm64 is known" ;;
esac
for program in "$machine-linux-gnu-gcc" "qemu-$machine-static"; do
    command -v "$program" >/dev/null || die "$program is missing; as root: sh conformance/release/setup.sh $arch"
done
place=$PWD/build/cross/$arch
[ ! -f "$place/settings" ] || exit 0

rm -rf "$place"
mkdir -p "$place"
suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-sid}")
DEB_ARCH=$arch sh native-shim/fetch-debs.sh "$suite" "$place" musl-dev
dpkg-deb --extract "$place"/musl-dev_*.deb "$place/root"
own=$(gcc -print-multiarch | sed 's/-gnu$/-musl/')
sed -e "s|/usr/include/$own|$place/root/usr/include/$machine-linux-musl|g" -e "s|/usr/lib/$own|$place/root/usr/lib/$machine-linux-musl|g" \
    -e "s|ld-musl-[a-z0-9_]*|ld-musl-$machine|" "/usr/lib/$own/musl-gcc.specs" >"$place/specs"
printf '#!/bin/sh\nexec %s-linux-gnu-gcc "$@" -specs "%s"\n' "$machine" "$place/specs" >"$place/cc"
chmod 0755 "$place/cc"
cat >"$place/settings.new" <<SETTINGS
CC=build/cross/$arch/cc
ar=$machine-linux-gnu-ar
run=qemu-$machine-static
kernel="-idirafter /usr/$machine-linux-gnu/include"
SETTINGS
mv "$place/settings.new" "$place/settings"
