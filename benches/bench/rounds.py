"""Turns: each subject once a round, each round beginning with another; and what becomes of the figures."""

import statistics

from .load import Refused
from .programs import trim_logs
from .settings import fault, say


def interleaved(what, subjects, rounds, measure):
    """Fills `subject.rounds` with what `measure` finds. A subject that answers with errors is left out from then on."""
    for index in range(rounds):
        for subject in subjects[index % len(subjects) :] + subjects[: index % len(subjects)]:
            if not hasattr(subject, "is_out"):
                say(f"{what}, round {index + 1} of {rounds}: {subject.name}")
                try:
                    subject.rounds.append(measure(subject))
                except Refused as reason:
                    subject.is_out = True
                    fault(f"{what}: {subject.name} is left out: {reason}")
            trim_logs()
    return [subject for subject in subjects if not hasattr(subject, "is_out")]


def under_load(subject, load):
    """What `load` says, with the CPU time it took the subject."""
    before = subject.cpu_seconds()
    found = load()
    cpu = subject.cpu_seconds() - before
    found["requests_per_s"] = found["requests"] / found["seconds"]
    found["cpu_us"] = cpu / found["requests"] * 1e6
    return found


def compare(subjects, base, key="cpu_us"):
    """Writes into each round how it compares with that of the subject `base` in the same round."""
    beside = next((subject for subject in subjects if subject.name == base), None)
    for subject in subjects if beside else []:
        # Without a proxy there is no proxy's CPU time; what the upstream itself takes is not compared.
        if subject.name != "direct":
            for entry, other in zip(subject.rounds, beside.rounds):
                entry[f"to_{base}"] = entry[key] / other[key] if other[key] else None


def median(entries, key):
    """Of those that have it."""
    values = [entry[key] for entry in entries if entry.get(key) is not None]
    return statistics.median(values) if values else None


def with_spread(entries, key, digits=2):
    """The median, and from where to where the rounds lie."""
    values = [entry[key] for entry in entries if entry.get(key) is not None]
    if not values:
        return "-"
    middle = f"{statistics.median(values):.{digits}f}"
    return middle if len(values) == 1 else f"{middle} ({min(values):.{digits}f}–{max(values):.{digits}f})"


def number(value, digits=0):
    return "-" if value is None else f"{value:.{digits}f}"
