#!/usr/bin/env python3
"""CPU time a request: passgate beside nginx as a bare proxy, measured in the same run.

A load generator (wrk, 64 connections) asks for a body of 1000 bytes. Whatever is measured has core 0 to itself; the load
and the upstream share core 1. The subjects take turns, round after round, so that a machine that slows down slows all
of them. What counts is CPU time from /proc over requests answered, and its ratio to nginx of the same round.

    direct             the upstream itself
    nginx              a bare proxy, no access log
    nginx-log          the same, with its access log as Debian ships it: a file, a write a request
    passgate-guest     as by default, access log included; nobody signed in
    passgate-member    the same, a member signed in
    passgate-quiet     a guest without the access log (log.level = "warn"), to compare with `nginx` and `pingora`
    pingora            the engine alone, with a look into a map of sessions; what passgate takes beyond it is its own
    passkeys           no subject of the table: the price of a passkey's check, and how long readers wait for proxied pages
                       while nobody signs in, while 200 members a second do with passkeys, and while some do with
                       passwords without a pause; each reader's wait counts from when the request was due
    refusals           no subject either: how long a refused sign-in takes, by what is known of the name. An answer that comes
                       sooner for one kind than for another tells strangers which names exist. Tries take turns on one
                       connection, each for an account and from an address of its own, so that no throttle has a say. Beside
                       the medians stands the chance that a try of this kind takes longer than one for an unknown name:
                       0.5 where time tells nothing. Names that have to wait after too many tries are compared with each other:
                       members' with nobody's
    asking             nor this: how long the answer takes for who asks for a link to a new password, and for who asks for one to a new
                       account, when there is such a member and when there is none; in the same way

    make bench                    nine rounds of three seconds each
    QUICK=1 make bench            three rounds of one second, for a glance
    SUBJECTS=direct,nginx ...     only these
    SAMPLES=500 ...               so many refused sign-ins, and askings, of each kind (default 200, or 40 with QUICK=1)
    LOG=file|pipe|null ...        where passgate's log goes: a file on the disk (default), a reader behind a pipe, /dev/null
    PASSGATE=path/to/passgate ... another binary than the release build
    PASSGATE_LOG__LEVEL=warn ...  without a line in the log for each request, as nginx here has none either

Beside it the time from starting passgate to its first answer, and its memory then. Needs nothing but Python's standard
library, wrk, nginx and taskset. The table is printed; target/bench/result.json has every round.

CPU time leaves out waiting, but not the caches that other programs on the machine empty: on a busy machine a big program
looks worse, and so does its ratio. Believe a run on an idle one.
"""

import bisect
import html.parser
import http.client
import http.cookiejar
import itertools
import json
import os
import pathlib
import platform
import random
import re
import secrets
import shutil
import signal
import socket
import socketserver
import statistics
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDER = ROOT / "target" / "bench"
SUBJECT_CORE, LOAD_CORE = 0, 1
CONNECTIONS = 64
BODY = "x" * 1000
MEMBER, PASSWORD = "bench", secrets.token_hex(16)
QUICK = os.environ.get("QUICK") == "1"
ROUNDS, SECONDS = (3, 1) if QUICK else (9, 3)
LOG = os.environ.get("LOG", "file")
SUBJECTS = [
    "direct", "nginx", "nginx-log", "passgate-guest", "passgate-member", "passgate-quiet", "pingora", "passkeys", "refusals",
    "asking",
]
MEMBERS = 40
SAMPLES = int(os.environ.get("SAMPLES", 40 if QUICK else 200))
# The hash and phpBB's kind of an account (1 is one that was never activated) by what is measured. Nobody has the
# passwords.
ARGON2ID = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2E$" + "A" * 43
REFUSED = {
    "argon2id": (ARGON2ID, 0),
    "disabled": (ARGON2ID, 1),
    "passkey-only": ("", 0),
    "bcrypt": ("$2y$10$f9zNsrN9oZUjhp18jmHQz.McDSXrwWM4GqmUOn.m7hXEpr/c/FSyu", 0),
    "phpass": ("$H$9zNsrN9oZUjhp18jmHQzMcDSXrwWM41", 0),
    "md5": ("0123456789abcdef" * 2, 0),
}
# Names with too many wrong passwords: of members, and of nobody.
THROTTLED, THROTTLED_NAMES = ("throttled", "throttled-unknown"), 10
NGINX = shutil.which("nginx") or "/usr/sbin/nginx"


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Program:
    """A process of ours, pinned to a core, that answers on a port."""

    running = []

    def __init__(self, name, core, port, command, log_to="file"):
        self.log = FOLDER / f"{name}.log"
        self.log.unlink(missing_ok=True)
        begun = time.monotonic()
        with self.log.open("ab") as log:
            if log_to == "pipe":
                reader = ["taskset", "-c", str(LOAD_CORE), "cat"]
                self.reader = subprocess.Popen(reader, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
            written = {"file": log, "null": subprocess.DEVNULL, "pipe": log_to == "pipe" and self.reader.stdin}[log_to]
            self.process = subprocess.Popen(
                ["taskset", "-c", str(core), *map(str, command)], stdin=subprocess.DEVNULL, stdout=log, stderr=written
            )
            if log_to == "pipe":
                self.reader.stdin.close()
        Program.running.append(self)
        self.wait_for(port)
        self.ready_ms = (time.monotonic() - begun) * 1000
        self.idle_mib = self.resident_mib()

    def wait_for(self, port):
        for _ in range(2000):
            if self.process.poll() is not None:
                break
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
                    client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                    if client.recv(1):
                        return
            except ConnectionError:
                pass
            time.sleep(0.005)
        sys.exit(f"{self.log.stem} does not answer; see {self.log}:\n{self.log.read_text()[-2000:]}")

    def family(self):
        """Its process ids: itself and every descendant."""
        parents = {}
        for entry in pathlib.Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = entry.read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            parents[int(entry.parent.name)] = int(fields[1])
        family = {self.process.pid}
        while True:
            children = {pid for pid, parent in parents.items() if parent in family} - family
            if not children:
                return family
            family |= children

    def cpu_seconds(self):
        """User and system time of all its threads."""
        ticks = 0
        for pid in self.family():
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def resident_mib(self):
        total = 0
        for pid in self.family():
            status = pathlib.Path(f"/proc/{pid}/status").read_text()
            total += int(re.search(r"VmRSS:\s+(\d+)", status).group(1))
        return total / 1024

    @classmethod
    def stop_all(cls):
        for program in reversed(cls.running):
            program.process.send_signal(signal.SIGTERM)
        for program in cls.running:
            try:
                program.process.wait(10)
            except subprocess.TimeoutExpired:
                program.process.kill()


def nginx(name, core, port, server, access_log="off"):
    """One nginx worker with the lines `server` in its http block."""
    prefix = FOLDER / name
    prefix.mkdir(parents=True, exist_ok=True)
    temporary = "\n".join(
        f"{kind}_temp_path {prefix}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if os.getuid() == 0 else ""
    configuration = f"""
        daemon off; {user}
        worker_processes 1;
        pid {prefix}/pid;
        error_log stderr;
        events {{ worker_connections 1024; }}
        http {{
            access_log {access_log};
            keepalive_requests 1000000000;
            {temporary}
            {server}
        }}
    """
    file = prefix / "nginx.conf"
    file.write_text(configuration)
    return Program(name, core, port, [NGINX, "-p", prefix, "-c", file, "-e", "stderr"])


def start_upstream():
    port = free_port()
    server = f"""server {{
        listen 127.0.0.1:{port} backlog=1024;
        default_type text/plain;
        location / {{ return 200 "{BODY}"; }}
        location = /who {{ return 200 "[$http_remote_user]"; }}
    }}"""
    return nginx("upstream", LOAD_CORE, port, server), port


def start_nginx(name, upstream, access_log):
    port = free_port()
    server = f"""upstream app {{ server 127.0.0.1:{upstream}; keepalive 128; keepalive_requests 1000000000; }}
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        location / {{
            proxy_pass http://app;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header X-Forwarded-Host $http_host;
        }}
    }}"""
    return nginx(name, SUBJECT_CORE, port, server, access_log), port


def start_passgate(name, binary, upstream, log_level="info", members=(MEMBER,), server="", imported=(), rest=""):
    """passgate with guests let through and members, on a store of its own."""
    port = free_port()
    data = FOLDER / f"{name}-data"
    shutil.rmtree(data, ignore_errors=True)
    file = FOLDER / f"{name}.toml"
    file.write_text(
        f"""[server]
listen = ["127.0.0.1:{port}"]
public_url = "http://localhost:{port}"
data_dir = "{data}"
admin_listen = ""
{server}
[upstream]
url = "http://127.0.0.1:{upstream}"
[access]
default = "guest"
[log]
level = "{log_level}"
{rest}"""
    )
    for member in members:
        subprocess.run(
            [binary, "user", "add", member, "--config", file, "--password-stdin"],
            input=PASSWORD + "\n", text=True, check=True, capture_output=True,
        )
    if imported:
        subprocess.run(
            [binary, "user", "import", "-", "--from", "phpbb", "--config", file],
            input="\n".join(imported), text=True, check=True, capture_output=True,
        )
    return Program(name, SUBJECT_CORE, port, [binary, "serve", "--config", file], LOG), port


class HiddenFields(html.parser.HTMLParser):
    """The hidden fields of a page that has one form."""

    def __init__(self):
        super().__init__()
        self.fields = {}

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "input" and attributes.get("type") == "hidden":
            self.fields[attributes["name"]] = attributes.get("value", "")


def sign_in(port):
    """The cookie of the member, as a browser gets it: by the form."""
    jar = http.cookiejar.CookieJar()
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    address = f"http://localhost:{port}/.passgate/login"
    form = HiddenFields()
    form.feed(browser.open(address).read().decode())
    fields = {**form.fields, "username": MEMBER, "password": PASSWORD}
    request = urllib.request.Request(
        address, urllib.parse.urlencode(fields).encode(), {"Origin": f"http://localhost:{port}", "Referer": address}
    )
    browser.open(request).read()
    for cookie in jar:
        if cookie.name.endswith("passgate"):
            return f"{cookie.name}={cookie.value}"
    sys.exit("signing in gave no session cookie; see target/bench/passgate.log")


class Subject:
    """One thing to measure: where the load goes, what it sends, and whose CPU time counts."""

    def __init__(self, name, port, program, cookie=None, member=None):
        self.name, self.port, self.program, self.cookie = name, port, program, cookie
        self.rounds = []
        self.prove(member)

    def url(self, path):
        return f"http://localhost:{self.port}{path}"

    def fields(self):
        return {"Cookie": self.cookie} if self.cookie else {}

    def prove(self, member):
        """Asks once by hand, so that no figure is that of an error page."""
        body = urllib.request.urlopen(urllib.request.Request(self.url("/x"), headers=self.fields())).read().decode()
        assert body == BODY, f"{self.name} answers {body[:200]!r}"
        who = urllib.request.urlopen(urllib.request.Request(self.url("/who"), headers=self.fields())).read().decode()
        assert who == f"[{member or ''}]", f"{self.name}: the upstream sees {who}"

    def load(self, seconds):
        fields = [part for name, value in self.fields().items() for part in ("-H", f"{name}: {value}")]
        command = ["taskset", "-c", str(LOAD_CORE), "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency"]
        report = subprocess.run(
            [*command, *fields, self.url("/x")], check=True, capture_output=True, text=True
        ).stdout
        trouble = re.search(r"(Socket errors|Non-2xx).*", report)
        if trouble:
            sys.exit(f"{self.name}: {trouble.group(0)}")
        requests, took = re.search(r"(\d+) requests in ([\d.]+)s", report).groups()
        latency = re.search(r"99%\s+([\d.]+)(us|ms|s)", report).groups()
        return int(requests), float(took), float(latency[0]) * {"us": 0.001, "ms": 1, "s": 1000}[latency[1]]

    def measure(self):
        before = self.program.cpu_seconds()
        requests, took, p99 = self.load(SECONDS)
        cpu = self.program.cpu_seconds() - before
        self.rounds.append({"requests_per_s": requests / took, "cpu_us": cpu / requests * 1e6, "p99_ms": p99})

    def median(self, what):
        return statistics.median(entry[what] for entry in self.rounds)


def start_pingora(upstream):
    port = free_port()
    return Program("pingora", SUBJECT_CORE, port, [measure(), "bare", f"127.0.0.1:{port}", f"127.0.0.1:{upstream}"]), port


def subjects(wanted, upstream, upstream_port):
    found = []
    if "direct" in wanted:
        found.append(Subject("direct", upstream_port, upstream))
    for name, access_log in {"nginx": "off", "nginx-log": FOLDER / "nginx-access.log"}.items():
        if name in wanted:
            program, port = start_nginx(name, upstream_port, access_log)
            found.append(Subject(name, port, program))
    binary = passgate_binary() if any(name.startswith("passgate") for name in wanted) else None
    if "passgate-guest" in wanted or "passgate-member" in wanted:
        program, port = start_passgate("passgate", binary, upstream_port)
        if "passgate-guest" in wanted:
            found.append(Subject("passgate-guest", port, program))
        if "passgate-member" in wanted:
            found.append(Subject("passgate-member", port, program, sign_in(port), MEMBER))
    if "passgate-quiet" in wanted:
        program, port = start_passgate("passgate-quiet", binary, upstream_port, log_level="warn")
        found.append(Subject("passgate-quiet", port, program))
    if "pingora" in wanted:
        program, port = start_pingora(upstream_port)
        found.append(Subject("pingora", port, program))
    return found


def passkeys(upstream):
    """What `benches/measure` says of checking passkeys, and of readers while members sign in."""
    store = FOLDER / "check-store"
    shutil.rmtree(store, ignore_errors=True)
    pinned = ["taskset", "-c", str(SUBJECT_CORE), measure(), "check", store]
    check = json.loads(subprocess.run(pinned, check=True, capture_output=True, text=True).stdout)
    members = [f"member{number}" for number in range(MEMBERS)]
    program, port = start_passgate("passgate-busy", passgate_binary(), upstream, members=members)
    arguments = [f"127.0.0.1:{port}", program.process.pid, 3 if QUICK else 10, 2 if QUICK else 5]
    load = subprocess.run(
        ["taskset", "-c", str(LOAD_CORE), measure(), "load", *map(str, arguments)],
        env={**os.environ, "MEMBERS": str(MEMBERS), "PASSWORD": PASSWORD}, check=True, stdout=subprocess.PIPE, text=True,
    )
    return {"check": check, "load": json.loads(load.stdout)}


def report_passkeys(measured):
    print(f"\nchecking a passkey ({measured['check']['algorithm']}), from its answer to the session:")
    for where, name in [("in_memory", "without the store"), ("on_disk", "on the disk")]:
        each = measured["check"][where]
        print(f"{name:<18}{each['cpu_us']:>8} µs of CPU{each['wall_us']:>10} µs in all")
    turns = {}
    for turn in measured["load"]:
        turns.setdefault(turn["turn"], []).append(turn)
    print(f"\n{'1000 reads a second':<20}{'sign-ins/s':>12}{'CPU ms/s':>10}{'p50 ms':>10}{'p99 ms':>10}{'p99 to idle':>14}")
    for name, entries in turns.items():
        median = {key: statistics.median(entry[key] for entry in entries) for key in entries[0] if key != "turn"}
        # Turns are taken one after the other, so each is compared with the idle one beside it.
        ratio = statistics.median(busy["p99_ms"] / idle["p99_ms"] for busy, idle in zip(entries, turns["idle"]))
        print(
            f"{name:<20}{median['sign_ins_per_s']:>12.0f}{median['cpu_ms_per_s']:>10.0f}"
            f"{median['p50_ms']:>10.2f}{median['p99_ms']:>10.2f}{ratio:>14.2f}"
        )


class FormPage:
    """A page with one form, open in one browser."""

    def __init__(self, port, path):
        self.connection, self.path = http.client.HTTPConnection("localhost", port), path
        self.connection.request("GET", self.path)
        page = self.connection.getresponse()
        self.form = HiddenFields()
        self.form.feed(page.read().decode())
        self.headers = {
            "Cookie": "; ".join(line.partition(";")[0] for line in page.headers.get_all("Set-Cookie", [])),
            "Origin": f"http://localhost:{port}",
            "Content-Type": "application/x-www-form-urlencoded",
        }

    def send(self, place, **fields):
        """Milliseconds that the answer takes to what is typed, sent from the network of this number; and the page."""
        headers = {**self.headers, "X-Forwarded-For": f"10.{place // 256 % 256}.{place % 256}.1"}
        body = urllib.parse.urlencode({**self.form.fields, **fields})
        begun = time.perf_counter()
        self.connection.request("POST", self.path, body, headers)
        page = self.connection.getresponse().read().decode()
        return (time.perf_counter() - begun) * 1000, page

    def refused(self, name, place):
        """The same for a wrong password of this name."""
        return self.send(place, username=name, password=secrets.token_hex(8))


# So that the test is the proxy that says where requests come from, and no throttle has a say.
BELIEVED, PATIENT = 'trusted_proxies = ["127.0.0.1"]', '[throttle]\nwait = "1h"\naddress = 10000\nprefix = 15000\n'
COLUMNS = "user_id,user_type,group_id,username,user_password,user_email"


def refusals(upstream):
    """Milliseconds of each refused sign-in, by kind."""
    names = [f"{kind}-{number}" for number in range(SAMPLES) for kind in REFUSED]
    rows = [COLUMNS]
    for number, name in enumerate([*names, *(f"{THROTTLED[0]}-{number}" for number in range(THROTTLED_NAMES))], 2):
        stored, state = REFUSED.get(name.rpartition("-")[0], (ARGON2ID, 0))
        rows.append(f'{number},{state},2,{name},"{stored}",')
    _, port = start_passgate(
        "passgate-refusals", passgate_binary(), upstream, members=(), server=BELIEVED, imported=rows, rest=PATIENT
    )
    page, places = FormPage(port, "/.passgate/login"), itertools.count()
    held = {f"{kind}-{number}": next(places) for number in range(THROTTLED_NAMES) for kind in THROTTLED}
    for name, place in held.items():
        while "is not right" in page.refused(name, place)[1]:
            pass
    took, kinds = {}, ["unknown", *REFUSED, *THROTTLED]
    for number in range(SAMPLES):
        # In no order: what came just before leaves its traces in caches.
        for kind in random.sample(kinds, len(kinds)):
            name = f"{kind}-{number % THROTTLED_NAMES if kind in THROTTLED else number}"
            took_ms, shown = page.refused(name, held.get(name) if name in held else next(places))
            took.setdefault(kind, []).append(took_ms)
            assert ("is not right" in shown) != (kind in THROTTLED), f"{kind}: {shown[:500]}"
    return took


def start_sink():
    """A mail server that takes every mail and keeps none; its port."""
    class Mail(socketserver.StreamRequestHandler):
        def handle(self):
            in_text = False
            self.wfile.write(b"220 sink\r\n")
            for line in self.rfile:
                if in_text and line != b".\r\n":
                    continue
                in_text = line[:4].upper() == b"DATA" and not in_text
                self.wfile.write(b"354 go on\r\n" if in_text else b"250 sink\r\n")

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mail)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


# What the two forms are for: the field that is typed into, and what the answer says.
ASKING = {"forgot": ("username", "a mail with a link is on its way"), "join": ("email", "A mail is on its way")}


def asking(upstream):
    """Milliseconds of each answer to somebody who asks for a mailed link, by what for and whether there is such a member."""
    rows = [COLUMNS, *(f'{number + 2},0,2,known-{number},"{ARGON2ID}",known-{number}@bench.example' for number in range(SAMPLES))]
    mail = f'[mail]\nhost = "127.0.0.1"\nport = {start_sink()}\ntls = "none"\nfrom = "bench@bench.example"\n'
    joining = f'[registration]\nmode = "open"\nper_hour = {4 * SAMPLES}\n'
    _, port = start_passgate(
        "passgate-asking", passgate_binary(), upstream, members=(), server=BELIEVED, imported=rows,
        rest=PATIENT + mail + joining,
    )
    pages, places = {what: FormPage(port, f"/.passgate/{what}") for what in ASKING}, itertools.count()
    took, kinds = {}, [f"{what}-{who}" for what in ASKING for who in ("unknown", "known")]
    for number in range(SAMPLES):
        for kind in random.sample(kinds, len(kinds)):
            what, who = kind.split("-")
            field, said = ASKING[what]
            took_ms, shown = pages[what].send(next(places), **{field: f"{who}-{number}@bench.example"})
            took.setdefault(kind, []).append(took_ms)
            assert said in shown, f"{kind}: {shown[:500]}"
    return {kind: took[kind] for kind in kinds}


def longer(these, those):
    """The chance that one of these is longer than one of those (the AUC of Mann and Whitney's test)."""
    those = sorted(those)
    below = sum(bisect.bisect_left(those, this) + bisect.bisect_right(those, this) for this in these)
    return below / 2 / len(these) / len(those)


def beside(kind):
    """The kind of nobody's name with which this one is compared."""
    if kind in THROTTLED:
        # A name that has to wait is told so without any work, whether or not there is such a member.
        return THROTTLED[1]
    what = kind.partition("-")[0]
    return f"{what}-unknown" if what in ASKING else "unknown"


def report_times(title, took):
    title = f"{title}, {SAMPLES} of each kind"
    print(f"\n{title:<40}{'median ms':>18}{'p95 ms':>10}{'gap ms':>10}{'longer':>10}")
    for kind, all_ms in took.items():
        unknown = took[beside(kind)]
        median, p95 = statistics.median(all_ms), sorted(all_ms)[len(all_ms) * 95 // 100]
        gap, chance = median - statistics.median(unknown), longer(all_ms, unknown)
        print(f"{kind:<40}{median:>18.2f}{p95:>10.2f}{gap:>10.2f}{chance:>10.3f}")


def passgate_binary():
    if "PASSGATE" in os.environ:
        return os.environ["PASSGATE"]
    print("building the release", file=sys.stderr)
    subprocess.run(["cargo", "build", "--release", "--locked", "--quiet"], cwd=ROOT, check=True)
    return str(ROOT / "target" / "release" / "passgate")


def measure():
    """The program beside this file. Building it again costs nothing if nothing has changed."""
    if "MEASURE" in os.environ:
        return os.environ["MEASURE"]
    build = ["cargo", "build", "--release", "--locked", "--quiet", "--bench", "measure", "--message-format=json"]
    built = subprocess.run(build, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    return next(program for line in built if (program := json.loads(line).get("executable")))


def trim_logs():
    """Between rounds, so that no disk fills; all logs are opened for appending."""
    for log in FOLDER.glob("*.log"):
        os.truncate(log, 0)


def compare(measured, base):
    """Writes into each round how its CPU time compares with that of the subject `base` in the same round."""
    base = next((subject for subject in measured if subject.name == base), None)
    if base is None:
        return
    for subject in measured:
        # Without a proxy there is no proxy's CPU time; what the upstream itself takes is not compared.
        if subject.name != "direct":
            for entry, beside in zip(subject.rounds, base.rounds):
                entry[f"to_{base.name}"] = entry["cpu_us"] / beside["cpu_us"]


def report(measured, members, refused, asked):
    compare(measured, "nginx")
    compare(measured, "pingora")
    if measured:
        print(f"\n{ROUNDS} rounds of {SECONDS} s, {CONNECTIONS} connections, medians; passgate logs to: {LOG}\n")
        print(
            f"{'':<18}{'requests/s':>12}{'CPU µs/request':>18}{'to nginx':>12}{'to pingora':>12}{'p99 ms':>10}{'RSS MiB':>10}"
        )
        for subject in measured:
            cpu = "-" if subject.name == "direct" else f"{subject.median('cpu_us'):.1f}"
            ratios = [
                f"{subject.median(key):.2f}" if key in subject.rounds[0] else "-" for key in ("to_nginx", "to_pingora")
            ]
            print(
                f"{subject.name:<18}{subject.median('requests_per_s'):>12.0f}{cpu:>18}{ratios[0]:>12}{ratios[1]:>12}"
                f"{subject.median('p99_ms'):>10.2f}{subject.program.resident_mib():>10.1f}"
            )
    if members:
        report_passkeys(members)
    if refused:
        report_times("refused sign-ins", refused)
    if asked:
        report_times("who asks for a mailed link", asked)
    passgate = next((subject.program for subject in measured if subject.name.startswith("passgate")), None)
    if passgate:
        print(f"\n{passgate.log.stem}: first answer after {passgate.ready_ms:.0f} ms, {passgate.idle_mib:.1f} MiB then")
    result = {
        "machine": platform.platform(),
        "cores": os.cpu_count(),
        "connections": CONNECTIONS,
        "seconds": SECONDS,
        "log": LOG,
        "ready_ms": passgate and passgate.ready_ms,
        "idle_mib": passgate and passgate.idle_mib,
        "subjects": {subject.name: subject.rounds for subject in measured},
        "passkeys": members,
        "refusals_ms": refused,
        "asking_ms": asked,
    }
    (FOLDER / "result.json").write_text(json.dumps(result, indent=2) + "\n")
    print("\nevery round: target/bench/result.json")


def main():
    if (os.cpu_count() or 1) < 2:
        sys.exit("two cores are needed: one for what is measured, one for the load")
    FOLDER.mkdir(parents=True, exist_ok=True)
    wanted = os.environ.get("SUBJECTS", ",".join(SUBJECTS)).split(",")
    try:
        upstream, upstream_port = start_upstream()
        measured = subjects(wanted, upstream, upstream_port)
        for subject in measured:
            subject.load(1)
        for index in range(ROUNDS if measured else 0):
            # Each round begins with another subject.
            for subject in measured[index % len(measured) :] + measured[: index % len(measured)]:
                subject.measure()
                trim_logs()
        members = passkeys(upstream_port) if "passkeys" in wanted else None
        refused = refusals(upstream_port) if "refusals" in wanted else None
        report(measured, members, refused, asking(upstream_port) if "asking" in wanted else None)
    finally:
        Program.stop_all()


if __name__ == "__main__":
    main()
