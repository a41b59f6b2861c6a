"""What can be set, what is fixed, and where files go. Imports nothing of ours."""

import os
import pathlib
import secrets
import shutil
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
FOLDER = ROOT / "target" / "bench"

SUBJECT_CORE, LOAD_CORE = 0, 1
CONNECTIONS = 64
KIB, MIB = 1024, 1024 * 1024

QUICK = os.environ.get("QUICK") == "1"
# How Rust is built: as users get it, or fast to build, for the test that all of this works.
BUILD = os.environ.get("BUILD", "release")
# A glance begins no further part after so many seconds.
PATIENCE_S = (180 if BUILD == "release" else 60) if QUICK else None
ROUNDS, SECONDS = (1, 1) if QUICK else (9, 3)
# For the tables beside the main one.
FEWER_ROUNDS = 1 if QUICK else 5
LOG = os.environ.get("LOG", "file")
SAMPLES = int(os.environ.get("SAMPLES", 40 if QUICK else 200))

MEMBER, PASSWORD = "bench", secrets.token_hex(16)


def named(variable):
    """The names in an environment variable, or none if there is no such variable."""
    text = os.environ.get(variable)
    return text and [name.strip() for name in text.split(",") if name.strip()]


def tool(name):
    """The path of a program, or None."""
    beside = [ROOT / "target" / venv / "bin" / name for venv in ("venv-bench", "venv")]
    return next((str(path) for path in beside if path.exists()), None) or shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")


def say(text):
    """Progress, for whoever waits."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


class Missing(Exception):
    """Something can't be measured here, as a program is missing; the text says which."""


class Broken(Exception):
    """Something is there and does not do what it should."""


# What was broken; the run goes on without it, and ends as failed.
faults = []


def fault(text):
    faults.append(text)
    say(text)
