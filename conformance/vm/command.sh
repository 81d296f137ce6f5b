#!/bin/bash
# Runs the command; its output goes to the first port of the machine, its exit status to the second.
export HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
mkfifo /run/output # a pipe, so that the command can open /dev/stdout
cat /run/output >/dev/vport0p1 &
writer=$!
bash /vm/command </dev/null >/run/output 2>&1
status=$?
# What the command left running may hold the pipe open.
for _ in 1 2 3 4 5 6 7 8 9 10; do
    kill -0 $writer 2>/dev/null || break
    sleep 0.05
done
echo $status >/dev/vport0p2
