/**
 * hugetlb controller, cgroup v1: pages that are reserved, then those in use. Bytes; the size is named as in "2MB".
 * Source: runtime-spec config-linux.md "Huge page limits"; kernel cgroup-v1/hugetlb.rst.
 */
import type { FileWrite } from "../../../../linux/cgroup/types.ts";
import type { HugepageLimit } from "../../../config.ts";
import { decimal } from "../number.ts";

export function planHugetlb(limits: readonly HugepageLimit[] | undefined): FileWrite[] {
  return (limits ?? []).flatMap(({ pageSize, limit }, index): FileWrite[] => {
    const write = { controller: "hugetlb", value: decimal(limit), field: `/linux/resources/hugepageLimits/${index}` };
    return [
      { ...write, file: `hugetlb.${pageSize}.rsvd.limit_in_bytes`, otherwise: "skip" }, // Linux 5.7
      { ...write, file: `hugetlb.${pageSize}.limit_in_bytes` },
    ];
  });
}
