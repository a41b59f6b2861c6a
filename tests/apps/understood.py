#!/usr/bin/env python3
"""Whether real servers understand alike what passgate forwards (SECURITY: H1-18).

One gateway stands before each server. All get the same requests, good ones and ones that were damaged at random, each on a
connection of its own. Each server notes what it understood: how many requests, their method, target and body. What
passgate answers by itself reaches none of them; of the rest all have to say the same, or refuse it.

    understood.py PASSGATE FOLDER [ROUNDS [SEED]]

FOLDER is empty and becomes the home of all servers. Prints one line of figures; exit code 1 if two servers differ. Ends early,
with all it has started, when its input ends.
"""

import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))
ASKED, PAUSE = 600, 0.05
PATIENCE = 5.0


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


# ---------------------------------------------------------------------------------------------------------------- what is sent

GOOD = [
    b"GET /a?b=c HTTP/1.1\r\nHost: {H}\r\nAccept: */*\r\n\r\n",
    b"GET /x/y%20z?q=%2F&a[]=1;b|{}^ HTTP/1.1\r\nHost: {H}\r\nCookie: a=b; c=d\r\nX-Odd:  two  blanks \r\n\r\n",
    b"HEAD /a HTTP/1.1\r\nHost: {H}\r\n\r\n",
    b"POST /p HTTP/1.1\r\nHost: {H}\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nabcde",
    b"POST /p HTTP/1.1\r\nHost: {H}\r\nContent-Length: 38\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: {H}\r\n\r\n",
    b"POST /c HTTP/1.1\r\nHost: {H}\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n3\r\nfgh\r\n0\r\n\r\n",
    b"POST /c HTTP/1.1\r\nHost: {H}\r\nTransfer-Encoding: chunked\r\n\r\n1a\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n0\r\nX-Sum: 1\r\n\r\n",
    b"PUT /u HTTP/1.0\r\nHost: {H}\r\nContent-Length: 3\r\n\r\nabc",
    b"GET http://{H}/absolute HTTP/1.1\r\nHost: {H}\r\n\r\n",
    b"GET /body HTTP/1.1\r\nHost: {H}\r\nContent-Length: 4\r\n\r\nbody",
    b"POST /e HTTP/1.1\r\nHost: {H}\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\nbody",
    b"GET /up HTTP/1.1\r\nHost: {H}\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n\r\n",
]
LINES = [
    b"Content-Length: 5", b"Content-Length: 0", b"content-length:5", b"Content-Length : 5", b"Content_Length: 5", b"Content-Length: 5, 5",
    b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity", b"transfer-encoding:\tchunked", b"Transfer_Encoding: chunked",
    b"TE: trailers", b"Trailer: X", b"Connection: close", b"Connection: Content-Length", b"Connection: keep-alive, Transfer-Encoding",
    b"Host: other", b"Expect: 100-continue", b"Keep-Alive: 5", b"X-HTTP-Method-Override: DELETE", b"X-Original-URL: /smuggled",
    b" folded", b"X: y\r\n folded", b"X:", b":", b"X", b"Proxy-Connection: close", b"Range: bytes=0-1", b"Content-Encoding: chunked",
]
SPECIAL = [b"\0", b"\r", b"\n", b"\r\n", b" ", b"\t", b"\x0b", b"\x85", b"\xa0", b";", b",", b":", b"#", b"?", b"%00", b"%", b"..", b"//", b"\x7f", b"_"]


def damaged(rng):
    """A request with up to three things done to it."""
    request = rng.choice(GOOD)
    for _ in range(rng.choice((0, 1, 1, 1, 2, 3))):
        at = rng.randrange(len(request))
        lines = request.split(b"\r\n")
        kind = rng.randrange(8)
        if kind == 0:
            request = request[:at] + rng.choice(SPECIAL) + request[at:]
        elif kind == 1:
            request = request[:at] + bytes([rng.randrange(256)]) + request[at + 1:]
        elif kind == 2:
            lines.insert(rng.randrange(1, len(lines)), rng.choice(LINES))
            request = b"\r\n".join(lines)
        elif kind == 3:
            chosen = rng.randrange(len(lines))
            lines.insert(chosen, lines[chosen])
            request = b"\r\n".join(lines)
        elif kind == 4:
            request = request[:at] + request[at + 1:]
        elif kind == 5:
            ends = [found.start() for found in re.finditer(b"\r\n", request)]
            end = rng.choice(ends)
            request = request[:end] + rng.choice((b"\n", b"\r", b"\r\r\n", b"\n\r\n", b" \r\n")) + request[end + 2:]
        elif kind == 6:
            line = rng.randrange(1, len(lines))
            lines[line] = lines[line].swapcase()
            request = b"\r\n".join(lines)
        else:
            request = request + rng.choice((b"GET /behind HTTP/1.1\r\nHost: {H}\r\n\r\n", b"\r\n", b"x"))
    return request


# -------------------------------------------------------------------------------------------------------------- what is noted

def noted(method, target, body):
    """One request as all servers are to tell it. Those that tell a path only decoded make the others do so."""
    path, _, query = target.partition("?")
    path = re.sub(r"^https?://[^/]*", "", path)
    raw = urllib.parse.unquote_to_bytes(path.encode("latin-1"))
    return [method, raw.hex(), query, body.hex()]


class Recorder(socketserver.StreamRequestHandler):
    """What the servers that pass requests on have behind them; it takes nothing but what is plain."""

    def handle(self):
        while True:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                line = self.rfile.readline(70000)
                if not line:
                    return
                head += line
            lines = head.split(b"\r\n")[:-2]
            fields = {}
            for line in lines[1:]:
                name, _, value = line.partition(b":")
                fields.setdefault(name.lower(), []).append(value.strip())
            if fields.get(b"transfer-encoding"):
                body = b""
                while (size := int(self.rfile.readline(100).strip().split(b";")[0], 16)) > 0:
                    body += self.rfile.read(size)
                    self.rfile.readline(10)
                while self.rfile.readline(9000).strip():
                    pass
            else:
                body = self.rfile.read(int(fields.get(b"content-length", [b"0"])[0]))
            method, target = lines[0].decode("latin-1").split(" ")[:2]
            self.server.note(noted(method, target, body))
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


class Behind(socketserver.ThreadingTCPServer):
    allow_reuse_address, daemon_threads = True, True

    def __init__(self, log):
        super().__init__(("127.0.0.1", 0), Recorder)
        self.log = log
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def note(self, entry):
        with open(self.log, "a") as log:
            log.write(json.dumps(entry) + "\n")

    def handle_error(self, request, client_address):
        # A connection that is reset is over, and was between two requests; anything else could not be read.
        if not isinstance(sys.exc_info()[1], OSError):
            self.note(["broken", "", "", ""])


PYTHON = '''
import json, os, urllib.parse
def note(method, raw, query, body):
    with open(os.environ["NOTES"], "a") as log:
        log.write(json.dumps([method, raw.hex(), query, body.hex()]) + "\\n")
def application(environ, start_response):
    body = environ["wsgi.input"].read()
    raw = environ["PATH_INFO"].encode("latin-1")
    note(environ["REQUEST_METHOD"], raw, environ["QUERY_STRING"], body)
    start_response("200 OK", [("Content-Length", "0")])
    return [b""]
def main():
    from aiohttp import web
    async def answer(request):
        path, _, query = request.raw_path.partition("?")
        note(request.method, urllib.parse.unquote_to_bytes(path.encode("latin-1")), query, await request.read())
        return web.Response()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", answer)
    web.run_app(app, host="127.0.0.1", port=int(os.environ["PORT"]), print=None)
'''
PHP = '''<?php
[$path, $query] = array_pad(explode('?', $_SERVER['REQUEST_URI'], 2), 2, '');
$path = preg_replace('~^https?://[^/]*~', '', $path);
$entry = [$_SERVER['REQUEST_METHOD'], bin2hex(rawurldecode($path)), $query, bin2hex(file_get_contents('php://input'))];
file_put_contents(getenv('NOTES') ?: $_SERVER['NOTES'], json_encode($entry, JSON_UNESCAPED_SLASHES) . "\\n", FILE_APPEND | LOCK_EX);
header('Content-Length: 0');
'''


# ---------------------------------------------------------------------------------------------------------------- the servers

def write(path, text):
    with open(path, "w") as file:
        file.write(text)
    return path


def program(*names):
    for name in names:
        if found := shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin"):
            return found
    sys.exit(f"{names[0]} is not installed: run tests/setup.sh apps")


def nginx(folder, port, behind):
    write(f"{folder}/nginx.conf", f"""daemon off; pid {folder}/pid; error_log {folder}/error.log;
events {{}} http {{ access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s; server {{ listen 127.0.0.1:{port}; location / {{
proxy_pass http://127.0.0.1:{behind}; proxy_http_version 1.1; }} }} }}""")
    return [program("nginx"), "-p", folder, "-c", f"{folder}/nginx.conf"]


def haproxy(folder, port, behind):
    write(f"{folder}/haproxy.cfg", f"""defaults
 mode http
 timeout connect 5s
 timeout client 10s
 timeout server 10s
frontend in
 bind 127.0.0.1:{port}
 default_backend out
backend out
 server one 127.0.0.1:{behind}
""")
    return [program("haproxy"), "-db", "-f", f"{folder}/haproxy.cfg"]


def lighttpd(folder, port, behind):
    write(f"{folder}/lighttpd.conf", f"""server.document-root = "{folder}"
server.bind = "127.0.0.1"
server.port = {port}
server.modules = ("mod_proxy")
server.http-parseopts = ("url-normalize" => "disable")
proxy.server = ("" => (("host" => "127.0.0.1", "port" => {behind})))
""")
    return [program("lighttpd"), "-D", "-f", f"{folder}/lighttpd.conf"]


def apache(folder, port, _):
    os.makedirs(f"{folder}/site")
    write(f"{folder}/site/index.php", PHP)
    modules = "/usr/lib/apache2/modules"
    php = sorted(name for name in os.listdir(modules) if re.fullmatch(r"libphp[\d.]*\.so", name))
    if not php:
        sys.exit("Apache has no PHP: run tests/setup.sh apps")
    loads = {"mpm_prefork": "mod_mpm_prefork.so", "authz_core": "mod_authz_core.so", "rewrite": "mod_rewrite.so", "mime": "mod_mime.so",
             "env": "mod_env.so", "php": php[-1]}
    lines = "\n".join(f"LoadModule {name}_module {modules}/{file}" for name, file in loads.items())
    write(f"{folder}/apache.conf", f"""{lines}
ServerName localhost
Listen 127.0.0.1:{port}
PidFile {folder}/pid
ErrorLog {folder}/error.log
DocumentRoot {folder}/site
TypesConfig /dev/null
AddHandler application/x-httpd-php .php
SetEnv NOTES {folder}/notes
AllowEncodedSlashes NoDecode
KeepAlive Off
RewriteEngine on
RewriteRule ^ /index.php [L]
""")
    return [program("apache2"), "-X", "-f", f"{folder}/apache.conf"]


def php(folder, port, _):
    write(f"{folder}/router.php", PHP)
    return [program("php"), "-S", f"127.0.0.1:{port}", f"{folder}/router.php"]


def python(folder, *command):
    write(f"{folder}/notes_app.py", PYTHON)
    return [os.path.join(os.path.dirname(sys.executable), "python3"), *command]


def gunicorn(folder, port, _):
    return python(folder, "-m", "gunicorn", "-b", f"127.0.0.1:{port}", "-k", "gthread", "--threads", "4", "--chdir", folder, "notes_app")


def waitress(folder, port, _):
    return python(folder, "-m", "waitress", f"--listen=127.0.0.1:{port}", "notes_app:application")


def aiohttp(folder, port, _):
    return python(folder, "-c", "import notes_app; notes_app.main()")


SERVERS = [nginx, haproxy, lighttpd, apache, php, gunicorn, waitress, aiohttp]


class Pair:
    """A server and the gateway before it."""

    def __init__(self, passgate, folder, server, pairs):
        pairs.append(self)
        self.name, self.folder = server.__name__, os.path.join(folder, server.__name__)
        self.children = []
        os.makedirs(self.folder)
        self.notes = write(f"{self.folder}/notes", "")
        behind = Behind(self.notes).server_address[1]
        port, self.port = free_port(), free_port()
        self.start(server(self.folder, port, behind), {"NOTES": self.notes, "PORT": str(port), "PYTHONPATH": self.folder})
        self.wait(port)
        write(f"{self.folder}/gateway.toml", f"""[server]
listen = "127.0.0.1:{self.port}"
public_url = "http://localhost:{self.port}"
admin_listen = ""
data_dir = "{self.folder}/data"
[connections]
head_timeout = "100ms"
idle_timeout = "100ms"
rate_grace = "200ms"
stall_timeout = "200ms"
[upstream]
url = "http://127.0.0.1:{port}"
[access]
default = "guest"
[store]
backend = "memory"
""")
        self.start([passgate, "serve", "--config", f"{self.folder}/gateway.toml"], {})
        self.wait(self.port)
        # The first request has to find everything in place, and is not one of those compared. On a busy machine one may come too slowly
        # for a head.
        for _ in range(ASKED):
            self.exchange(b"GET /ready HTTP/1.1\r\nHost: {H}\r\nConnection: close\r\n\r\n")
            if self.understood():
                return
        self.fail("it noted nothing")

    def start(self, command, environment):
        log = open(f"{self.folder}/log", "a")
        self.children.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
                                              env={**os.environ, **environment}, start_new_session=True))

    def wait(self, port):
        for _ in range(ASKED):
            try:
                return socket.create_connection(("127.0.0.1", port)).close()
            except OSError:
                time.sleep(PAUSE)
            if self.children[-1].poll() is not None:
                break
        self.fail("it does not start")

    def fail(self, why):
        with open(f"{self.folder}/log") as log:
            sys.exit(f"{self.name}: {why}; it said:\n{log.read()[-2000:]}")

    def exchange(self, request):
        """Sends it and waits for the end of the connection; returns all that came."""
        answer = b""
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as client:
            try:
                client.sendall(request.replace(b"{H}", b"localhost"))
                while some := client.recv(65536):
                    answer += some
            except OSError:
                pass
        return answer

    def understood(self):
        """What has been noted since this was asked last."""
        with open(self.notes, "r+") as notes:
            lines = notes.read().splitlines()
            notes.truncate(0)
        return [json.loads(line) for line in lines]

    def stop(self):
        for child in reversed(self.children):
            try:
                os.killpg(child.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            child.wait()


def is_part(some, all_of_them):
    """Whether `some` are among them, in their order: each server may refuse some that others take."""
    rest = iter(all_of_them)
    return all(entry in rest for entry in some)


def compare(pairs, requests):
    """Returns how many requests were forwarded, and those over which two servers differ."""
    forwarded, differences = 0, []

    def ask(pair):
        pair.understood()
        outcome = []
        for request in requests:
            answer = pair.exchange(request)
            if b" 408 " in answer:
                # It was never whole. Whether a server notes what it got of it is a matter of time.
                time.sleep(4 * PAUSE)
                pair.understood()
                answer = b""
            outcome.append((pair.understood(), answer[:60]))
        return outcome

    with ThreadPoolExecutor(len(pairs)) as pool:
        outcomes = list(pool.map(ask, pairs))
    for request, each in zip(requests, zip(*outcomes)):
        said = [(pair.name, entries, answer) for pair, (entries, answer) in zip(pairs, each)]
        most = max((entries for _, entries, _ in said), key=len)
        forwarded += len(most)
        if not all(is_part(entries, most) for _, entries, _ in said):
            differences.append((request, said))
    return forwarded, differences


def main():
    passgate, folder = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    rounds, seed = int((sys.argv[3:] or [400])[0]), int((sys.argv[4:] or [1])[0])
    rng = random.Random(seed)
    requests = GOOD + [damaged(rng) for _ in range(rounds)]
    pairs = []

    def end_with_input():
        sys.stdin.read()
        for pair in pairs:
            pair.stop()
        os._exit(2)

    threading.Thread(target=end_with_input, daemon=True).start()
    try:
        with ThreadPoolExecutor(len(SERVERS)) as pool:
            list(pool.map(lambda server: Pair(passgate, folder, server, pairs), SERVERS))
        forwarded, differences = compare(pairs, requests)
    finally:
        for pair in pairs:
            pair.stop()
    for request, said in differences[:10]:
        print(f"differs: {request!r}")
        for name, entries, answer in said:
            print(f"    {name:9} {entries} {answer!r}")
    print(f"{len(requests)} requests, {forwarded} forwarded, {len(differences)} understood differently, by {len(pairs)} servers")
    sys.exit(1 if differences else 0)


if __name__ == "__main__":
    main()
