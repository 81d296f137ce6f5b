#!/bin/sh
# Rootless Podman with reg, as a user of a machine under systemd: each case with systemd's cgroups and without. For tests.sh, which
# gives it a machine to throw away. Ends with the line `N passed, N failed`.
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
user=reg-user id=1234 home=/run/home

{
    echo "$user:x:$id:$id::$home:/bin/sh" >>/etc/passwd
    echo "$user:x:$id:" >>/etc/group
    echo "$user:!:19000::::::" >>/etc/shadow
    echo "$user:200000:65536" >>/etc/subuid
    echo "$user:200000:65536" >>/etc/subgid
}
mkdir -p $home
mount -t tmpfs -o mode=755 home $home # the files of the machine are an overlay, which can not be under another one
mkdir -p $home/rootfs/bin $home/.config/containers
cp "$top/build/reg" $home/reg
cp "$(command -v busybox)" $home/rootfs/bin/busybox
for applet in sh id cat sleep true; do ln -s busybox $home/rootfs/bin/$applet; done
printf '[engine]\nruntime = "reg"\nruntimes.reg = ["%s/reg"]\nruntime_supports_json = ["reg"]\n' $home >$home/.config/containers/containers.conf
printf '[storage]\ndriver = "vfs"\n' >$home/.config/containers/storage.conf
printf '{"default": [{"type": "insecureAcceptAnything"}]}' >$home/.config/containers/policy.json
cat >$home/cases.sh <<'CASES'
cd /run/home
passed=0 failed=0
# expect OUTPUT PODMAN-ARGUMENT...
expect() {
    expected=$1
    shift
    found=$(timeout 200 podman --cgroup-manager $manager "$@" 2>&1)
    if [ "$found" = "$expected" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "podman --cgroup-manager $manager $*: $found"
    fi
}
tar -C rootfs -c . | podman import - localhost/small >/dev/null 2>&1
for manager in systemd cgroupfs; do
    expect "0 0" run --rm --network none localhost/small sh -c 'echo $(id -u) $(id -g)' # the groups are for Podman to say: 5 gives 0
    expect "" run --rm --network none --user 1000 --read-only localhost/small true
    expect 67108864 run --rm --network none --memory 64m localhost/small cat /sys/fs/cgroup/memory.max
    podman --cgroup-manager $manager run -d --name sleeping --network none localhost/small sleep 1000 >/dev/null
    expect "0 0" exec sleeping sh -c 'echo $(id -u) $(id -g)'
    expect sleeping rm -f -t 0 sleeping
done
echo "$passed passed, $failed failed"
CASES
chown -R $id:$id $home
loginctl enable-linger $user
for try in 1 2 3 4 5 6 7 8 9 10; do
    test -S /run/user/$id/bus && break
    sleep 1
done
runuser -u $user -- env HOME=$home XDG_RUNTIME_DIR=/run/user/$id DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/$id/bus sh $home/cases.sh
