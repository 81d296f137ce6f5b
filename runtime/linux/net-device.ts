/** Network devices that move from one network namespace to another, with their addresses. Source: rtnetlink(7). */
import { ENODEV } from "../errors/errno.ts";
import { at, RegError } from "../errors/errors.ts";
import { isErrno } from "../libc/file.ts";
import { cString, Struct } from "../libc/memory.ts";
import { IFADDRMSG, IFINFOMSG } from "../libc/structs.ts";
import { attribute, attributesOf, concatenate, Netlink, NLM_F_DUMP } from "./netlink.ts";

const RTM_GETLINK = 18;
const RTM_SETLINK = 19;
const RTM_NEWADDR = 20;
const RTM_GETADDR = 22;
const NLM_F_CREATE_EXCLUSIVELY = 0x600;
const IFLA_IFNAME = 3;
const IFLA_NET_NS_FD = 28;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_BROADCAST = 4;
const IFA_F_PERMANENT = 0x80;
const RT_SCOPE_UNIVERSE = 0;
const IFF_UP = 1;

/** A device to be moved: its name, and the one it gets. */
export interface NetDevicePlan {
  readonly from: string;
  readonly to: string;
  readonly field: string;
}

/** A device that has been moved, and is neither up nor has addresses yet. */
export interface MovedDevice {
  readonly name: string;
  readonly field: string;
  /** Bodies of RTM_NEWADDR, byte by byte. */
  readonly addresses: readonly (readonly number[])[];
}

/** Moves devices of this process's network namespace to the one that `namespace` is. They lose their addresses by it. */
export function moveDevices(devices: readonly NetDevicePlan[], namespace: number): MovedDevice[] {
  return withNetlink((netlink) => {
    // All are looked for before one is moved: it would be gone with the namespace.
    const found = devices.map((device) =>
      at(device.field, () => ({ ...device, index: indexOf(netlink, device.from) })),
    );
    return found.map(({ from, to, field, index }) =>
      at(field, () => {
        const addresses = addressesOf(netlink, index);
        const fd = new Struct(4).setI32(0, namespace);
        const target = [attribute(IFLA_NET_NS_FD, fd.bytes), attribute(IFLA_IFNAME, cString(to))];
        netlink.request(RTM_SETLINK, 0, concatenate([linkMessage(index), ...target]), `move of ${from} to ${to}`);
        return { name: to, field, addresses };
      }),
    );
  });
}

/** Gives devices of this process's network namespace their addresses, and brings them up. */
export function configureDevices(devices: readonly MovedDevice[]): void {
  withNetlink((netlink) => {
    for (const { name, field, addresses } of devices)
      at(field, () => {
        const index = indexOf(netlink, name);
        for (const address of addresses) {
          const message = Uint8Array.from(address);
          new DataView(message.buffer).setUint32(IFADDRMSG.ifa_index, index, true);
          netlink.request(RTM_NEWADDR, NLM_F_CREATE_EXCLUSIVELY, message, `address of ${name}`);
        }
        netlink.request(RTM_SETLINK, 0, linkMessage(index, IFF_UP), `${name} up`);
      });
  });
}

function withNetlink<T>(use: (netlink: Netlink) => T): T {
  const netlink = new Netlink();
  try {
    return use(netlink);
  } finally {
    netlink.close();
  }
}

/** struct ifinfomsg; `flags` are set, the others stay as they are. */
function linkMessage(index: number, flags = 0): Uint8Array {
  return new Struct(IFINFOMSG.size)
    .setI32(IFINFOMSG.ifi_index, index)
    .setU32(IFINFOMSG.ifi_flags, flags)
    .setU32(IFINFOMSG.ifi_change, flags).bytes;
}

function indexOf(netlink: Netlink, name: string): number {
  const message = concatenate([linkMessage(0), attribute(IFLA_IFNAME, cString(name))]);
  try {
    const [link] = netlink.request(RTM_GETLINK, 0, message, name);
    if (link !== undefined) return new DataView(link.buffer).getInt32(IFINFOMSG.ifi_index, true);
  } catch (error) {
    if (!isErrno(error, ENODEV)) throw error;
  }
  throw new RegError("ENODEV", `network device ${name} does not exist`, { hint: "see ip link" });
}

/** The addresses that were given to the device and mean it everywhere: link-local and learnt ones come by themselves. */
function addressesOf(netlink: Netlink, index: number): number[][] {
  const all = netlink.request(RTM_GETADDR, NLM_F_DUMP, new Uint8Array(IFADDRMSG.size), "addresses");
  return all.flatMap((message) => {
    const header = message.slice(0, IFADDRMSG.size);
    const view = new DataView(header.buffer);
    const kept =
      view.getUint32(IFADDRMSG.ifa_index, true) === index &&
      (view.getUint8(IFADDRMSG.ifa_flags) & IFA_F_PERMANENT) !== 0 &&
      view.getUint8(IFADDRMSG.ifa_scope) === RT_SCOPE_UNIVERSE;
    if (!kept) return [];
    const attributes = attributesOf(message, IFADDRMSG.size);
    const parts = [IFA_ADDRESS, IFA_LOCAL, IFA_BROADCAST].flatMap((type) => {
      const content = attributes.get(type);
      return content === undefined ? [] : [attribute(type, content)];
    });
    return [[...concatenate([header, ...parts])]];
  });
}
