"""How long the answer takes for who asks for a link to a new password, and for who asks for one to a new account, when there is
such a member and when there is none.
"""

import itertools
import random
import socketserver
import threading

from . import peers
from .form_times import ARGON2ID, BELIEVED, COLUMNS, PATIENT, FormPage, table
from .gateway import Gateway
from .report import Part
from .settings import SAMPLES, Broken, say

# What the two forms are for: the field that is typed into, and what the answer says.
ASKING = {"forgot": ("username", "a mail with a link is on its way"), "join": ("email", "A mail is on its way")}


class Sink(socketserver.StreamRequestHandler):
    """A mail server that takes every mail and keeps none."""

    def handle(self):
        in_text = False
        self.wfile.write(b"220 sink\r\n")
        for line in self.rfile:
            if in_text and line != b".\r\n":
                continue
            in_text = line[:4].upper() == b"DATA" and not in_text
            self.wfile.write(b"354 go on\r\n" if in_text else b"250 sink\r\n")


def start_sink():
    """Its port."""
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Sink)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def run():
    """Milliseconds of each answer, by what is asked for and whether there is such a member."""
    rows = [COLUMNS, *(f'{number + 2},0,2,known-{number},"{ARGON2ID}",known-{number}@bench.example' for number in range(SAMPLES))]
    mail = f'[mail]\nhost = "127.0.0.1"\nport = {start_sink()}\ntls = "none"\nfrom = "bench@bench.example"\n'
    joining = f'[registration]\nmode = "open"\nper_hour = {4 * SAMPLES}\n'
    gateway = Gateway(
        "passgate-asking", peers.upstream().port, members=(), server=BELIEVED, imported=rows, rest=PATIENT + mail + joining
    )
    say(f"who asks for a mailed link, {SAMPLES} of each kind")
    pages, places = {what: FormPage(gateway.port, f"/.passgate/{what}") for what in ASKING}, itertools.count()
    took, kinds = {}, [f"{what}-{who}" for what in ASKING for who in ("unknown", "known")]
    for number in range(SAMPLES):
        for kind in random.sample(kinds, len(kinds)):
            what, who = kind.split("-")
            field, said = ASKING[what]
            took_ms, shown = pages[what].send(next(places), **{field: f"{who}-{number}@bench.example"})
            took.setdefault(kind, []).append(took_ms)
            if said not in shown:
                raise Broken(f"{kind}: {shown[:500]}")
    took = {kind: took[kind] for kind in kinds}
    return Part([table("Who asks for a mailed link", took, lambda kind: f"{kind.partition('-')[0]}-unknown")], took)
