"""The load: wrk for HTTP/1.1, h2load for HTTP/2, benches/measure for the rest. All on one core, all of 127.0.0.1."""

import json
import os
import re
import subprocess

from .settings import BUILD, FOLDER, LOAD_CORE, ROOT, Broken, Missing, say, tool

# So long nobody may be without an answer.
PATIENT_S = 10
# wrk prints p99, but not p99.9.
QUANTILES = """done = function(_, latency)
    for _, p in ipairs({50, 99, 99.9}) do io.write(string.format("percentile %s %d\\n", p, latency:percentile(p))) end
end
"""


class Refused(Broken):
    """The load was answered with errors."""


def said_by(command, core=LOAD_CORE, seconds=60, environment=None):
    """What a program prints that makes the load, or `Refused`."""
    pinned = ["taskset", "-c", str(core), *map(str, command)]
    given = {**os.environ, **(environment or {})}
    try:
        ran = subprocess.run(pinned, env=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=seconds)
    except subprocess.TimeoutExpired as late:
        raise Refused(f"{command[0]} was not done after {seconds} s") from late
    if ran.returncode:
        raise Refused(f"{' '.join(map(str, command))}: {(ran.stderr or ran.stdout)[-2000:]}")
    return ran.stdout


def wrk(url, connections, seconds, fields=None, script="", patience=PATIENT_S):
    """What wrk says: requests, seconds, quantiles in ms, bytes."""
    file = FOLDER / "wrk.lua"
    file.write_text(script + QUANTILES)
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", file, f"--timeout={patience}s"]
    for name, value in (fields or {}).items():
        command += ["-H", f"{name}: {value}"]
    report = said_by([*command, url], seconds=seconds + 60)
    trouble = re.search(r"(Socket errors|Non-2xx).*", report)
    if trouble:
        raise Refused(trouble.group(0))
    requests, took, size, unit = re.search(r"(\d+) requests in ([\d.]+)(?:s|m), ([\d.]+)([KMG]?B) read", report).groups()
    if int(requests) == 0:
        if seconds >= PATIENT_S:
            raise Refused(f"no request was answered in {seconds} s")
        # The machine is very busy.
        return wrk(url, connections, PATIENT_S, fields, script, patience)
    waits = {share: float(us) / 1000 for share, us in re.findall(r"percentile ([\d.]+) (\d+)", report)}
    return {
        "requests": int(requests),
        "seconds": float(took),
        "mib": float(size) * {"B": 1 / 1024 / 1024, "KB": 1 / 1024, "MB": 1, "GB": 1024}[unit],
        "p50_ms": waits["50"],
        "p99_ms": waits["99"],
        "p999_ms": waits["99.9"],
    }


def h2load(url, connections, seconds, fields=None):
    """What h2load says, one request at a time on each connection, as wrk does."""
    if not tool("h2load"):
        raise Missing("h2load is missing (the package nghttp2-client)")
    log = FOLDER / "h2load.times"
    log.unlink(missing_ok=True)
    command = ["h2load", "-t1", f"-c{connections}", "-m1", f"-D{seconds}", f"--log-file={log}"]
    for name, value in (fields or {}).items():
        command += ["-H", f"{name}: {value}"]
    report = said_by([*command, url], seconds=seconds + 60)
    total, *_, failed, errored, timed_out = map(int, re.search(
        r"requests: (\d+) total, (\d+) started, (\d+) done, (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", report
    ).groups())
    statuses = list(map(int, re.search(r"status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", report).groups()))
    if "Application protocol: h2" not in report or failed or errored or timed_out or any(statuses[2:]):
        raise Refused(report)
    waits = sorted(int(line.split("\t")[2]) / 1000 for line in log.read_text().splitlines())
    answered, at = statuses[0] + statuses[1], lambda share: waits[int((len(waits) - 1) * share)]
    return {
        "requests": answered,
        "seconds": seconds,
        "p50_ms": at(0.5),
        "p99_ms": at(0.99),
        "p999_ms": at(0.999),
    }


_measure = []


def measure_program():
    """The program in benches/measure. Building it again costs nothing if nothing has changed."""
    if "MEASURE" in os.environ:
        return os.environ["MEASURE"]
    if not _measure:
        say(f"building benches/measure, as a {BUILD}")
        build = ["cargo", "build", *(["--release"] if BUILD == "release" else []), "--bench", "measure"]
        build += ["--locked", "--message-format=json"]
        built = subprocess.run(build, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
        # passgate itself is built along, and is named first or last.
        made = [one for one in map(json.loads, built) if one.get("target", {}).get("name") == "measure"]
        _measure.append(next(one["executable"] for one in made if one.get("executable")))
    return _measure[0]


def measure(*arguments, core=LOAD_CORE, **environment):
    """What `measure` prints: its last line, as JSON."""
    return json.loads(said_by([measure_program(), *arguments], core, 3600, environment).splitlines()[-1])
