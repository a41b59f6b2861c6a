"""A single line by hand: the subjects run, and for each it is said with which command the load is made."""

import shlex

from . import peers, tls
from .settings import CONNECTIONS, LOAD_CORE
from .subjects import ALL, Cast, wanted


def run():
    subjects = Cast(peers.upstream()).all(wanted(ALL))
    subjects += Cast(peers.upstream(), peers.certificate()).all(wanted(tls.SUBJECTS))
    for subject in subjects:
        pids = ",".join(str(pid) for program in subject.programs for pid in sorted(program.family()))
        print(f"\n# {subject.name}, {subject.scheme}, processes {pids}")
        fields = [part for name, value in subject.fields.items() for part in ("-H", f"{name}: {value}")]
        loads = {"wrk": ["-t1", f"-c{CONNECTIONS}", "-d10s", "--latency"]}
        if subject.scheme == "https":
            loads["h2load"] = ["-t1", f"-c{CONNECTIONS}", "-m1", "-D10"]
        for program, options in loads.items():
            print(shlex.join(["taskset", "-c", str(LOAD_CORE), program, *options, *fields, subject.url()]))
    input("\nEnter ends it. ")
