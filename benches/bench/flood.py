"""A flood of sign-ins, and whether readers feel it (THR-09)."""

from . import peers
from .gateway import Gateway
from .load import measure
from .report import Part, Table
from .rounds import number
from .settings import QUICK, say

RATE, LENGTH = (200, 4) if QUICK else (500, 60)
# passgate has one core, and hashes on one thread for each.
HASHERS, HASH_MIB, BESIDE_MIB = 1, 19, 64
ALLOWED_MIB = HASHERS * HASH_MIB + BESIDE_MIB


def run():
    # Each comes from a network of its own; that is for all of them together.
    gateway = Gateway("passgate-flood", peers.upstream().port, server='trusted_proxies = ["127.0.0.1"]',
                      rest="[throttle]\nprocess = 100000\n")
    say(f"{RATE} sign-ins a second for {LENGTH} s while others read")
    found = measure("flood", f"127.0.0.1:{gateway.port}", gateway.process.pid, RATE, LENGTH)
    rows = [
        [meaning, number(found[when]["p50_ms"], 2), number(found[when]["p99_ms"], 2), number(found[when]["p99_ms"] / found["idle"]["p99_ms"], 2)]
        for when, meaning in {"idle": "nobody signs in", "flooded": "the flood", "idle_again": "after it"}.items()
    ]
    statuses = ", ".join(f"{count:,} × {status}" for status, count in found["statuses"].items())
    note = (f"Of the sign-ins, by status: {statuses}; 422 were looked at, and 503 told to come again. Memory was {found['rss_mib']:.1f} MiB "
            f"before and {found['peak_mib']:.1f} MiB at its peak; {ALLOWED_MIB} MiB more are allowed. A wait counts from when the request was due.")
    title = f"Readers, 100 pages a second, in a flood of {RATE} wrong passwords a second for {LENGTH} s"
    return Part([Table(title, ["", "p50 ms", "p99 ms", "p99 to idle"], rows, note)], found)
