/** A real task for each of eight programs, and what it says: the same in the full root and in the program's environment. */

import { execFileSync } from "node:child_process";
import { createReadStream, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer, type Server as HttpServer } from "node:http";
import { createServer as createHttpsServer, get } from "node:https";
import { type AddressInfo, connect, createServer } from "node:net";
import { join } from "node:path";
import { eventually, type Output, type Place } from "./place.ts";

/** What tasks find at /task, and the servers of the machine that they talk to. */
export interface World {
  readonly task: string;
  readonly httpsPort: number;
  readonly httpPort: number;
  close(): void;
}

export interface Task {
  readonly program: string;
  /** Arguments of `reg-env generate`, beside the root. */
  readonly generate: readonly string[];
  run(place: Place, world: World): Promise<string>;
}

const PAGE = "<p>Reg says hello.</p>\n";

/** The name web.test is in /etc/hosts only. */
export async function makeWorld(task: string): Promise<World> {
  mkdirSync(join(task, "www"), { recursive: true });
  writeFileSync(join(task, "hosts"), "127.0.0.1\tlocalhost web.test\n");
  writeFileSync(join(task, "www/index.html"), PAGE);
  const names = "subjectAltName=DNS:localhost,DNS:web.test,IP:127.0.0.1";
  const subject = ["-subj", "/CN=reg test", "-addext", names, "-days", "2"];
  execFileSync(
    "openssl",
    [
      "req",
      "-x509",
      "-newkey",
      "rsa:2048",
      "-nodes",
      "-keyout",
      join(task, "key.pem"),
      "-out",
      join(task, "cert.pem"),
      ...subject,
    ],
    {
      stdio: "ignore",
    },
  );
  const pem = { key: readFileSync(join(task, "key.pem")), cert: readFileSync(join(task, "cert.pem")) };
  const https = createHttpsServer(pem, (_, response) => response.end(PAGE));
  // Serves the task's folder as files, for git.
  const http = createHttpServer((request, response) => {
    const path = join(task, decodeURIComponent((request.url ?? "/").replace(/\?.*/, "")));
    if (!path.startsWith(task) || !existsSync(path) || !statSync(path).isFile()) response.writeHead(404).end();
    else createReadStream(path).pipe(response);
  });
  const [httpsPort, httpPort] = await Promise.all([https, http].map(listen));
  return {
    task,
    httpsPort: httpsPort ?? 0,
    httpPort: httpPort ?? 0,
    close: () => {
      for (const server of [https, http]) {
        server.close();
        server.closeAllConnections();
      }
    },
  };
}

function listen(server: HttpServer | ReturnType<typeof createServer>): Promise<number> {
  return new Promise((done) => server.listen(0, "127.0.0.1", () => done((server.address() as AddressInfo).port)));
}

async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listen(server);
  server.close();
  return port;
}

function said({ status, stdout, stderr }: Output): string {
  return status === 0 ? stdout : `status ${status}: ${stdout}${stderr}`;
}

const nginx: Task = {
  program: "nginx",
  generate: [],
  async run(place, world) {
    const port = await freePort();
    writeFileSync(
      join(world.task, "nginx.conf"),
      `daemon off; pid /tmp/nginx.pid; error_log stderr;
events {}
http {
  include /etc/nginx/mime.types; access_log off; gzip on; gzip_min_length 1;
  server { listen 127.0.0.1:${port} ssl; ssl_certificate /task/cert.pem; ssl_certificate_key /task/key.pem; root /task/www; }
}
`,
    );
    const server = place.start("/usr/sbin/nginx", "-c", "/task/nginx.conf");
    try {
      const ca = readFileSync(join(world.task, "cert.pem"));
      return await eventually(
        () =>
          new Promise<string>((done, failed) => {
            const request = get({ host: "localhost", port, path: "/", ca, agent: false, family: 4 }, (response) => {
              let body = "";
              response.on("data", (chunk: Buffer) => {
                body += chunk.toString();
              });
              response.on("end", () => done(`${response.statusCode} ${response.headers["content-type"]} ${body}`));
            });
            request.on("error", failed);
          }),
        server,
      );
    } finally {
      await server.stop();
    }
  },
};

const redis: Task = {
  program: "redis-server",
  generate: [],
  async run(place) {
    const port = await freePort();
    const server = place.start(
      "/usr/bin/redis-server",
      "--port",
      String(port),
      "--bind",
      "127.0.0.1",
      "--save",
      "",
      "--dir",
      "/tmp",
    );
    const commands = "SET greeting hello\r\nGET greeting\r\nEVAL \"return redis.call('INCR', 'n') + 41\" 0\r\nQUIT\r\n";
    try {
      return await eventually(
        () =>
          new Promise<string>((done, failed) => {
            let answer = "";
            const socket = connect(port, "127.0.0.1", () => socket.write(commands));
            socket.on("data", (chunk) => {
              answer += chunk.toString();
            });
            socket.on("end", () => done(answer));
            socket.on("error", failed);
          }),
        server,
      );
    } finally {
      await server.stop();
    }
  },
};

const python: Task = {
  program: "python3",
  generate: ["--preset", "locale"],
  async run(place, { httpsPort }) {
    const script = `
import ssl, urllib.request, sqlite3, hashlib, ctypes, json, asyncio, lzma, bz2, zlib, decimal, socket, locale, time, uuid, xml.etree.ElementTree, curses
context = ssl.create_default_context(cafile="/task/cert.pem")
print(urllib.request.urlopen("https://web.test:${httpsPort}/", context=context).read().decode(), end="")
print("authorities", ssl.create_default_context().cert_store_stats()["x509_ca"] > 0, len(ssl.create_default_context().get_ca_certs()))
print(sqlite3.connect(":memory:").execute("select 6 * 7").fetchone())
print(hashlib.new("sha3_256", b"reg").hexdigest(), "ü".encode("idna"), lzma.decompress(lzma.compress(b"x")))
locale.setlocale(locale.LC_TIME, "de_DE.UTF-8")
print(time.strftime("%A, %d. %B %Y", time.gmtime(1)))
`;
    return said(await place.run("/usr/bin/python3", "-c", script));
  },
};

const node: Task = {
  program: "node",
  generate: [],
  async run(place) {
    const script = `
const https = require("https"), fs = require("fs"), crypto = require("crypto"), zlib = require("zlib");
const pem = { key: fs.readFileSync("/task/key.pem"), cert: fs.readFileSync("/task/cert.pem") };
const server = https.createServer(pem, (_, response) => response.end(zlib.gunzipSync(zlib.gzipSync("hello")))).listen(0, async () => {
  https.get({ host: "web.test", port: server.address().port, ca: pem.cert }, (response) => response.on("data", (chunk) => {
    console.log(String(chunk), crypto.createHash("sha256").update("reg").digest("hex"));
    console.log(new Intl.DateTimeFormat("de-DE", { dateStyle: "full", timeZone: "Asia/Tokyo" }).format(new Date(0)));
    import("node:fs/promises").then(() => process.exit(0));
  }));
});`;
    return said(await place.run("/usr/bin/node", "-e", script));
  },
};

const perl: Task = {
  program: "perl",
  generate: ["--preset", "locale"],
  async run(place) {
    const script = `use POSIX; use Socket; use Encode; use Digest::SHA; use List::Util; use Time::HiRes; use Data::Dumper; use Unicode::UCD;
setlocale(LC_TIME, "de_DE.UTF-8") or die; print strftime("%A, %d. %B %Y", gmtime(86400)), "\\n";
print inet_ntoa(inet_aton("web.test")), " ", Digest::SHA::sha1_hex("reg"), " ", encode("UTF-16BE", "\\x{e4}") eq "\\0\\xe4", " ", "\\N{GREEK SMALL LETTER ALPHA}" =~ /\\p{Greek}/, " ", scalar(getpwuid(0)), "\\n";`;
    return said(await place.run("/usr/bin/perl", "-e", script));
  },
};

const curl: Task = {
  program: "curl",
  generate: [],
  async run(place, { httpsPort }) {
    const page = await place.run(
      "/usr/bin/curl",
      "-sS",
      "--cacert",
      "/task/cert.pem",
      `https://web.test:${httpsPort}/`,
      "file:///task/www/index.html",
    );
    // The bundle of authorities is there, and does not know ours.
    const refused = await place.run(
      "/usr/bin/curl",
      "-s",
      "-o",
      "/dev/null",
      "-w",
      "%{exitcode} %{ssl_verify_result}",
      `https://web.test:${httpsPort}/`,
    );
    const version = await place.run("/usr/bin/curl", "--version");
    return [said(page), `${refused.status} ${refused.stdout}`, said(version)].join("\n");
  },
};

const sqlite: Task = {
  program: "sqlite3",
  generate: [],
  async run(place) {
    const script = `create table t(a, b); insert into t values (1, json_object('x', 2)), (2, datetime(0, 'unixepoch', 'localtime'));
select a, b from t order by a desc; create virtual table f using fts5(text); insert into f values ('shared memory'); select * from f('memory');`;
    return said(await place.run("/usr/bin/sqlite3", "/tmp/test.db", script));
  },
};

const git: Task = {
  program: "git",
  generate: [],
  async run(place, { httpPort }) {
    const script = `set -e
cd /tmp
git config --global user.name Reg; git config --global user.email reg@example.org; git config --global init.defaultBranch main
git init -q one; cd one; echo hello >file; git add file; GIT_AUTHOR_DATE='1000000001 +0000' GIT_COMMITTER_DATE='1000000001 +0000' git commit -qm first
git checkout -q -b side; echo more >>file; GIT_AUTHOR_DATE='1000000002 +0000' GIT_COMMITTER_DATE='1000000002 +0000' git commit -qam second; git checkout -q main; git merge -q side
cd ..; git clone -q file:///tmp/one two; git -C two log --format='%H %s'
rm -rf /task/three.git; git clone -q --bare two /task/three.git; git -C /task/three.git update-server-info
git clone -q http://web.test:${httpPort}/three.git four; git -C four log --format='%h %ad %s' --date=iso; git -C four diff HEAD~1 --stat
git -C four submodule status; git -C four stash list; git -C four gc -q; git -C four fsck`;
    return said(await place.run("/bin/sh", "-c", script));
  },
};

export const TASKS: readonly Task[] = [nginx, redis, python, node, perl, curl, sqlite, git];
