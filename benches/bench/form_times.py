"""How long passgate's forms take to answer, by what is known of who is named in them. An answer that comes sooner for one kind
than for another tells strangers which names exist.

Tries take turns on one connection, each for an account and from an address of its own, so that no throttle has a say. Beside
the medians stands the chance that a try of this kind takes longer than one for an unknown name: 0.5 where time tells nothing.
"""

import bisect
import http.client
import statistics
import time
import urllib.parse

from .gateway import HiddenFields
from .report import Table
from .settings import SAMPLES

# So that the test is the proxy that says where requests come from, and no throttle has a say.
BELIEVED, PATIENT = 'trusted_proxies = ["127.0.0.1"]', '[throttle]\nwait = "1h"\naddress = 10000\nprefix = 15000\n'
# Of phpBB's list of members.
COLUMNS = "user_id,user_type,group_id,username,user_password,user_email"
# Nobody has the password.
ARGON2ID = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2E$" + "A" * 43


class FormPage:
    """A page with one form, open in one browser."""

    def __init__(self, port, path):
        self.connection, self.path = http.client.HTTPConnection("localhost", port), path
        self.connection.request("GET", self.path)
        page = self.connection.getresponse()
        self.form = HiddenFields()
        self.form.feed(page.read().decode())
        self.headers = {
            "Cookie": "; ".join(line.partition(";")[0] for line in page.headers.get_all("Set-Cookie", [])),
            "Origin": f"http://localhost:{port}",
            "Content-Type": "application/x-www-form-urlencoded",
        }

    def send(self, place, **fields):
        """Milliseconds that the answer takes to what is typed, sent from the network of this number; and the page."""
        headers = {**self.headers, "X-Forwarded-For": f"10.{place // 256 % 256}.{place % 256}.1"}
        body = urllib.parse.urlencode({**self.form.fields, **fields})
        begun = time.perf_counter()
        self.connection.request("POST", self.path, body, headers)
        page = self.connection.getresponse().read().decode()
        return (time.perf_counter() - begun) * 1000, page


def longer(these, those):
    """The chance that one of these is longer than one of those (the AUC of Mann and Whitney's test)."""
    those = sorted(those)
    below = sum(bisect.bisect_left(those, this) + bisect.bisect_right(those, this) for this in these)
    return below / 2 / len(these) / len(those)


def table(title, took, beside):
    """Each kind compared with the kind of nobody's name that `beside` says."""
    rows = []
    for kind, all_ms in took.items():
        unknown = took[beside(kind)]
        median, p95 = statistics.median(all_ms), sorted(all_ms)[len(all_ms) * 95 // 100]
        gap, chance = median - statistics.median(unknown), longer(all_ms, unknown)
        rows.append([kind, f"{median:.2f}", f"{p95:.2f}", f"{gap:.2f}", f"{chance:.3f}"])
    headings = ["", "median ms", "p95 ms", "gap ms", "longer"]
    return Table(f"{title}, {SAMPLES} of each kind", headings, rows, "Longer: than for nobody's name, by chance; 0.5 tells nothing.")
