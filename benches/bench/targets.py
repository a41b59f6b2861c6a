"""What the bench judges passgate by: a target beside what was measured. Never a failure; a run on a busy machine proves nothing."""

import statistics

from .flood import ALLOWED_MIB
from .report import Table
from .sign_ins import p99_to_idle


def ratio(subjects, key, one="passgate-member", other="nginx"):
    """The median of the ratios of each round."""
    pairs = zip(subjects[one], subjects[other])
    return statistics.median(mine[key] / theirs[key] for mine, theirs in pairs)


def cpu(results, other, one="passgate-member"):
    return ratio(results["proxied"]["subjects"], "cpu_us", one, other)


def million(results, key):
    """Of 10⁶ sessions, and of one."""
    entries = results["scale"]["sessions"]
    return [entries[count][key] for count in ("1000000", "1")]


def at_a_million(results):
    many, one = million(results, "rounds")
    return statistics.median(a["requests_per_s"] / b["requests_per_s"] for a, b in zip(many, one))


def while_500_sign_in(results):
    turns = results["passkeys"]["turns"]
    if statistics.median(turn["sign_ins_per_s"] for turn in turns if turn["turn"] == "passkeys") < 475:
        raise KeyError("so many did not sign in")
    return p99_to_idle(turns, "passkeys")


def risen_in_a_flood(results):
    return results["flood"]["peak_mib"] - results["flood"]["rss_mib"]


def t_of_comparing(results):
    return max(abs(results["constant"][what]) for what in ("a form's value", "a token's hash"))


# What, whether it is to be at most or at least that, and how it is found; what was not measured raises.
TARGETS = [
    ("CPU a request, member / nginx bare", "≤", 1.45, lambda found: cpu(found, "nginx")),
    ("CPU a request, member / nginx + auth_request to a constant 200", "≤", 0.28, lambda found: cpu(found, "nginx-auth")),
    ("the same, with a new connection for each question, as nginx does by itself", "≤", 0.28, lambda found: cpu(found, "nginx-auth-anew")),
    ("CPU a request, guest / member", "≥", 0.95, lambda found: cpu(found, "passgate-member", "passgate-guest")),
    ("CPU a request, TLS HTTP/2, member / nginx bare", "≤", 1.5, lambda found: ratio(found["tls"]["HTTP/2"], "cpu_us")),
    ("CPU a request, TLS HTTP/1.1, member / nginx bare", "≤", 1.2, lambda found: ratio(found["tls"]["HTTP/1.1"], "cpu_us")),
    ("CPU a full handshake / nginx", "≤", 1.0, lambda found: ratio(found["handshakes"]["full"], "cpu_us", "passgate-guest")),
    ("MiB/s of bodies of 20 MiB, member / nginx", "≥", 0.9, lambda found: ratio(found["bodies"]["20 MiB"], "mib_per_s")),
    ("p99 at 70 % load, member / nginx", "≤", 1.5, lambda found: ratio(found["latency"]["subjects"], "p99_ms")),
    ("RSS at 64 connections, MiB", "≤", 30, lambda found: found["proxied"]["rss_mib"]["passgate-member"]),
    ("RSS at 2 000 TLS connections, MiB", "≤", 100, lambda found: found["memory"]["passgate-guest"]["2000"]["rss_mib"]),
    ("RSS at 10⁶ sessions, MiB", "≤", 300, lambda found: million(found, "rss_mib")[0]),
    ("requests/s at 10⁶ sessions / at one", "≥", 0.95, at_a_million),
    ("p99 of pages while 500 sign in a second / idle", "≤", 3, while_500_sign_in),
    ("p99 of pages in a flood of wrong passwords / idle", "≤", 3, lambda found: found["flood"]["flooded"]["p99_ms"] / found["flood"]["idle"]["p99_ms"]),
    ("RSS more in that flood, MiB", "≤", ALLOWED_MIB, risen_in_a_flood),
    ("t of comparing secrets, without its sign", "≤", 5, t_of_comparing),
]


def judged(results):
    rows = []
    for what, sense, target, find in TARGETS:
        try:
            measured = find(results)
        except (KeyError, IndexError, statistics.StatisticsError):
            rows.append([what, f"{sense} {target}", "-", "not measured"])
            continue
        met = measured <= target if sense == "≤" else measured >= target
        rows.append([what, f"{sense} {target}", f"{measured:.2f}", "met" if met else "not met"])
    return Table("Targets", ["", "target", "measured", ""], rows)
