/**
 * A process of its own that works on a store until it is killed or done: `node worker.js STORE ROOT VERB`. It says "ready" when it is loaded, and
 * begins at the first byte on its standard input.
 */
import { once } from "node:events";
import { storeDirectory } from "../../runtime/reg/layout.ts";
import { parseEnvironmentName } from "../../runtime/reg/name.ts";
import { uninstallEnvironment } from "../../runtime/reg-env/store/environment.ts";
import { importEnvironment } from "../../runtime/reg-env/store/export.ts";
import { collectGarbage } from "../../runtime/reg-env/store/gc.ts";
import { createStore } from "../../runtime/reg-env/store/store.ts";
import { closureOf, generate, NGINX_PATHS, PYTHON_PATHS } from "./fixture.ts";

const [store = "", root = "", verb = ""] = process.argv.slice(2);
const directory = storeDirectory(store, "default");

const VERBS: Readonly<Record<string, () => Promise<unknown>>> = {
  generate: async () => {
    const opened = createStore(directory);
    await generate(opened, "python@3.11", closureOf(root, PYTHON_PATHS));
    await generate(opened, "nginx@1.22", closureOf(root, NGINX_PATHS));
  },
  replace: async () => {
    const opened = createStore(directory);
    await generate(opened, "python@3.11", closureOf(root, NGINX_PATHS), { replace: true });
    await generate(opened, "python@3.11", closureOf(root, PYTHON_PATHS), { replace: true });
  },
  uninstall: async () => {
    const opened = createStore(directory);
    await generate(opened, "python@3.11", closureOf(root, PYTHON_PATHS));
    await uninstallEnvironment(opened, parseEnvironmentName("python@3.11"));
  },
  // What safety.test.ts exported.
  install: async () => importEnvironment(createStore(directory), `${root}-exported`, { replace: true }),
  gc: async () => collectGarbage(createStore(directory)),
};

process.stdout.write("ready\n");
await once(process.stdin, "data");
process.stdin.destroy();
await VERBS[verb]?.();
