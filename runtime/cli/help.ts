import { print } from "./output.ts";
export function showHelp(_path: readonly string[], failed: boolean): number {
  print("help\n");
  return failed ? 1 : 0;
}
