/** Kernel parameters of the container's namespaces. Source: runtime-spec config-linux.md "Sysctl". */
import { at, RegError } from "../../errors/errors.ts";
import { readLink } from "../../libc/file.ts";
import { writeProc } from "../../linux/procfs.ts";
import type { SysctlPlan } from "../../oci/plan/sysctl.ts";

/**
 * Writes them through `proc`, a descriptor of /proc. A namespace that was joined by path may be the runtime's own, and then
 * they would be the host's: that is asked of the process that writes, when it is in its namespaces, not of the path.
 */
export function writeSysctls(proc: number, sysctls: readonly SysctlPlan[]): void {
  for (const { file, value, field, notIn } of sysctls)
    at(field, () => {
      if (notIn !== undefined && readLink(`self/ns/${notIn.file}`, proc) === notIn.identity)
        throw new RegError("EPERM", `sysctl ${file}: the container is in the host's own namespace, ${notIn.identity}`, {
          hint: "a parameter of the host is not a container's to set; give the container a namespace of its own",
        });
      writeProc(proc, `sys/${file}`, value);
    });
}
