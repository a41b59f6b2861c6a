"""Larger bodies, and fewer and more connections."""

from . import peers
from .load import measure, wrk
from .report import Part, Table
from .rounds import compare, interleaved, median, number, under_load, with_spread
from .settings import CONNECTIONS, FEWER_ROUNDS, SECONDS, Missing
from .subjects import Cast, wanted

SUBJECTS = ["limit", "pingora", "nginx", "haproxy", "passgate-guest", "passgate-member"]
# A body of 20 MiB on each of 64 connections would be more than a second's work.
BODY_CONNECTIONS = {"100 KiB": 64, "20 MiB": 4}


def bodies():
    subjects, tables, data = Cast(peers.upstream()).all(wanted(SUBJECTS)), [], {}
    for size, (path, length) in peers.FILES.items():
        for subject in subjects:
            subject.rounds = []
        connections = BODY_CONNECTIONS[size]

        def turn(subject):
            found = under_load(subject, lambda: wrk(subject.url(path), connections, SECONDS, subject.fields, patience=30))
            found["mib_per_s"] = found["mib"] / found["seconds"]
            # Over what went through, since a body that is under way at the end is no request yet.
            found["cpu_us_per_mib"] = found["cpu_us"] * found["requests"] / found["mib"]
            return found

        answered = interleaved(f"bodies of {size}", subjects, FEWER_ROUNDS, turn)
        compare(answered, "nginx", key="cpu_us_per_mib")
        rows = [
            [subject.name, with_spread(subject.rounds, "mib_per_s", 0), number(median(subject.rounds, "cpu_us_per_mib"), 0),
             with_spread(subject.rounds, "to_nginx"), number(median(subject.rounds, "p99_ms"), 1), number(subject.resident_mib(), 1)]
            for subject in answered
        ]
        headings = ["", "MiB/s", "CPU µs/MiB", "to nginx", "p99 ms", "RSS MiB"]
        tables.append(Table(f"Bodies of {size}, HTTP/1.1 in the clear, {connections} connections", headings, rows))
        data[size] = {subject.name: subject.rounds for subject in answered}
    return Part(tables, data)


def connections():
    subjects, rows, data = Cast(peers.upstream()).all(wanted(SUBJECTS)), [], {}
    for count in (1, 1000):
        for subject in subjects:
            subject.rounds = []
        turn = lambda subject: under_load(subject, lambda: wrk(subject.url(), count, SECONDS, subject.fields))
        answered = interleaved(f"{count} connections", subjects, FEWER_ROUNDS, turn)
        compare(answered, "nginx")
        data[count] = {subject.name: subject.rounds for subject in answered}
        rows += [
            [f"{subject.name}, {count:,}", number(median(subject.rounds, "requests_per_s")),
             number(median(subject.rounds, "cpu_us"), 1), with_spread(subject.rounds, "to_nginx"),
             *(number(median(subject.rounds, key), 2) for key in ("p50_ms", "p99_ms", "p999_ms")),
             number(subject.resident_mib(), 1)]
            for subject in answered
        ]
    headings = ["", "requests/s", "CPU µs/request", "to nginx", "p50 ms", "p99 ms", "p99.9 ms", "RSS MiB"]
    return Part([Table("A page of 1 KiB on one connection and on 1 000", headings, rows)], data)


def latency():
    """How long answers take when there is less to do than could be done."""
    subjects = Cast(peers.upstream()).all(wanted(["nginx", "haproxy", "passgate-guest", "passgate-member"]))
    if not subjects:
        raise Missing("nothing to measure")
    most = {subject.name: wrk(subject.url(), CONNECTIONS, SECONDS, subject.fields) for subject in subjects}
    rate = int(0.7 * min(found["requests"] / found["seconds"] for found in most.values()))

    def turn(subject):
        said = measure("paced", f"127.0.0.1:{subject.port}", rate, CONNECTIONS, SECONDS, subject.cookie)
        return {"answered_per_s": said["answered_per_s"], **said["waits"]}

    answered = interleaved(f"{rate} requests a second", subjects, FEWER_ROUNDS, turn)
    compare(answered, "nginx", key="p99_ms")
    rows = [
        [subject.name, *(number(median(subject.rounds, key), 3) for key in ("p50_ms", "p99_ms", "p999_ms")),
         with_spread(subject.rounds, "to_nginx")]
        for subject in answered
    ]
    note = "Each wait counts from when the request was due, whatever the ones before it took."
    title = f"{rate:,} requests a second, 70 % of what the slowest of these can do, {CONNECTIONS} connections"
    headings = ["", "p50 ms", "p99 ms", "p99.9 ms", "p99 to nginx"]
    return Part([Table(title, headings, rows, note)], {"rate": rate, "subjects": {s.name: s.rounds for s in answered}})
