"""The main table: a page of 1 KiB over plain HTTP/1.1, by all subjects; and the picture of it."""

from . import peers
from .load import Refused, wrk
from .picture import bars
from .programs import CountedCalls
from .report import Part, Table
from .rounds import compare, interleaved, median, number, under_load, with_spread
from .settings import CONNECTIONS, LOG, QUICK, ROUNDS, SECONDS, Missing, say
from .subjects import ALL, Cast, wanted

HEADINGS = ["", "requests/s", "CPU µs/request", "to nginx", "to pingora", "p50 ms", "p99 ms", "p99.9 ms", "RSS MiB", "syscalls"]


def run():
    cast = Cast(peers.upstream())
    subjects = cast.all(wanted(ALL))

    def load(subject, seconds=SECONDS):
        return wrk(subject.url(), CONNECTIONS, seconds, subject.fields)

    if not QUICK:
        interleaved("warming up", subjects, 1, lambda subject: load(subject, 1))
        for subject in subjects:
            subject.rounds.clear()
    subjects = interleaved("proxied", subjects, ROUNDS, lambda subject: under_load(subject, lambda: load(subject)))
    compare(subjects, "nginx")
    compare(subjects, "pingora")
    for subject in subjects:
        subject.mib = subject.resident_mib()
    calls = {subject.name: count_calls(subject) for subject in subjects}
    title = f"A page of 1 KiB, HTTP/1.1 in the clear, {CONNECTIONS} connections"
    note = f"Medians of {ROUNDS} rounds of {SECONDS} s, and how far they lie apart; passgate's log goes to: {LOG}. "
    table = Table(title, HEADINGS, [row(subject, calls[subject.name]) for subject in subjects], note + starting(cast))
    data = {
        "subjects": {subject.name: subject.rounds for subject in subjects},
        "rss_mib": {subject.name: subject.mib for subject in subjects},
        "syscalls": calls,
        "start": {name: {"ready_ms": gateway.ready_ms, "rss_mib": gateway.idle_mib} for name, gateway in gateways(cast)},
    }
    return Part([table], data, {"cost.svg": picture(subjects)})


def row(subject, calls):
    rounds, direct = subject.rounds, subject.name == "direct"
    return [
        subject.name,
        number(median(rounds, "requests_per_s")),
        "-" if direct else number(median(rounds, "cpu_us"), 1),
        with_spread(rounds, "to_nginx"),
        number(median(rounds, "to_pingora"), 2),
        *(number(median(rounds, key), 2) for key in ("p50_ms", "p99_ms", "p999_ms")),
        number(subject.mib, 1),
        number(calls, 1),
    ]


def count_calls(subject):
    """System calls a request, counted apart, since counting slows down."""
    say(f"counting system calls: {subject.name}")
    try:
        with CountedCalls(subject.programs) as counted:
            found = wrk(subject.url(), CONNECTIONS, 1, subject.fields)
        return counted.calls and counted.calls / found["requests"]
    except (Missing, Refused) as reason:
        say(reason)
        return None


def gateways(cast):
    return [(name, found) for name, found in cast.started.items() if hasattr(found, "origin")]


def starting(cast):
    started = gateways(cast)
    if not started:
        return ""
    name, gateway = started[0]
    return f"{name}: first answer after {gateway.ready_ms:.0f} ms, {gateway.idle_mib:.1f} MiB then."


def picture(subjects):
    shown = [subject for subject in subjects if subject.name != "direct"]
    values = [(subject.name, *spread(subject)) for subject in shown]
    under = f"A page of 1 KiB, HTTP/1.1, {CONNECTIONS} connections. Median and spread of {ROUNDS} rounds; shorter is better."
    return bars("CPU time a request, in µs on one core", under, sorted(values, key=lambda value: value[1]))


def spread(subject):
    values = [entry["cpu_us"] for entry in subject.rounds]
    return median(subject.rounds, "cpu_us"), min(values), max(values)
