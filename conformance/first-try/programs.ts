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
];
