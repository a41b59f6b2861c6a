"""What was found, written down: each part with its data, its tables and its time. A run of some parts leaves the others of an
earlier run in place, so that one that failed can be done again.
"""

import json
import os
import platform
import time
from dataclasses import asdict

from . import targets
from .report import Table
from .settings import CONNECTIONS, FOLDER, LOG, QUICK, SECONDS

FILE = FOLDER / "result.json"


def machine():
    """What the figures are of."""
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return f"{model or platform.machine()}, {os.cpu_count()} cores, {platform.platform()}"


def kind():
    """What has to be alike in figures that stand side by side."""
    return {"machine": machine(), "quick": QUICK, "connections": CONNECTIONS, "seconds": SECONDS, "log": LOG}


def entry(part):
    return {
        "measured": time.strftime("%Y-%m-%d %H:%M"), "load_average": os.getloadavg(), "data": part.data,
        "tables": [asdict(table) for table in part.tables],
    }


def write(found, order):
    """`found` is a `Part` by name. Returns the table of targets, or None where there is nothing to judge."""
    earlier = json.loads(FILE.read_text()) if FILE.exists() else {}
    parts = earlier.get("parts", {}) if earlier.get("kind") == kind() else {}
    parts |= {name: entry(part) for name, part in found.items()}
    FILE.write_text(json.dumps({"kind": kind(), "parts": parts}, indent=2) + "\n")
    # As it is read again, so that the names of sizes are texts either way.
    parts = json.loads(FILE.read_text())["parts"]
    judged = None if QUICK else targets.judged({name: part["data"] for name, part in parts.items()})
    tables = [judged] if judged else []
    tables += [Table(**table) for name in order if name in parts for table in parts[name]["tables"]]
    days = sorted(part["measured"] for part in parts.values())
    said = f"Measured on {machine()}, by `make bench`, from {days[0]} to {days[-1]}."
    (FOLDER / "tables.md").write_text("\n".join([said, "", *(table.markdown() for table in tables)]))
    return judged
