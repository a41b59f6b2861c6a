"""Runs the parts that are wanted, one after the other, and writes down what was found."""

import os
import signal
import sys
import time
import traceback

from . import asking, by_hand, constant, flood, micro, proxied, refusals, results, scale, sign_ins, sizes, subjects, tls, websocket
from .programs import Program
from .settings import FOLDER, PATIENCE_S, Missing, fault, faults, named, say, tool

PARTS = {
    "proxied": (proxied.run, "the main table: a page over HTTP/1.1 in the clear, by all subjects"),
    "tls": (tls.requests, "the same over TLS 1.3, HTTP/1.1 and HTTP/2"),
    "handshakes": (tls.handshakes, "new TLS connections, in full and resumed"),
    "memory": (tls.memory, "idle TLS connections"),
    "bodies": (sizes.bodies, "bodies of 100 KiB and 20 MiB"),
    "connections": (sizes.connections, "one connection, and a thousand"),
    "latency": (sizes.latency, "how long answers take at 70 % load"),
    "websocket": (websocket.run, "WebSocket echo"),
    "passkeys": (sign_ins.run, "passkeys and passwords, and readers meanwhile"),
    "flood": (flood.run, "a flood of wrong passwords, and readers meanwhile (THR-09)"),
    "constant": (constant.run, "whether comparing a secret tells where a wrong one differs (THR-17)"),
    "refusals": (refusals.run, "what the time of a refused sign-in tells (THR-12)"),
    "asking": (asking.run, "the same of asking for a mailed link (AUTH-14)"),
    "micro": (micro.run, "single steps, by criterion"),
    "scale": (scale.run, "sessions, members, rules and hosts, up to a million (SES-14)"),
    "by-hand": (by_hand.run, "only if it is asked for: starts the subjects, says how to measure each, and waits"),
}
ALL = [name for name in PARTS if name != "by-hand"]


def main():
    wanted = parts()
    # So that nothing is left running.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if (os.cpu_count() or 1) < 2:
        return say("skipped: two cores are needed, one for what is measured, one for the load")
    for name, package in {"wrk": "wrk", "nginx": "nginx", "taskset": "util-linux"}.items():
        if not tool(name):
            return say(f"skipped: {name} is missing (the package {package}); tests/setup.sh bench installs it")
    FOLDER.mkdir(parents=True, exist_ok=True)
    begun, found, skipped = time.monotonic(), {}, []
    for name in wanted:
        if PATIENCE_S and time.monotonic() - begun > PATIENCE_S:
            skipped.append(f"{name} is skipped: {PATIENCE_S} seconds are over")
            continue
        part = run(name, skipped)
        if not part:
            continue
        found[name] = part
        for table in part.tables:
            print(table.text(), flush=True)
        for file, picture in part.pictures.items():
            (FOLDER / file).write_text(picture)
    if found:
        judged = results.write(found, ALL)
        print(judged.text() if judged else "")
        print("every round: target/bench/result.json; these tables: target/bench/tables.md; pictures: target/bench/*.svg")
    for told in skipped + faults:
        say(told)
    sys.exit(1 if faults else 0)


def parts():
    """Those that were asked for; also by their names among the subjects."""
    if named("PARTS") == ["all"]:
        return ALL
    wanted = named("PARTS") or [name for name in named("SUBJECTS") or [] if name in PARTS]
    if not wanted:
        wanted = ["proxied"] if named("SUBJECTS") else ALL
    unknown = [name for name in wanted if name not in PARTS]
    unknown += [name for name in named("SUBJECTS") or [] if name not in PARTS and name not in subjects.ALL]
    if unknown:
        known = "\n".join(f"  {name:<18}{meaning}" for name, (_, meaning) in PARTS.items())
        known += "\nsubjects:\n" + "\n".join(f"  {name:<18}{meaning}" for name, meaning in subjects.ALL.items())
        sys.exit(f"bench: unknown: {', '.join(unknown)}\nparts:\n{known}")
    return wanted


def run(name, skipped):
    """The part. What can't be measured here is skipped with its reason; a fault is told, and the others go on."""
    begun = time.monotonic()
    try:
        return PARTS[name][0]()
    except Missing as reason:
        skipped.append(f"{name} is skipped: {reason}")
    except Exception:
        fault(f"{name} failed:\n{traceback.format_exc()}")
    finally:
        Program.stop_all()
        say(f"{name}: {time.monotonic() - begun:.0f} s")
    return None


if __name__ == "__main__":
    main()
