"""How long a refused sign-in takes, by what is known of the name (THR-12).

Names that have to wait after too many tries are compared with each other: members' with nobody's.
"""

import itertools
import random
import secrets

from . import peers
from .form_times import ARGON2ID, BELIEVED, COLUMNS, PATIENT, FormPage, table
from .gateway import Gateway
from .report import Part
from .settings import SAMPLES, Broken, say

# The hash and phpBB's kind of an account (1 is one that was never activated) by what is measured. Nobody has the
# passwords.
REFUSED = {
    "argon2id": (ARGON2ID, 0),
    "disabled": (ARGON2ID, 1),
    "passkey-only": ("", 0),
    "bcrypt": ("$2y$10$f9zNsrN9oZUjhp18jmHQz.McDSXrwWM4GqmUOn.m7hXEpr/c/FSyu", 0),
    "phpass": ("$H$9zNsrN9oZUjhp18jmHQzMcDSXrwWM41", 0),
    "md5": ("0123456789abcdef" * 2, 0),
}
# Names with too many wrong passwords: of members, and of nobody.
THROTTLED, THROTTLED_NAMES = ("throttled", "throttled-unknown"), 10
WRONG = "is not right"


def run():
    """Milliseconds of each refused sign-in, by kind."""
    gateway = Gateway("passgate-refusals", peers.upstream().port, members=(), server=BELIEVED, imported=members(), rest=PATIENT)
    say(f"refused sign-ins, {SAMPLES} of each kind")
    page, places = FormPage(gateway.port, "/.passgate/login"), itertools.count()
    refused = lambda name, place: page.send(place, username=name, password=secrets.token_hex(8))
    held = {f"{kind}-{number}": next(places) for number in range(THROTTLED_NAMES) for kind in THROTTLED}
    for name, place in held.items():
        while WRONG in refused(name, place)[1]:
            pass
    took, kinds = {}, ["unknown", *REFUSED, *THROTTLED]
    for number in range(SAMPLES):
        # In no order: what came just before leaves its traces in caches.
        for kind in random.sample(kinds, len(kinds)):
            name = f"{kind}-{number % THROTTLED_NAMES if kind in THROTTLED else number}"
            took_ms, shown = refused(name, held.get(name) if name in held else next(places))
            took.setdefault(kind, []).append(took_ms)
            if (WRONG in shown) == (kind in THROTTLED):
                raise Broken(f"{kind}: {shown[:500]}")
    took = {kind: took[kind] for kind in kinds}
    # A name that has to wait is told so without any work, whether or not there is such a member.
    beside = lambda kind: THROTTLED[1] if kind in THROTTLED else "unknown"
    return Part([table("Refused sign-ins", took, beside)], took)


def members():
    names = [f"{kind}-{number}" for number in range(SAMPLES) for kind in REFUSED]
    names += [f"{THROTTLED[0]}-{number}" for number in range(THROTTLED_NAMES)]
    rows = [COLUMNS]
    for number, name in enumerate(names, 2):
        stored, state = REFUSED.get(name.rpartition("-")[0], (ARGON2ID, 0))
        rows.append(f'{number},{state},2,{name},"{stored}",')
    return rows
