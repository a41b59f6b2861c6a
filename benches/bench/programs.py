"""Processes of ours, pinned to a core, and what /proc tells of them."""

import os
import pathlib
import re
import signal
import socket
import subprocess
import time

from .settings import FOLDER, LOAD_CORE, Broken, Missing, tool


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Program:
    """A process of ours, pinned to a core, that answers on a port."""

    running = []

    def __init__(self, name, core, port, command, log_to="file", patience=10, not_yet=None):
        self.name, self.port, self.not_yet = name, port, not_yet
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
        self.wait(patience)
        self.ready_ms = (time.monotonic() - begun) * 1000
        self.idle_mib = self.resident_mib()

    def wait(self, patience):
        """Until it answers anything at all, but for the status that it has before it is ready."""
        until = time.monotonic() + patience
        while time.monotonic() < until and self.process.poll() is None:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=patience) as client:
                    client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                    answer = client.recv(16)
                    if answer and not (self.not_yet and self.not_yet in answer):
                        return
            except OSError:
                pass
            time.sleep(0.005)
        raise Broken(f"{self.name} does not answer; see {self.log}:\n{self.log.read_text(errors='replace')[-2000:]}")

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
        """Ends all of them, and waits until they are gone."""
        for program in reversed(cls.running):
            program.process.send_signal(signal.SIGTERM)
        for program in cls.running:
            try:
                program.process.wait(10)
            except subprocess.TimeoutExpired:
                program.process.kill()
                program.process.wait()
        cls.running.clear()


class CountedCalls:
    """Counts the system calls of programs while it is entered, by strace. It slows them down: count, don't time."""

    def __init__(self, programs):
        if not tool("strace"):
            raise Missing("system calls are not counted: strace is missing")
        self.pids = [str(pid) for program in programs for pid in sorted(program.family())]
        self.file = FOLDER / "calls.txt"
        self.calls = None

    def __enter__(self):
        self.file.unlink(missing_ok=True)
        command = ["taskset", "-c", str(LOAD_CORE), "strace", "-f", "-c", "-o", self.file]
        for pid in self.pids:
            command += ["-p", pid]
        self.tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        said = self.tracer.stderr.readline()
        if "attached" not in said:
            self.tracer.wait()
            raise Missing(f"system calls are not counted: {said.strip()}")
        return self

    def __exit__(self, *_):
        self.tracer.send_signal(signal.SIGINT)
        self.tracer.communicate(timeout=30)
        total = re.search(r"^100\.00\s+\S+\s+\S*\s+(\d+)(?:\s+\d+)?\s+total$", self.file.read_text(), re.MULTILINE)
        self.calls = total and int(total.group(1))


def trim_logs():
    """Between rounds, so that no disk fills; all logs are opened for appending."""
    for log in FOLDER.glob("*.log"):
        os.truncate(log, 0)
