import { suite } from "uvu";
import * as assert from "uvu/assert";
import { withRoot } from "../../../../conformance/fixtures/root.ts";
import { Root } from "../root.ts";
import { readConf } from "./conf.ts";

const conf = suite("ld.so.conf");

const read = (entries: Readonly<Record<string, string>>) => withRoot(entries, (root) => readConf(new Root(root)));

conf("folders come in order, each once, and included files in their place", () =>
  assert.equal(
    read({
      "etc/ld.so.conf": "/a # ours\ninclude conf.d/*.conf\n/z:/b,/c=libc6\nhwcap 0 nosegneg\n",
      "etc/conf.d/1.conf": "/one/\n/a\n",
      "etc/conf.d/2.conf": "/two\n",
    }),
    ["/a", "/one", "/two", "/z", "/b", "/c"],
  ),
);

// Sixteen files that include all sixteen were 16^16 files.
conf("files that include each other are read once", () => {
  const entries: Record<string, string> = { "etc/ld.so.conf": "include conf.d/*.conf\n" };
  for (let number = 0; number < 30; number++)
    entries[`etc/conf.d/${number}.conf`] = `include *.conf\n/folder${number}\ninclude ../ld.so.conf\n`;
  assert.is(read(entries).length, 30);
});

conf.run();
