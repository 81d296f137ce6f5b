/** Programs beyond the eight of conformance/reg/tasks.ts, each with the command that a user would type; prepare.sh makes what they read. */

export interface Program {
  readonly name: string;
  readonly command: readonly string[];
  /** More for `reg-env generate`, such as the working directory. */
  readonly options?: readonly string[];
}

const shell = (line: string) => ["sh", "-c", line];

export const PROGRAMS: readonly Program[] = [
  {
    name: "ffmpeg",
    command:
      "ffmpeg -v error -f lavfi -i color=c=white:s=64x64:d=1 -vf drawtext=text=hello:fontsize=20 -frames:v 1 /tmp/out.png".split(
        " ",
      ),
  },
  { name: "java", command: ["java", "-jar", "/srv/java/hello.jar"] },
  { name: "ruby", command: ["ruby", "main.rb"], options: ["--cwd", "/srv/ruby"] },
  { name: "php", command: ["php", "page.php"], options: ["--cwd", "/srv/php"] },
  { name: "postgresql", command: ["/srv/postgresql/task.sh"], options: ["--user", "postgres"] },
  { name: "mariadb", command: ["/srv/mariadb/task.sh"], options: ["--user", "mysql"] },
  { name: "apache", command: ["apachectl", "-D", "FOREGROUND"], options: ["--probe", "http:80/"] },
  {
    name: "imagemagick-png",
    command: ["convert", "/srv/image/in.png", "-resize", "50%", "-annotate", "0", "hello", "/tmp/out.png"],
  },
  { name: "imagemagick-svg", command: ["convert", "/srv/image/in.svg", "/tmp/out.png"] },
  { name: "gcc", command: ["gcc", "-O2", "-o", "/tmp/hello", "hello.c"], options: ["--cwd", "/srv/c"] },
  {
    name: "gstreamer",
    command:
      "gst-launch-1.0 -q audiotestsrc num-buffers=5 ! audioconvert ! vorbisenc ! oggmux ! filesink location=/tmp/out.ogg".split(
        " ",
      ),
  },
  { name: "graphviz-svg", command: ["dot", "-Tsvg", "/srv/graph/in.dot"] },
  { name: "graphviz-png", command: ["dot", "-Tpng", "-o", "/tmp/out.png", "/srv/graph/in.dot"] },
  {
    name: "python-web",
    command: ["venv/bin/python", "app.py"],
    options: ["--cwd", "/srv/web", "--probe", "http:8000/world"],
  },
  { name: "node-native", command: ["node", "/srv/node/app.js"] },
  { name: "git-https", command: ["/srv/git/task.sh"] },
  { name: "openssh", command: ["/srv/ssh/task.sh"] },
  { name: "erlang", command: ["erl", "-noshell", "-eval", 'io:format("~p~n", [lists:sum([1, 2, 3])]), halt().'] },
  {
    name: "restic",
    command: ["restic", "init", "--repo", "/tmp/repository"],
    options: ["--env", "RESTIC_PASSWORD=secret"],
  },
  { name: "musl", command: ["/srv/c/hello-musl"] },
  {
    name: "pipeline",
    command: shell("cut -d: -f7 /etc/passwd | sort | uniq -c | sort -rn | awk '{ print $2 }' | head -n 3"),
  },
  { name: "nginx", command: ["nginx", "-g", "daemon off;"], options: ["--probe", "http:80/"] },
  { name: "memcached", command: ["memcached", "-u", "memcache"], options: ["--probe", "tcp:11211"] },
  { name: "haproxy", command: ["haproxy", "-f", "/srv/haproxy/haproxy.cfg"], options: ["--probe", "http:8080/hello"] },
  {
    name: "named",
    command: ["named", "-g", "-u", "bind"],
    options: ["--program", "dig", "--probe", "exec:dig +short +time=1 @127.0.0.1 localhost"],
  },
  { name: "dnsmasq", command: ["dnsmasq", "--no-daemon"], options: ["--probe", "tcp:53"] },
  {
    name: "vim",
    command: [
      "vim",
      "-N",
      "-es",
      "-i",
      "NONE",
      "-c",
      "e /srv/text/in.py",
      "-c",
      "TOhtml",
      "-c",
      "w! /tmp/out.html",
      "-c",
      "qa!",
    ],
  },
  {
    name: "emacs",
    command: [
      "emacs",
      "--batch",
      "--eval",
      '(progn (find-file "/srv/text/in.org") (org-export-to-file (quote html) "/tmp/out.html"))',
    ],
  },
  { name: "tmux", command: ["sh", "/srv/shell/tmux.sh"] },
  { name: "rsync", command: ["rsync", "-a", "/srv/text/", "/tmp/copy/"] },
  { name: "rsyncd", command: ["sh", "/srv/shell/rsyncd.sh"] },
  { name: "tar-zstd", command: ["tar", "-C", "/tmp", "-x", "-f", "/srv/text.tar.zst"] },
  { name: "gnupg", command: ["/srv/shell/gpg.sh"] },
  {
    name: "openssl",
    command: [
      "openssl",
      "req",
      "-x509",
      "-newkey",
      "rsa:2048",
      "-nodes",
      "-subj",
      "/CN=localhost",
      "-keyout",
      "/tmp/key.pem",
      "-out",
      "/tmp/cert.pem",
    ],
  },
  { name: "jq", command: ["jq", "-r", ".a[2].b", "/srv/text/in.json"] },
  { name: "ripgrep", command: ["rg", "hello", "/srv/text"] },
  { name: "lua", command: ["lua5.4", "main.lua"], options: ["--cwd", "/srv/lua"] },
  { name: "tcl", command: ["tclsh", "/srv/tcl/main.tcl"] },
  { name: "r", command: ["Rscript", "/srv/r/main.R"] },
  { name: "guile", command: ["guile", "/srv/guile/main.scm"] },
  { name: "ocaml", command: ["ocaml", "str.cma", "/srv/ocaml/main.ml"] },
  {
    name: "ocamlopt",
    command: ["ocamlopt", "str.cmxa", "/srv/ocaml/main.ml", "-o", "/tmp/main"],
    options: ["--cwd", "/tmp"],
  },
  { name: "cmake", command: ["/srv/cmake/task.sh"] },
  { name: "make", command: ["make", "-C", "/srv/make"] },
  { name: "numpy", command: ["python3", "/srv/numpy/main.py"] },
  { name: "flask", command: ["flask", "--app", "/srv/flask/app.py", "run"], options: ["--probe", "http:5000/world"] },
  {
    name: "django",
    command: ["python3", "manage.py", "runserver", "--noreload"],
    options: ["--cwd", "/srv/django", "--probe", "http:8000/"],
  },
  { name: "ansible", command: ["ansible-playbook", "-c", "local", "-i", "localhost,", "/srv/ansible/play.yml"] },
  { name: "mosquitto", command: ["mosquitto"], options: ["--probe", "tcp:1883"] },
  { name: "squid", command: ["squid", "-N"], options: ["--probe", "tcp:3128"] },
  {
    name: "lighttpd",
    command: ["lighttpd", "-D", "-f", "/srv/lighttpd/lighttpd.conf"],
    options: ["--probe", "http:8080/hello.cgi"],
  },
  {
    name: "lighttpd-debian",
    command: ["lighttpd", "-D", "-f", "/etc/lighttpd/lighttpd.conf"],
    options: ["--probe", "http:80/"],
  },
  { name: "exim", command: ["exim4", "-bt", "root@localhost"] },
  { name: "msmtp", command: ["msmtp", "-C", "/srv/text/msmtprc", "--pretend", "a@localhost"] },
  { name: "ghostscript", command: ["gs", "-q", "-sDEVICE=png16m", "-r50", "-o", "/tmp/out.png", "/srv/text/in.ps"] },
  { name: "pdftotext", command: ["pdftotext", "/srv/text/in.pdf", "-"] },
  { name: "pandoc", command: ["pandoc", "-s", "/srv/text/in.md", "-o", "/tmp/out.docx"] },
  {
    name: "pdflatex",
    command: ["pdflatex", "-interaction", "nonstopmode", "-output-directory", "/tmp", "/srv/text/in.tex"],
    options: ["--env", "HOME=/tmp"],
  },
  { name: "tesseract", command: ["tesseract", "/srv/text/in.png", "-"] },
  { name: "sox", command: ["sox", "/srv/text/in.wav", "/tmp/out.flac", "rate", "44100"] },
  { name: "rsvg-convert", command: ["rsvg-convert", "/srv/text/in.svg", "-o", "/tmp/out.png"] },
  { name: "etcd", command: ["etcd", "--data-dir", "/tmp/etcd"], options: ["--probe", "http:2379/health"] },
  { name: "zsh", command: ["/srv/shell/main.zsh"] },
  { name: "fish", command: ["fish", "/srv/shell/main.fish"] },
  { name: "cron", command: ["cron", "-f"], options: ["--probe", "exec:test -e /run/crond.pid", "--program", "test"] },
  { name: "wireguard", command: ["sh", "-c", "wg genkey | wg pubkey | wc -c"] },
  { name: "iproute", command: ["ip", "-br", "addr"] },
];
