#!/bin/sh
# Makes Debian's package of what was installed into STAGE.
# Usage: deb.sh reg|reg-env VERSION ARCH STAGE WORK; dist.sh calls it.
set -eu
cd "$(dirname "$0")/../.."
package=$1 version=$2 arch=$3 stage=$4 work=$5
maintainer="The reg authors <reg-authors@reg.invalid>"

# tidy ROOT: what Debian wants otherwise than /usr/local.
tidy() {
    root=$1
    if [ -d "$root/usr/share/zsh/site-functions" ]; then
        mv "$root/usr/share/zsh/site-functions" "$root/usr/share/zsh/vendor-completions"
    fi
    if [ -d "$root/usr/share/man" ]; then
        find "$root/usr/share/man" -type f -exec gzip -9n {} +
    fi
}

# finish NAME: changelog, licences, digests, and the package.
finish() {
    name=$1
    root=$work/$name
    doc=$root/usr/share/doc/$name
    mkdir -p "$doc" "$root/DEBIAN"
    tidy "$root"
    node dist/conformance/release/changelog.js "$name" "$version" "$maintainer" | gzip -9n >"$doc/changelog.gz"
    cp "build/release/copyright.$name" "$doc/copyright"
    if [ -f "conformance/release/$name.lintian-overrides" ]; then
        install -D -m 0644 "conformance/release/$name.lintian-overrides" "$root/usr/share/lintian/overrides/$name"
    fi
    for script in postrm; do
        [ ! -f "conformance/release/$name.$script" ] || install -m 0755 "conformance/release/$name.$script" "$root/DEBIAN/$script"
    done
    (cd "$root" && find . -type f ! -path './DEBIAN/*' -printf '%P\0' | sort -z | xargs -0 md5sum >DEBIAN/md5sums)
    find "$root" -type d -exec chmod 0755 {} +
    find "$root" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
    dpkg-deb --root-owner-group -Zxz -z9 --build "$root" "dist/${name}_${version}_$arch.deb" >/dev/null
}

size() {
    du -k --apparent-size -s "$1" | cut -f1
}

# libraries ROOT: what the addons in it are linked with, as a list of packages.
libraries() {
    mkdir -p "$work/shlibdeps/debian"
    printf 'Source: reg\n\nPackage: reg-env\nArchitecture: any\n' >"$work/shlibdeps/debian/control"
    files=$(find "$(cd "$1" && pwd)" -name '*.node' | sed 's/^/-e/')
    # shellcheck disable=SC2086
    (cd "$work/shlibdeps" && dpkg-shlibdeps --warnings=0 -O $files 2>/dev/null) | sed -n 's/^shlibs:Depends=//p'
}

rm -rf "${work:?}/$package"
mkdir -p "$work"
cp -a "$stage" "$work/$package"
case $package in
reg)
    rm -f "$work/reg/usr/share/doc/reg/LICENSE"
    gzip -9n "$work/reg/usr/share/doc/reg/CHANGELOG.md"
    mv "$work/reg/usr/share/doc/reg/CHANGELOG.md.gz" "$work/reg/usr/share/doc/reg/NEWS.gz"
    gzip -9n "$work/reg/usr/share/doc/reg/README.md"
    mkdir -p "$work/reg/DEBIAN"
    built=$(cat build/release/static-built-using)
    cat >"$work/reg/DEBIAN/control" <<CONTROL
Package: reg
Version: $version
Architecture: $arch
Maintainer: $maintainer
Installed-Size: $(size "$work/reg")
Static-Built-Using: $built
Suggests: reg-env, podman, containerd, docker.io, criu
Section: admin
Priority: optional
Description: OCI container runtime in TypeScript, with a shim for containerd
 reg creates, starts and deletes containers for Podman, containerd, Docker,
 Buildah and Kubernetes, in the place of runc or crun and with the same
 command line. It is one static binary, which needs neither Node.js nor a
 library.
 .
 containerd-shim-reg-v2, the runtime io.containerd.reg.v2, is the same binary:
 one small process for each pod, which makes the containers itself.
 .
 The folder /usr/share/doc/reg/examples shows what to write where for each
 engine.
CONTROL
    ;;
reg-env)
    mkdir -p "$work/reg-env/DEBIAN"
    cat >"$work/reg-env/DEBIAN/control" <<CONTROL
Package: reg-env
Version: $version
Architecture: $arch
Maintainer: $maintainer
Installed-Size: $(size "$work/reg-env")
Depends: nodejs (>= 20), reg (= $version), $(libraries "$work/reg-env")
Suggests: strace
Section: admin
Priority: optional
Description: environments whose files all containers of a host share
 An environment is a root filesystem with what a program needs and nothing
 else. reg-env makes environments from programs, packages and root
 filesystems. Their files are hard links into one store, so that the kernel
 keeps each of them in memory once, however many containers use it.
 .
 reg, the container runtime, puts root filesystems together from them.
CONTROL
    ;;
esac
finish "$package"
