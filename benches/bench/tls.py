"""Over TLS 1.3: requests in HTTP/1.1 and HTTP/2, handshakes, and connections that lie idle."""

import json
import subprocess

from . import peers
from .load import Refused, h2load, measure, measure_program, wrk
from .report import Part, Table
from .rounds import compare, interleaved, median, number, under_load, with_spread
from .settings import CONNECTIONS, FEWER_ROUNDS, LOAD_CORE, QUICK, SECONDS, say
from .subjects import Cast, wanted

SUBJECTS = ["nginx", "haproxy", "passgate-guest", "passgate-member"]
IDLE = [200] if QUICK else [2_000, 10_000]


def requests():
    subjects, tables, data = cast(), [], {}
    for protocol, ask in {"HTTP/1.1": wrk, "HTTP/2": h2load}.items():
        for subject in subjects:
            subject.rounds = []
        turn = lambda subject: under_load(subject, lambda: ask(subject.url(), CONNECTIONS, SECONDS, subject.fields))
        answered = interleaved(f"TLS, {protocol}", subjects, FEWER_ROUNDS, turn)
        compare(answered, "nginx")
        rows = [
            [subject.name, number(median(subject.rounds, "requests_per_s")), number(median(subject.rounds, "cpu_us"), 1),
             with_spread(subject.rounds, "to_nginx"),
             *(number(median(subject.rounds, key), 2) for key in ("p50_ms", "p99_ms", "p999_ms")),
             number(subject.resident_mib(), 1)]
            for subject in answered
        ]
        headings = ["", "requests/s", "CPU µs/request", "to nginx", "p50 ms", "p99 ms", "p99.9 ms", "RSS MiB"]
        note = "One request at a time on each connection." if protocol == "HTTP/2" else ""
        title = f"A page of 1 KiB, {protocol} over TLS 1.3, {CONNECTIONS} connections"
        tables.append(Table(title, headings, rows, note))
        data[protocol] = {subject.name: subject.rounds for subject in answered}
    return Part(tables, data)


def cast():
    return Cast(peers.upstream(), peers.certificate()).all(wanted(SUBJECTS))


def handshakes():
    subjects, rows, data = [s for s in cast() if s.name != "passgate-member"], [], {}
    authority = peers.FOLDER / "tls" / "authority.pem"
    for kind in ("full", "resumed"):
        for subject in subjects:
            subject.rounds = []
        turn = lambda subject: under_load(subject, lambda: shake_hands(subject, authority, kind))
        answered = interleaved(f"handshakes, {kind}", subjects, FEWER_ROUNDS, turn)
        compare(answered, "nginx")
        data[kind] = {subject.name: subject.rounds for subject in answered}
        rows += [
            [f"{subject.name}, {kind}", number(median(subject.rounds, "requests_per_s")),
             number(median(subject.rounds, "cpu_us"), 1), with_spread(subject.rounds, "to_nginx"),
             number(median(subject.rounds, "p50_ms"), 2), number(median(subject.rounds, "p99_ms"), 2)]
            for subject in answered
        ]
    note = "ECDSA with P-256, X25519. Each connection shakes hands, says good-bye and is gone; nothing is asked on it."
    headings = ["", "connections/s", "CPU µs each", "to nginx", "p50 ms", "p99 ms"]
    return Part([Table("New connections, TLS 1.3", headings, rows, note)], data)


def shake_hands(subject, authority, kind):
    said = measure("handshakes", f"127.0.0.1:{subject.port}", authority, kind, SECONDS)
    # The first of each client has nothing to resume, and a ticket may come too late for the next.
    in_full = said["connections"] - said["resumed"]
    if kind == "resumed" and in_full > said["clients"] + 0.05 * said["connections"] or kind == "full" and said["resumed"]:
        raise Refused(f"{said['resumed']} of {said['connections']} handshakes were resumed")
    return {"requests": said["connections"], "seconds": said["seconds"], "resumed": said["resumed"], **said["took"]}


def memory():
    """Idle connections: what each costs."""
    rows, data = [], {}
    for name in wanted(["nginx", "haproxy", "passgate-guest"]):
        for count in IDLE:
            # Started anew, as what was freed is not always given back.
            peers.Program.stop_all()
            found = Cast(peers.upstream(), peers.certificate()).all([name])
            if found:
                data.setdefault(name, {})[count] = idle = hold(found[0], count)
                each = (idle["rss_mib"] - idle["before_mib"]) * 1024 / count
                rows.append([f"{name}, {count:,}", number(idle["before_mib"], 1), number(idle["rss_mib"], 1), number(each, 1)])
    note = "One request was made on each, then it lies idle."
    return Part([Table("Idle TLS connections", ["", "RSS MiB before", "with them", "KiB each"], rows, note)], data)


def hold(subject, count):
    say(f"idle TLS connections: {subject.name}, {count}")
    before = subject.resident_mib()
    authority = peers.FOLDER / "tls" / "authority.pem"
    command = ["taskset", "-c", LOAD_CORE, measure_program(), "hold", f"127.0.0.1:{subject.port}", authority, count]
    with subprocess.Popen(list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
        line = client.stdout.readline()
        if not line:
            raise Refused(f"{subject.name} does not hold {count} connections")
        resident = subject.resident_mib()
        still = json.loads(client.communicate("\n")[0])["still_open"]
    if still < count:
        raise Refused(f"{subject.name} has closed {count - still} of {count} idle connections")
    return {"before_mib": before, "rss_mib": resident}
