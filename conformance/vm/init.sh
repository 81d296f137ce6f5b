#!/bin/busybox sh
# The first process of the machine's first file system: leads to the host's files, with a tmpfs for what is written.
box=/bin/busybox
fail() {
    echo "init.sh: $*"
    $box poweroff -f
}
$box mount -t proc proc /proc
$box mount -t sysfs sysfs /sys
$box mount -t devtmpfs dev /dev
for module in /modules/*.ko; do $box insmod "$module" || echo "init.sh: $module is not loaded"; done
share=trans=virtio,version=9p2000.L,msize=512000
if [ -b /dev/vda ]; then
    $box mount -t ext4 /dev/vda /root || fail "no disk"
    $box mkdir -p /root/reg /root/results
    $box mount -t 9p -o ro,$share,cache=loose root /root/reg || fail "no checkout"
    $box mount -t 9p -o $share,cache=none results /root/results 2>/dev/null # there may be none
else
    $box mount -t 9p -o ro,$share,cache=loose root /lower || fail "no 9p"
    $box mount -t tmpfs -o size=75%,mode=755 upper /upper
    $box mkdir /upper/files /upper/work
    $box mount -t overlay -o lowerdir=/lower,upperdir=/upper/files,workdir=/upper/work root /root || fail "no overlay"
fi
$box cp -r /vm /root/vm
: >/root/etc/fstab
echo machine >/root/etc/hostname
$box mount -t proc -o nosuid,nodev,noexec proc /root/proc
$box mount -t sysfs -o nosuid,nodev,noexec sysfs /root/sys
$box mount -o move /dev /root/dev
$box mount -t tmpfs -o nosuid,nodev,mode=755 run /root/run
$box umount /proc /sys
exec $box switch_root /root /vm/process-1.sh
