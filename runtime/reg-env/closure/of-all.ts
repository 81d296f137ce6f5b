/** Folders that belong to everybody: whoever names one hardly means all that is in it. */
const OF_ALL =
  /^\/((bin|boot|dev|etc|home|lib\w*|media|mnt|opt|proc|root|run|sbin|srv|sys|tmp|usr|var)|usr\/(bin|games|include|lib\w*|libexec|local|sbin|share|src)|usr\/share\/(locale|doc|man|info|icons)|usr\/lib\/[^/]+-linux-[^/]+|var\/(cache|lib|log|run|spool|tmp))?$/;

/** Whether it is a folder whose contents nobody means who names it. */
export function isOfAll(path: string): boolean {
  return OF_ALL.test(path);
}
