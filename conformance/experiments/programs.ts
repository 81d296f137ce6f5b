/** The programs of the experiments: what their environments are made of, a task each does, and those that serve. */

export interface Program {
  readonly name: string;
  /** What the environment is generated from. */
  readonly programs: readonly string[];
  readonly presets?: readonly string[];
  readonly include?: readonly string[];
  /** Prints something and ends. */
  readonly task: readonly string[];
  /** What it prints; the same in the full root and in the environment. */
  readonly output: RegExp;
  /** Runs until it is killed. */
  readonly server?: readonly string[];
}

const NGINX_CONFIG = "/run/nginx.conf";

/** Files of the work directory, which every container has at /run. */
export const WORK_FILES: Readonly<Record<string, string>> = {
  "nginx.conf": `daemon off;
user root;
worker_processes 1;
pid /tmp/nginx.pid;
error_log stderr;
events {}
http {
  access_log off;
  client_body_temp_path /tmp/body; proxy_temp_path /tmp/proxy; fastcgi_temp_path /tmp/fastcgi; uwsgi_temp_path /tmp/uwsgi; scgi_temp_path /tmp/scgi;
  server { listen unix:/tmp/nginx.sock; return 200 "ok"; }
}
`,
};

export const PROGRAMS: readonly Program[] = [
  {
    name: "nginx",
    programs: ["nginx"],
    task: ["/usr/sbin/nginx", "-t", "-c", NGINX_CONFIG, "-e", "stderr"],
    output: /test is successful/,
    server: ["/usr/sbin/nginx", "-c", NGINX_CONFIG, "-e", "stderr"],
  },
  {
    name: "redis",
    programs: ["redis-server"],
    task: ["/usr/bin/redis-server", "--version"],
    output: /Redis server v=/,
    server: ["/usr/bin/redis-server", "--port", "0", "--save", "", "--unixsocket", "/tmp/redis.sock"],
  },
  {
    name: "python",
    programs: ["python3"],
    presets: ["tls"],
    task: [
      "/usr/bin/python3",
      "-c",
      "import ssl, json, sqlite3, http.server; print(len(ssl.create_default_context().get_ca_certs()) > 100)",
    ],
    output: /^True$/m,
    server: [
      "/usr/bin/python3",
      "-c",
      "import ssl, json, http.server, signal; ssl.create_default_context(); signal.pause()",
    ],
  },
  {
    name: "node",
    programs: ["node"],
    task: ["/usr/bin/node", "-e", "console.log(require('crypto').createHash('sha256').update('reg').digest('hex'))"],
    output: /^[0-9a-f]{64}$/m,
    server: ["/usr/bin/node", "-e", "require('https'); require('http').createServer().listen('/tmp/node.sock')"],
  },
  {
    name: "perl",
    programs: ["perl"],
    task: [
      "/usr/bin/perl",
      "-MPOSIX",
      "-MData::Dumper",
      "-MSocket",
      "-e",
      "print POSIX::strftime('%Y-%m', gmtime(0)), qq(\\n)",
    ],
    output: /^1970-01$/m,
    server: ["/usr/bin/perl", "-MPOSIX", "-MData::Dumper", "-MSocket", "-MIO::Socket", "-e", "POSIX::pause() while 1"],
  },
  {
    name: "curl",
    programs: ["curl"],
    presets: ["tls"],
    task: [
      "/usr/bin/curl",
      "-sS",
      "-o",
      "/dev/null",
      "-w",
      "%{size_download}\\n",
      "file:///etc/ssl/certs/ca-certificates.crt",
    ],
    output: /^\d{5,}$/m,
  },
  {
    name: "sqlite",
    programs: ["sqlite3"],
    task: ["/usr/bin/sqlite3", ":memory:", "create table t(x); insert into t values (42); select x from t"],
    output: /^42$/m,
  },
  {
    name: "git",
    programs: ["git"],
    task: ["/usr/bin/git", "init", "/tmp/repository"],
    output: /Initialized empty Git repository/,
  },
];
