/** The Test Anything Protocol, version 13: what a test program prints about its checks. Pure. Source: testanything.org. */

export interface Checks {
  readonly passed: number;
  /** What the checks that failed are about. */
  readonly failed: readonly string[];
  /** Those that were skipped, and those that are known not to pass yet. */
  readonly skipped: number;
}

const CHECK = /^(?<not>not )?ok\b *\d* *(?:- *)?(?<description>[^#]*?)(?: *# *(?<directive>skip|todo)\b.*)?$/i;

/** Lines that are no checks are passed over: plan, remarks, details. */
export function parseTap(text: string): Checks {
  let passed = 0;
  let skipped = 0;
  const failed: string[] = [];
  for (const line of text.split("\n")) {
    const groups = CHECK.exec(line.trimEnd())?.groups;
    if (groups === undefined) continue;
    if (groups.directive !== undefined) skipped++;
    else if (groups.not === undefined) passed++;
    else failed.push(groups.description ?? "");
  }
  return { passed, failed, skipped };
}
