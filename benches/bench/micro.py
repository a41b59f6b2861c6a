"""Single steps of a request, by criterion; what they are is in benches/measure/micro.rs."""

from .load import measure
from .report import Part, Table
from .rounds import number
from .settings import FOLDER, QUICK, SUBJECT_CORE, say


def run():
    say("single steps, by criterion")
    found = measure("micro", FOLDER / "criterion", 0.1 if QUICK else 3, core=SUBJECT_CORE)
    rows = [[step["step"], number(step["ns"], 1), number(step["budget_ns"])] for step in found]
    note = "Budgets of allocations are a test: `cargo test --test allocations`."
    return Part([Table("Single steps of a request", ["", "ns", "budget ns"], rows, note)], found)
