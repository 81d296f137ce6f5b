/** Network namespaces, and the loopback interface of a new one. Source: network_namespaces(7), netdevice(7). */
import { checked } from "../libc/call.ts";
import * as C from "../libc/constants.ts";
import { open, withFd } from "../libc/file.ts";
import { libc } from "../libc/libc.ts";
import { cString, Struct } from "../libc/memory.ts";
import { setns, unshare } from "../libc/process.ts";
import { IFREQ } from "../libc/structs.ts";

const SIOCGIFFLAGS = 0x8913;
const SIOCSIFFLAGS = 0x8914;
const IFF_UP = 1;

/** A new network namespace, which this process does not stay in. Returns its descriptor. Native host only. */
export function makeNetworkNamespace(): number {
  return withFd(open("/proc/self/ns/net", C.O_RDONLY), (own) => {
    unshare(C.CLONE_NEWNET);
    const made = open("/proc/self/ns/net", C.O_RDONLY);
    setns(own, C.CLONE_NEWNET, "the runtime's own network namespace");
    return made;
  });
}

/** Brings `lo` up; the kernel gives it its addresses. */
export function bringLoopbackUp(): void {
  const socket = checked(libc.socket(C.AF_INET, C.SOCK_DGRAM | C.SOCK_CLOEXEC, 0), "socket(2)", "AF_INET");
  withFd(socket, () => {
    const request = new Struct(IFREQ.size);
    request.bytes.set(cString("lo"));
    checked(libc.ioctl(socket, SIOCGIFFLAGS, request.bytes), "ioctl(2)", "SIOCGIFFLAGS lo");
    request.setU16(IFREQ.ifr_flags, request.u16(IFREQ.ifr_flags) | IFF_UP);
    checked(libc.ioctl(socket, SIOCSIFFLAGS, request.bytes), "ioctl(2)", "SIOCSIFFLAGS lo");
  });
}
