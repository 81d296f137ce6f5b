/** Lists of processors and of memory nodes. */

/** cpuset(7), "List format"; spaces around and empty elements are accepted, as runc does. */
export function isCpuList(list: string): boolean {
  let any = false;
  for (const part of list.split(",")) {
    const element = part.trim();
    if (element === "") continue;
    if (!/^\d+(-\d+)?$/.test(element)) return false;
    const [first = "0", last = first] = element.split("-");
    if (Number(first) > Number(last)) return false;
    any = true;
  }
  return any;
}
