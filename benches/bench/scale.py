"""What requests cost as there is more of everything: sessions and members, access rules, hosts."""

import base64
import hashlib
import shutil
import time

from . import peers
from .gateway import Gateway
from .load import measure, wrk
from .picture import lines
from .programs import Program
from .report import Part, Table
from .rounds import interleaved, median, number, under_load, with_spread
from .settings import CONNECTIONS, FEWER_ROUNDS, FOLDER, QUICK, SECONDS, say
from .subjects import Subject

SESSIONS = [1, 1_000] if QUICK else [1, 1_000, 100_000, 1_000_000]
RULES = [10, 1_000] if QUICK else [10, 1_000, 10_000]
# So many sessions are in use while the load lasts, however many there are.
IN_USE = 20_000
# A store that was filled longer ago has sessions that are about to end.
FRESH_DAYS = 14
# A request of wrk for each line of a file of cookies, in turns.
COOKIES = """local requests, at = {}, 0
function init()
    for line in io.lines("%s") do requests[#requests + 1] = wrk.format("GET", "/x", { Cookie = line }) end
end
function request()
    at = at %% #requests + 1
    return requests[at]
end
"""


def run():
    sessions = of_sessions()
    Program.stop_all()
    rules = of_rules("rules", many_rules)
    Program.stop_all()
    hosts = of_rules("hosts", many_hosts)
    found = {"sessions": sessions, "rules": rules, "hosts": hosts}
    tables = [session_table(sessions), rule_table(rules, hosts)]
    return Part(tables, found, {"scale.svg": picture(found)})


def digest(what, number):
    return hashlib.sha256(f"{what} {number}".encode()).digest()


def cookie(number):
    """Of the session that `measure fill` makes with this number."""
    return "passgate=" + base64.urlsafe_b64encode(digest("token", number)).rstrip(b"=").decode()


def filled(members):
    """The folder of a store with so many members, each with a session. Made once, and kept for the next run."""
    made = FOLDER / "stores" / str(members)
    mark = made / "filled"
    if not mark.exists() or time.time() - mark.stat().st_mtime > FRESH_DAYS * 86_400:
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir(parents=True)
        say(f"making a store of {members:,} members and sessions")
        measure("fill", made / "store", members)
        mark.touch()
    return made / "store"


def of_sessions():
    upstream, subjects, found = peers.upstream().port, [], {}
    for count in SESSIONS:
        store = filled(count)
        say(f"looking up {count:,} sessions")
        looked_up = measure("open", store, count)
        gateway = Gateway(f"passgate-{count}", upstream, members=(), store=store, patience=600)
        say(f"{count:,} sessions: started in {gateway.ready_ms:.0f} ms")
        in_use = min(count, IN_USE)
        file = FOLDER / f"cookies-{count}"
        file.write_text("".join(f"{cookie(number * (count // in_use))}\n" for number in range(in_use)))
        name = digest("name", 0)[:5].hex() + "0"
        subject = Subject(str(count), [gateway], {"Cookie": cookie(0)}, member=name)
        subject.prove()
        subject.script = COOKIES % file
        subjects.append(subject)
        found[count] = {"ready_ms": gateway.ready_ms, "idle_mib": gateway.idle_mib, "look_ups": looked_up}
    load = lambda subject: wrk(subject.url(), CONNECTIONS, SECONDS, script=subject.script)
    # The first use of a session that rests reads the store.
    interleaved("sessions, first use", subjects, 1, load)
    for subject in subjects:
        subject.rounds.clear()
    interleaved("sessions", subjects, FEWER_ROUNDS, lambda subject: under_load(subject, lambda: load(subject)))
    for subject in subjects:
        found[int(subject.name)] |= {"rounds": subject.rounds, "rss_mib": subject.resident_mib()}
    return found


def many_rules(count):
    """Of which the last one fits."""
    rules = "".join(f'[[access.rule]]\npath = "/area-{number}/**"\nrequire = "deny"\n' for number in range(count - 1))
    return {"access": f'default = "deny"\n{rules}[[access.rule]]\npath = "/**"\nrequire = "guest"\n'}, {}


def many_hosts(count):
    """Each with a rule of its own; the last one is asked for."""
    names = [f"forum-{number}.example.org" for number in range(count)]
    rules = "".join(f'[[access.rule]]\nhost = "{name}"\nrequire = "guest"\n' for name in names)
    listed = ", ".join(f'"{name}"' for name in names)
    settings = {"server": f"hosts = [{listed}]", "access": f'default = "deny"\n{rules}', "public_url": "https://forum.example.org"}
    return settings, {"Host": names[-1]}


def of_rules(what, settings):
    upstream, subjects, found = peers.upstream().port, [], {}
    for count in RULES:
        configured, fields = settings(count)
        gateway = Gateway(f"passgate-{count}-{what}", upstream, members=(), patience=120, **configured)
        subject = Subject(str(count), [gateway], fields)
        subject.prove()
        subjects.append(subject)
        found[count] = {"ready_ms": gateway.ready_ms}
    load = lambda subject: wrk(subject.url(), CONNECTIONS, SECONDS, subject.fields)
    interleaved(what, subjects, FEWER_ROUNDS, lambda subject: under_load(subject, lambda: load(subject)))
    for subject in subjects:
        found[int(subject.name)] |= {"rounds": subject.rounds, "rss_mib": subject.resident_mib()}
    return found


def session_table(found):
    rows = []
    for count, entry in found.items():
        looked_up = entry["look_ups"]["second_lookup"]
        rows.append([
            f"{count:,}", number(median(entry["rounds"], "requests_per_s")), number(median(entry["rounds"], "cpu_us"), 1),
            number(median(entry["rounds"], "p99_ms"), 2), number(looked_up["p50_us"], 2), number(looked_up["p99_us"], 2),
            number(entry["ready_ms"]), number(entry["rss_mib"], 1),
        ])
    headings = ["sessions", "requests/s", "CPU µs/request", "p99 ms", "check p50 µs", "check p99 µs", "start ms", "RSS MiB"]
    note = f"As many members as sessions; up to {IN_USE:,} of them, spread over all, ask in turns. RSS is that after the load."
    return Table("Members and sessions", headings, rows, note)


def rule_table(rules, hosts):
    rows = [
        [f"{count:,} {what}", number(median(entry["rounds"], "requests_per_s")), with_spread(entry["rounds"], "cpu_us", 1),
         number(median(entry["rounds"], "p99_ms"), 2), number(entry["ready_ms"]), number(entry["rss_mib"], 1)]
        for what, found in (("rules", rules), ("hosts", hosts)) for count, entry in found.items()
    ]
    note = "The rule that fits is the last one; each host has a rule of its own, and the last host is asked for."
    headings = ["", "requests/s", "CPU µs/request", "p99 ms", "start ms", "RSS MiB"]
    return Table("Access rules and hosts", headings, rows, note)


def picture(found):
    series = {}
    for what, sizes in found.items():
        rates = {count: median(entry["rounds"], "requests_per_s") for count, entry in sizes.items()}
        first = rates[min(rates)]
        series[what] = [(count, rate / first) for count, rate in rates.items()]
    return lines("Requests a second as there is more of it, compared with the least", series)
