"""Whether comparing a secret tells where a wrong one differs (THR-17); what is done is in benches/measure/constant.rs."""

from .load import measure
from .report import Part, Table
from .rounds import number
from .settings import QUICK, SUBJECT_CORE, say

SAMPLES = 100_000 if QUICK else 1_000_000


def run():
    say(f"comparing secrets, {SAMPLES:,} times")
    found = measure("constant", SAMPLES, core=SUBJECT_CORE)
    note = "Up to 5 there is nothing to see. The last one shows that a difference would be seen."
    return Part([Table("Comparing wrong secrets: first byte wrong against last byte wrong", ["", "t"],
                       [[what, number(t, 2)] for what, t in found.items()], note)], found)
