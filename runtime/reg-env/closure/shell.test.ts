import { suite } from "uvu";
import * as assert from "uvu/assert";
import { commandsOf } from "./shell.ts";

const shell = suite("shell scripts");

const texts: readonly (readonly [text: string, commands: readonly string[]])[] = [
  ["sed s/a/b/ file | sort >out && rm -f file", ["rm", "sed", "sort"]],
  ["if grep -q x file; then awk 1; else cat; fi", ["awk", "cat", "grep"]],
  ["A=$(basename $0) B=1 tar xf $1", ["basename", "tar"]],
  ["# comment: sed\nfor f in a b; do cp $f /; done", ["cp"]],
  ["# don't\nV=\"$(basename $0)\" # can't\nls", ["basename", "ls"]],
  ["helper() {\n  echo hello\n}\nhelper", []],
  ["cat <<END\nsed is not called\nEND\nls", ["cat", "ls"]],
  ["! mountpoint /x || exec /usr/sbin/nginx -g 'daemon off;'", ["/usr/sbin/nginx", "mountpoint"]],
  ["case $1 in\nstart) ;;\nesac\ncd /; export A=1", []],
  // Behind programs that run others.
  [
    "env -i A=b perl x; sudo -u user tar x; find . -name x -exec chmod 1 {} \\; | xargs -0 -n 1 gzip",
    ["chmod", "env", "find", "gzip", "perl", "sudo", "tar", "xargs"],
  ],
  ["timeout -k 5 10 nice -n 3 rsync a b; exec -a name nginx", ["nginx", "nice", "rsync", "timeout"]],
  // On the line of a here-document, and after it.
  ["cat <<-'END' | sort -u; uniq x\n\tsed\n\tEND\nwc", ["cat", "sort", "uniq", "wc"]],
  ["cat <<A <<B\nrm\nA\nmv\nB\nls", ["cat", "ls"]],
  ["grep x <<<$word; wc", ["grep", "wc"]],
  // What only looks like a command.
  ["if [[ -f x && name == other || ( a < b ) ]]; then ls; fi", ["ls"]],
  ["n=$((wc + tr)); ((sum = ls)); list=(cat rm); od", ["od"]],
  ["case $x in\n  a | b) tr ;;\n  (c) cut ;& d) ;;\nesac; case y in z) sed;; esac && wc", ["cut", "sed", "tr", "wc"]],
  ["function one { ls; }\ntwo() ( rm )\none; two", ["ls", "rm"]],
  ["echo \"it is $(date -u) and \"`hostname -f`'$(not)'", ["date", "hostname"]],
  [">out 2>&1 </dev/null make -j; cc &>log a", ["cc", "make"]],
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's
  ["echo ${x:-$(id)} $# ${y%% *}; 'quoted name' x; \"$program\" y; $program z", []],
  ["for f in $(ls); do cp $f /; done | sort", ["cp", "ls", "sort"]],
];

for (const [text, commands] of texts)
  shell(`commands of ${JSON.stringify(text)}`, () => assert.equal(commandsOf(text), commands));

// Each was once a matter of minutes, or of for ever.
const LARGE: readonly (readonly [name: string, text: string])[] = [
  ["words joined by | without )", Array.from({ length: 40_000 }, () => "word").join(" | ")],
  ["blank lines", "\n".repeat(1_000_000)],
  ["parentheses that nobody closes", "(".repeat(300_000)],
  ["substitutions in each other", '"$('.repeat(100_000)],
  ["here-documents without end", "cat <<END\n".repeat(100_000)],
  ["expansions without end", `${"${".repeat(100_000)}}`],
  ["quotes without end", "'\"".repeat(200_000)],
];

for (const [name, text] of LARGE) shell(`an end is found to ${name}`, () => assert.ok(commandsOf(text).length <= 2));

shell.run();
