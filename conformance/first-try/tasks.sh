#!/bin/sh
# What the tasks of programs.ts read; prepare.sh runs it in the root that it made.
set -eu

cd /srv

mkdir -p java/app && cat >java/app/Hello.java <<END
package app;
public class Hello {
    public static void main(String[] args) throws Exception {
        System.out.println("hello from " + new java.util.TreeMap<>(java.util.Map.of("b", 2, "a", 1)));
        System.out.println(java.net.InetAddress.getByName("localhost").isLoopbackAddress());
    }
}
END
(cd java && javac app/Hello.java && jar --create --file hello.jar --main-class app.Hello app/Hello.class)

mkdir -p ruby/lib && echo "require \"json\"; module Report; def self.text(data) = JSON.generate(data); end" >ruby/lib/report.rb
cat >ruby/main.rb <<END
require_relative "lib/report"
require "digest"
puts Report.text({ "name" => File.read(File.join(__dir__, "name.txt")).strip, "digest" => Digest::SHA256.hexdigest("x") })
END
echo ruby >ruby/name.txt

mkdir -p php && echo "<?php function greet(string \$name): string { return json_encode([\"hello\" => \$name]); }" >php/greet.php
echo "<?php include \"greet.php\"; echo greet(\"php\"), \" \", date_default_timezone_get(), PHP_EOL;" >php/page.php

mkdir -p postgresql && cat >postgresql/task.sh <<END
#!/bin/sh
set -e
PATH=\$(echo /usr/lib/postgresql/*/bin):\$PATH
initdb -D /tmp/data -A trust >/dev/null
pg_ctl -D /tmp/data -o "-c listen_addresses= -c unix_socket_directories=/tmp" -l /tmp/log -w start >/dev/null
psql -h /tmp -d postgres -Atc "create table t (n int); insert into t select generate_series(1, 10); select sum(n), timezone(current_setting('TimeZone'), make_timestamptz(2024, 7, 1, 0, 0, 0, 'Europe/Berlin')) from t"
pg_ctl -D /tmp/data -m fast stop >/dev/null
END

mkdir -p mariadb && cat >mariadb/task.sh <<END
#!/bin/sh
set -e
mariadb-install-db --datadir=/tmp/data --auth-root-authentication-method=normal --skip-test-db >/dev/null 2>&1
mariadbd --datadir=/tmp/data --socket=/tmp/socket --pid-file=/tmp/pid --skip-networking >/tmp/log 2>&1 &
until mariadb-admin --socket=/tmp/socket -u root ping >/dev/null 2>&1; do sleep 0.1; done
mariadb --socket=/tmp/socket -u root -e "create database d; use d; create table t (n int) engine=InnoDB; insert into t values (1), (2), (3); select sum(n) from t"
mariadb-admin --socket=/tmp/socket -u root shutdown
wait
END

mkdir -p image && cat >image/in.svg <<END
<svg xmlns="http://www.w3.org/2000/svg" width="80" height="40"><rect width="80" height="40" fill="navy"/><text x="5" y="25" fill="white" font-size="16">hello</text></svg>
END
convert -size 40x40 gradient:red-blue image/in.png

mkdir -p c && printf "#include <stdio.h>\n#include \"own.h\"\nint main(void) { return puts(OWN) < 0; }\n" >c/hello.c
echo "#define OWN \"hello\"" >c/own.h
musl-gcc -o c/hello-musl c/hello.c

mkdir -p graph && echo "digraph { label=\"hello\"; a -> b -> c; a -> c [label=third] }" >graph/in.dot

mkdir -p web/templates && python3 -m venv web/venv
echo "def greet(name): return \"hello \" + name" >"$(echo web/venv/lib/python3*/site-packages)/greeting.py"
echo "<p>%s</p>" >web/templates/page.html
cat >web/handlers.py <<END
from pathlib import Path
from greeting import greet
PAGE = (Path(__file__).parent / "templates" / "page.html").read_text()
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/html")])
    return [(PAGE % greet(environ["PATH_INFO"])).encode()]
END
cat >web/app.py <<END
from wsgiref.simple_server import make_server
from handlers import application
make_server("", 8000, application).serve_forever()
END

mkdir -p node && cat >node/app.js <<END
const sqlite3 = require("sqlite3");
const { sum } = require("./sum");
const database = new sqlite3.Database(":memory:");
database.all("select 1 as n union select 2", (error, rows) => { if (error) throw error; console.log(sum(rows.map(({ n }) => n))); });
END
echo "exports.sum = (numbers) => numbers.reduce((a, b) => a + b, 0);" >node/sum.js

mkdir -p git && cd git
openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout key.pem -out cert.pem 2>/dev/null
export HOME=/tmp GIT_AUTHOR_DATE=2024-01-01T00:00:00Z GIT_COMMITTER_DATE=2024-01-01T00:00:00Z
git init -q -b main work && cd work && echo hello >file && git add file
git -c user.name=a -c user.email=a@localhost commit -q -m first && cd ..
git clone -q --bare work repository.git && git -C repository.git update-server-info && rm -rf work
cat >task.sh <<END
#!/bin/sh
cd /srv/git
openssl s_server -accept 8443 -cert cert.pem -key key.pem -HTTP -quiet >/dev/null 2>&1 &
sleep 1
git -c http.sslCAInfo=cert.pem clone -q https://localhost:8443/repository.git /tmp/clone && git -C /tmp/clone log --format=%H%n%s
kill \$!
END
cd ..

mkdir -p ssh && ssh-keygen -q -t ed25519 -N "" -f ssh/host_key && ssh-keygen -q -t ed25519 -N "" -f ssh/id && cp ssh/id.pub ssh/authorized_keys
cat >ssh/sshd_config <<END
HostKey /srv/ssh/host_key
AuthorizedKeysFile /srv/ssh/authorized_keys
ListenAddress 127.0.0.1:2222
StrictModes no
UsePAM yes
PidFile none
END
cat >ssh/task.sh <<END
#!/bin/sh
mkdir -p /run/sshd # which a system makes when it starts
/usr/sbin/sshd -f /srv/ssh/sshd_config
ssh -F none -p 2222 -i /srv/ssh/id -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR root@127.0.0.1 "echo hello; id -un"
END
chmod 755 postgresql/task.sh mariadb/task.sh git/task.sh ssh/task.sh

cd /srv

mkdir -p haproxy && cat >haproxy/haproxy.cfg <<END
global
    chroot /var/lib/haproxy
    user haproxy
    group haproxy
    stats socket /run/haproxy/admin.sock mode 660
defaults
    mode http
    timeout client 5s
    timeout connect 5s
    timeout server 5s
    errorfile 503 /etc/haproxy/errors/503.http
frontend web
    bind :8080
    http-request return status 200 content-type text/plain string "hello" if { path /hello }
END

mkdir -p text && printf 'def hello():\n    return "hello"\n' >text/in.py
printf '# Title\n\nSome *text* and a list:\n\n- one\n- two\n' >text/in.md
printf '#+TITLE: Title\n* Heading\nSome *bold* text.\n#+BEGIN_SRC emacs-lisp\n(message "hello")\n#+END_SRC\n' >text/in.org
echo '{"a": [1, 2, {"b": "hello"}]}' >text/in.json
tar -C text -c -f - in.py in.md | zstd -q -f -o text.tar.zst
tar -C text -c -J -f text.tar.xz in.py in.md

mkdir -p lua && echo 'local M = {}; function M.greet(n) return "hello " .. n end; return M' >lua/greeting.lua
cat >lua/main.lua <<END
local json = require("cjson")
local greeting = require("greeting")
print(json.encode({ text = greeting.greet("lua") }), os.date("!%Y", 0))
END

mkdir -p tcl && cat >tcl/main.tcl <<END
package require json
package require http
package require sha256
puts [json::json2dict {{"a": "hello"}}]
puts [sha2::sha256 hello]
puts [clock format 0 -format %Y-%m-%d -timezone :Europe/Berlin]
END

mkdir -p r && cat >r/main.R <<END
data <- read.csv("/srv/r/in.csv")
print(summary(lm(y ~ x, data))\$r.squared)
png("/tmp/out.png"); plot(data\$x, data\$y, main = "hello"); invisible(dev.off())
END
printf 'x,y\n1,2\n2,4.1\n3,5.9\n4,8.2\n' >r/in.csv

mkdir -p guile && cat >guile/main.scm <<END
(use-modules (srfi srfi-1) (ice-9 format) (ice-9 regex) (rnrs bytevectors))
(format #t "~a ~5,2f~%" (fold + 0 '(1 2 3)) 3.14159)
END

mkdir -p ocaml && echo 'let () = Printf.printf "%d %s\n" (List.fold_left (+) 0 [1; 2; 3]) (Str.replace_first (Str.regexp "a") "b" "abc")' >ocaml/main.ml

mkdir -p cmake && cat >cmake/CMakeLists.txt <<END
cmake_minimum_required(VERSION 3.18)
project(hello C CXX)
find_package(Threads REQUIRED)
add_executable(hello hello.c more.cpp)
target_link_libraries(hello Threads::Threads)
END
printf '#include <stdio.h>\nint more(void);\nint main(void) { printf("hello %%d\\n", more()); return 0; }\n' >cmake/hello.c
printf '#include <vector>\nextern "C" int more() { return std::vector<int>{1, 2}.size(); }\n' >cmake/more.cpp
cat >cmake/task.sh <<END
#!/bin/sh
cmake -S /srv/cmake -B /tmp/build && cmake --build /tmp/build && /tmp/build/hello
END
mkdir -p make && printf 'CFLAGS = -O2\n/tmp/hello: hello.c\n\t$(CC) $(CFLAGS) -o $@ $<\n\t$@\n' >make/Makefile
printf '#include <stdio.h>\n#include <math.h>\nint main(void) { puts("hello"); return 0; }\n' >make/hello.c

mkdir -p numpy && cat >numpy/main.py <<END
import numpy
print(numpy.linalg.inv(numpy.array([[1.0, 2.0], [3.0, 4.0]])).round(3), numpy.fft.fft([1, 0, 0, 0]))
END
mkdir -p flask/templates && cat >flask/app.py <<END
from flask import Flask, render_template
app = Flask(__name__)
@app.route("/<name>")
def page(name): return render_template("page.html", name=name)
END
echo '<p>hello {{ name }}</p>' >flask/templates/page.html
mkdir -p django && (cd django && [ -e manage.py ] || django-admin startproject mysite . )
mkdir -p ansible && cat >ansible/play.yml <<END
- hosts: all
  gather_facts: false
  tasks:
    - copy: { content: "hello\n", dest: /tmp/hello }
    - command: cat /tmp/hello
      register: out
    - debug: { var: out.stdout }
END

mkdir -p lighttpd && cat >lighttpd/hello.cgi <<END
#!/bin/sh
echo "Content-Type: text/plain"; echo
echo "hello \$REQUEST_METHOD"
END
chmod 755 lighttpd/hello.cgi
cat >lighttpd/lighttpd.conf <<END
server.modules = ("mod_cgi", "mod_accesslog", "mod_setenv")
server.document-root = "/srv/lighttpd"
server.port = 8080
server.username = "www-data"
server.errorlog = "/var/log/lighttpd/error.log"
cgi.assign = (".cgi" => "")
include "/etc/lighttpd/conf-available/10-dir-listing.conf"
END

printf '%%!PS\n/Helvetica findfont 24 scalefont setfont 72 700 moveto (hello) show showpage\n' >text/in.ps
gs -q -dNOSAFER -sDEVICE=pdfwrite -o text/in.pdf text/in.ps
gs -q -sDEVICE=pnggray -r150 -g600x200 -o text/in.png -c '/Helvetica findfont 40 scalefont setfont 40 40 moveto (hello world) show showpage'
printf '\\documentclass{article}\n\\usepackage{amsmath}\n\\begin{document}\nHello $\\frac{1}{2}$.\n\\end{document}\n' >text/in.tex
echo '<svg xmlns="http://www.w3.org/2000/svg" width="80" height="40"><rect width="80" height="40" fill="navy"/><text x="5" y="25" fill="white" font-size="16">hello</text></svg>' >text/in.svg
sox -q -n -r 8000 text/in.wav synth 0.2 sine 440

mkdir -p shell && cat >shell/main.zsh <<'END'
#!/usr/bin/zsh
autoload -U zmv colors
zmodload zsh/datetime zsh/stat
strftime %Y 0
typeset -A map; map=(a 1 b 2); print ${(k)map} ${#map}
for file in /srv/text/*.py(N); do print $file:t; done
ls /srv/text | sort | head -n 2
END
cat >shell/main.fish <<'END'
set list b a c
for each in (string join \n $list | sort); echo $each; end
math 1 + 2
contains a $list; and echo yes
END
mkdir -p www && echo hello >www/index.html
cat >shell/gpg.sh <<'END'
#!/bin/sh
export GNUPGHOME=/tmp/gnupg; mkdir -m 700 /tmp/gnupg
gpg --batch --quiet --passphrase '' --quick-generate-key 'A <a@localhost>' ed25519 sign never
echo hello | gpg --batch --quiet --clearsign >/tmp/signed.asc && gpg --batch --verify /tmp/signed.asc 2>&1 | grep -o 'Good signature from "[^"]*"'
gpgconf --kill all
END
cat >shell/tmux.sh <<'END'
#!/bin/sh
tmux new-session -d -x 80 -y 24 'sleep 30' && tmux send-keys x && tmux list-sessions -F '#{session_name} #{window_width}'; tmux kill-server
END
cat >text/rsyncd.conf <<END
[text]
path = /srv/text
read only = true
use chroot = false
END
cat >shell/rsyncd.sh <<'END'
#!/bin/sh
rsync --daemon --config=/srv/text/rsyncd.conf --port=8873
sleep 0.3
rsync -a rsync://localhost:8873/text/in.py /tmp/ && cat /tmp/in.py
END
printf 'account default\nhost 127.0.0.1\nfrom a@localhost\n' >text/msmtprc; chmod 600 text/msmtprc
chmod 755 shell/*.sh shell/*.zsh cmake/task.sh
