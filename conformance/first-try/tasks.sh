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
