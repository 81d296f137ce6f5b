/** A process that shares a store and undoes it, again and again, until it is killed: `node worker.js ROOT CACHE`. */
import { type ShareOptions, shareStore } from "../../runtime/reg-env/share/share.ts";
import { storesAt } from "../../runtime/reg-env/share/stores/find.ts";

const [root = "", cache = ""] = process.argv.slice(2);
const options: Omit<ShareOptions, "undo"> = {
  exclusions: [],
  linkToMounted: false,
  dryRun: false,
  cache,
  batch: 10, // so that much of its time goes by between the first file and the last
  onProgress: () => undefined,
  onWait: () => undefined,
};
process.stdout.write("ready\n");
for (;;)
  for (const undo of [false, true]) for (const store of storesAt(root)) await shareStore(store, { ...options, undo });
