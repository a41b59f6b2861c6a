"""Signing in: what a passkey's check costs, how many sign in a second, and how long readers wait for proxied pages meanwhile."""

import shutil
import statistics

from . import peers
from .gateway import Gateway
from .load import measure
from .report import Part, Table
from .rounds import number
from .settings import FOLDER, PASSWORD, QUICK, SUBJECT_CORE, say

MEMBERS, LENGTH, ROUNDS = (16, 1, 1) if QUICK else (40, 10, 5)
TURNS = {
    "idle": "nobody signs in",
    "passkeys": "500 passkeys a second",
    "passkeys, most": "passkeys, as many as go",
    "passwords, most": "passwords, as many as go",
}


def run():
    store = FOLDER / "check-store"
    shutil.rmtree(store, ignore_errors=True)
    say("checking passkeys")
    check = measure("check", store, core=SUBJECT_CORE)
    members = [f"member{number}" for number in range(MEMBERS)]
    gateway = Gateway("passgate-busy", peers.upstream().port, members=members)
    say(f"members sign in while others read: {ROUNDS} × {len(TURNS)} turns of {LENGTH} s")
    address, process = f"127.0.0.1:{gateway.port}", gateway.process.pid
    turns = measure("load", address, process, LENGTH, ROUNDS, MEMBERS=str(MEMBERS), PASSWORD=PASSWORD)
    return Part([checks(check), waits(turns)], {"check": check, "turns": turns})


def checks(check):
    rows = [
        [name, number(check[where]["cpu_us"]), number(check[where]["wall_us"])]
        for where, name in [("in_memory", "without the store"), ("on_disk", "on the disk")]
    ]
    title = f"Checking a passkey ({check['algorithm']}), from its answer to the session"
    return Table(title, ["", "CPU µs", "µs in all"], rows)


def p99_to_idle(turns, name):
    """Turns are taken one after the other, so each is compared with the idle one beside it."""
    busy, idle = ([turn for turn in turns if turn["turn"] == which] for which in (name, "idle"))
    return statistics.median(one["waits"]["p99_ms"] / other["waits"]["p99_ms"] for one, other in zip(busy, idle))


def waits(turns):
    rows = []
    for name, meaning in TURNS.items():
        entries = [turn for turn in turns if turn["turn"] == name]
        median = lambda get: statistics.median(map(get, entries))
        rows.append([
            meaning,
            number(median(lambda entry: entry["sign_ins_per_s"])),
            number(median(lambda entry: entry["cpu_ms_per_s"])),
            number(median(lambda entry: entry["waits"]["p50_ms"]), 2),
            number(median(lambda entry: entry["waits"]["p99_ms"]), 2),
            number(p99_to_idle(turns, name), 2),
        ])
    headings = ["", "sign-ins/s", "CPU ms/s", "p50 ms", "p99 ms", "p99 to idle"]
    return Table("Readers, 1 000 pages a second, while members sign in", headings, rows,
                 "A reader's wait counts from when the request was due.")
