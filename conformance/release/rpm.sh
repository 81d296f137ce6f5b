#!/bin/sh
# Makes an RPM package of what was installed into STAGE. Usage: rpm.sh VERSION ARCH STAGE WORK; dist.sh calls it.
set -eu
cd "$(dirname "$0")/../.."
# RPM knows "~" as Debian does.
version=$1 arch=$2 stage=$(cd "$3" && pwd)
mkdir -p "$4"
work=$(cd "$4" && pwd)
case $arch in
amd64) machine=x86_64 ;;
arm64) machine=aarch64 ;;
*) echo "rpm.sh: unknown machine: $arch" >&2 && exit 1 ;;
esac
find "$stage/usr/share/man" -name '*.8' -exec gzip -9n {} + 2>/dev/null || true
find "$stage" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
cat >"$work/reg.spec" <<SPEC
Name: reg
Version: $version
Release: 1
Summary: OCI container runtime in TypeScript, with a shim for containerd
License: MIT AND LGPL-2.1-only AND ISC
Group: System/Base

%description
reg creates, starts and deletes containers for Podman, containerd, Docker, Buildah and Kubernetes, in the place of runc or crun and with the same
command line. It is one static binary, which needs neither Node.js nor a library. containerd-shim-reg-v2, the runtime io.containerd.reg.v2, is the
same binary. The folder /usr/share/doc/reg/examples shows what to write where for each engine.

%install
mkdir -p %{buildroot}
cp -a "$stage/." %{buildroot}/
install -m 0644 "$PWD/build/release/THIRD-PARTY.txt" %{buildroot}/usr/share/doc/reg/

%files
/usr/bin/reg
/usr/bin/containerd-shim-reg-v2
/usr/share/bash-completion/completions/reg
/usr/share/zsh/site-functions/_reg
/usr/share/fish/vendor_completions.d/reg.fish
%doc /usr/share/doc/reg
%doc /usr/share/man/man8/*
SPEC
# Nothing is compiled, stripped or compressed again, and nothing tells where and when it was made.
rpmbuild -bb --quiet --target "$machine-linux" --define "_topdir $work/top" --define "_rpmdir $work/out" --define "_build_id_links none" --define "debug_package %{nil}" \
    --define "__os_install_post %{nil}" --define "_binary_payload w9.xzdio" --define "_buildhost reg" --define "vendor %{nil}" --define "packager %{nil}" \
    --define "use_source_date_epoch_as_buildtime 1" --define "clamp_mtime_to_source_date_epoch 1" --define "_dbpath $work/db" \
    --define "__find_requires %{nil}" --define "__find_provides %{nil}" --define "_use_internal_dependency_generator 0" \
    "$work/reg.spec" >"$work/log" 2>&1 || {
    cat "$work/log" >&2
    exit 1
}
find "$work/out" -name '*.rpm' -exec cp {} dist/ \;
