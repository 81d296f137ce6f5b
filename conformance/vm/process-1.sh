#!/bin/bash
# Process 1 of the machine: mounts what a system has, or hands over to systemd, and has the command run.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

if [ "$(cat /vm/systemd)" = 1 ]; then
    units=/etc/systemd/system
    cat >$units/machine.target <<UNIT
[Unit]
Requires=basic.target
Wants=machine.service dbus.socket systemd-logind.service
After=basic.target
AllowIsolate=yes
UNIT
    cat >$units/machine.service <<UNIT
[Unit]
After=basic.target dbus.socket systemd-logind.service
[Service]
Delegate=yes
TasksMax=infinity
ExecStart=/vm/command.sh
ExecStopPost=/bin/systemctl --force --force poweroff
UNIT
    mkdir -p "$units/user@.service.d" /etc/tmpfiles.d /dev/mqueue
    printf '[Service]\nDelegate=cpu cpuset io memory pids\n' >"$units/user@.service.d/delegate.conf"
    # What takes minutes on an emulated processor, or would look for the host's hardware.
    for unit in systemd-udevd systemd-udev-trigger systemd-udev-settle systemd-hwdb-update systemd-journal-flush systemd-random-seed \
        systemd-remount-fs systemd-sysctl systemd-sysusers systemd-timesyncd systemd-update-utmp systemd-modules-load systemd-binfmt \
        systemd-firstboot kmod-static-nodes keyboard-setup console-setup apparmor modprobe@configfs modprobe@drm modprobe@fuse; do
        ln -sf /dev/null "$units/$unit.service"
    done
    for unit in dev-hugepages.mount dev-mqueue.mount sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount \
        proc-sys-fs-binfmt_misc.automount systemd-udevd-control.socket systemd-udevd-kernel.socket; do
        ln -sf /dev/null "$units/$unit"
    done
    mount -t mqueue mqueue /dev/mqueue
    ln -sf /dev/null /etc/tmpfiles.d/tmp.conf # it would empty /tmp, file by file
    rm -f /usr/lib/systemd/system-generators/*
    exec /lib/systemd/systemd --unit=machine.target </dev/console >/dev/console 2>&1
fi

mkdir -p /dev/pts /dev/shm /dev/mqueue /run/lock
mount -t devpts -o nosuid,noexec,gid=5,mode=620,ptmxmode=666 devpts /dev/pts
mount -t tmpfs -o nosuid,nodev,mode=1777 shm /dev/shm
mount -t mqueue mqueue /dev/mqueue
mount -t securityfs securityfs /sys/kernel/security
mount -t bpf bpf /sys/fs/bpf
mount -t cgroup2 -o nosuid,nodev,noexec,nsdelegate cgroup2 /sys/fs/cgroup
for controller in $(cat /sys/fs/cgroup/cgroup.controllers); do
    echo "+$controller" >/sys/fs/cgroup/cgroup.subtree_control
done
mount --make-rshared /
ln -sf /proc/self/fd /dev/fd
for number in 0:stdin 1:stdout 2:stderr; do ln -sf "fd/${number%:*}" "/dev/${number#*:}"; done
busybox ip link set lo up
hostname machine
/vm/command.sh
sync
exec busybox poweroff -f
