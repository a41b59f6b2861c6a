#!/usr/bin/env python3
"""A flood of sign-ins, and whether readers feel it (THR-09).

500 sign-ins a second for a minute, each from a network of its own, with passwords that are wrong; beside it a reader asks for a
proxied page 100 times a second. What counts is how far memory rises, which no flood may drive beyond what the hashes that run at once
take (so many as password.workers, 19 MiB each) and 64 MiB, and how long 99 of 100 pages take, beside an idle gateway: three times as
long at most. Waits count from when a request was due.

    python3 benches/flood.py
    SECONDS=5 RATE=200 ...          a glance
    PASSGATE=path/to/passgate ...   another binary than the release build

At most 256 sign-ins are open at once; one that is due when there are so many is left out, and counted. Otherwise as benches/run.py,
whose programs it uses: passgate has core 0 to itself, the upstream and the load share core 1. It ends with 1 if a limit is passed.
"""

import asyncio
import collections
import os
import pathlib
import re
import secrets
import statistics
import sys
import time
import urllib.parse

import run

RATE, SECONDS = int(os.environ.get("RATE", 500)), int(os.environ.get("SECONDS", 60))
IDLE_SECONDS, READS_PER_SECOND, OPEN_AT_MOST = 15, 100, 256
# passgate has one core, and hashes on one thread for each.
HASHERS, HASH_MIB, BESIDE_MIB, TIMES = 1, 19, 64, 3


def memory_kib(process, what):
    text = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(rf"{what}:\s+(\d+)", text).group(1))


class Client:
    """One connection, made anew when the gateway has closed it."""

    def __init__(self, port):
        self.port, self.streams = port, None

    async def ask(self, request):
        """The status of the answer."""
        if self.streams is None:
            self.streams = await asyncio.open_connection("127.0.0.1", self.port)
        reader, writer = self.streams
        try:
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            length = re.search(r"\r\ncontent-length: (\d+)", head)
            if length is None or "\r\nconnection: close" in head:
                self.close()
            else:
                await reader.readexactly(int(length.group(1)))
            return int(head.split(" ", 2)[1])
        except (OSError, asyncio.IncompleteReadError):
            self.close()
            return 0

    def close(self):
        if self.streams:
            self.streams[1].close()
        self.streams = None


async def at_rate(rate, seconds, act):
    """Calls `act` with the moment each is due."""
    begun = time.perf_counter()
    for number in range(rate * seconds):
        due = begun + number / rate
        wait = due - time.perf_counter()
        if wait > 0:
            await asyncio.sleep(wait)
        act(due)


async def read(port, seconds):
    """The waits in milliseconds, sorted."""
    request = f"GET /x HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n".encode()
    free, waits, running = collections.deque(Client(port) for _ in range(32)), [], set()

    async def one(due, client):
        assert await client.ask(request) == 200
        waits.append((time.perf_counter() - due) * 1000)
        free.append(client)

    def act(due):
        task = asyncio.create_task(one(due, free.popleft()))
        running.add(task)
        task.add_done_callback(running.discard)

    await at_rate(READS_PER_SECOND, seconds, act)
    await asyncio.gather(*running)
    for client in free:
        client.close()
    return sorted(waits)


async def flood(port, seconds, page):
    """How often which status came; 0 where a connection broke, "left out" where too many were open."""
    free, statuses, running = collections.deque(Client(port) for _ in range(OPEN_AT_MOST)), collections.Counter(), set()
    headers = "".join(f"{name}: {value}\r\n" for name, value in page.headers.items())
    number = 0

    async def one(client, place):
        fields = {**page.form.fields, "username": run.MEMBER, "password": secrets.token_hex(8)}
        body = urllib.parse.urlencode(fields)
        network = f"10.{place // 256 % 256}.{place % 256}.1"
        head = f"POST {page.path} HTTP/1.1\r\nHost: localhost:{port}\r\nX-Forwarded-For: {network}\r\n{headers}"
        statuses[await client.ask(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())] += 1
        free.append(client)

    def act(_):
        nonlocal number
        number += 1
        if not free:
            statuses["left out"] += 1
            return
        task = asyncio.create_task(one(free.popleft(), number))
        running.add(task)
        task.add_done_callback(running.discard)

    await at_rate(RATE, seconds, act)
    await asyncio.gather(*running)
    for client in free:
        client.close()
    return statuses


async def measure(port, process):
    idle = await read(port, IDLE_SECONDS)
    page = run.SignInPage(port)
    before = memory_kib(process, "VmRSS") / 1024
    # The peak is that of what follows.
    pathlib.Path(f"/proc/{process.pid}/clear_refs").write_text("5")
    busy, statuses = await asyncio.gather(read(port, SECONDS), flood(port, SECONDS, page))
    peak = memory_kib(process, "VmHWM") / 1024
    again = await read(port, IDLE_SECONDS)
    return idle, busy, again, statuses, before, peak


def main():
    run.FOLDER.mkdir(parents=True, exist_ok=True)
    try:
        _, upstream = run.start_upstream()
        # Every sign-in is to be checked, none refused beforehand.
        rest = '[throttle]\naccount = 1000\naddress = 10000\nprefix = 15000\nprocess = 1000000\n'
        believed = 'trusted_proxies = ["127.0.0.1"]'
        program, port = run.start_passgate("passgate-flood", run.passgate_binary(), upstream, server=believed, rest=rest)
        idle, busy, again, statuses, before, peak = asyncio.run(measure(port, program.process))
    finally:
        run.Program.stop_all()
    p99 = [waits[len(waits) * 99 // 100] for waits in (idle, busy, again)]
    p50 = [statistics.median(waits) for waits in (idle, busy, again)]
    allowed = HASHERS * HASH_MIB + BESIDE_MIB
    print(f"sign-ins, {RATE} a second for {SECONDS} s, by status: {dict(statuses)}")
    print(f"memory: {before:.1f} MiB, {peak:.1f} MiB at the peak: {peak - before:.1f} MiB more; allowed {allowed} MiB")
    print("proxied pages:      idle   flooded   idle again")
    print(f"  p50 ms        {p50[0]:>8.2f}{p50[1]:>10.2f}{p50[2]:>13.2f}")
    print(f"  p99 ms        {p99[0]:>8.2f}{p99[1]:>10.2f}{p99[2]:>13.2f}   {p99[1] / p99[0]:.2f} times; allowed {TIMES}")
    sys.exit(int(peak - before > allowed or p99[1] > TIMES * p99[0]))


if __name__ == "__main__":
    main()
