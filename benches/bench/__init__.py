"""passgate measured beside others, in the same run.

Whatever is measured has core 0 to itself; the load and the upstream share core 1. The subjects take turns, round after
round, so that a machine that slows down slows all of them. What counts is CPU time from /proc over requests answered, and
its ratio to nginx as a bare proxy in the same round; tables show medians, and how far the rounds lie apart.

    make bench                    everything
    QUICK=1 make bench            a glance at everything, in three minutes; shows that it works, and no more
    PARTS=proxied,tls ...         only these parts; a name that is none prints all of them
    PARTS=by-hand SUBJECTS=nginx,passgate-member ...   starts them, and prints the command that measures each
    BUILD=debug QUICK=1 ...       debug builds, for the test that all of this works
    SUBJECTS=nginx,passgate-member ...   only these subjects
    SAMPLES=500 ...               so many refused sign-ins, and askings, of each kind (default 200, or 40 with QUICK=1)
    LOG=file|pipe|null ...        where passgate's log goes: a file on the disk (default), a reader behind a pipe, /dev/null
    PASSGATE=path/to/passgate ... another binary than the release build
    MEASURE=path/to/measure ...   another build of benches/measure
    PASSGATE_LOG__LEVEL=warn ...  without a line in the log for each request, as nginx here has none either

Tables are printed; target/bench/ has every round (result.json), the tables for docs/performance.md (tables.md), two pictures
(cost.svg, scale.svg), and each program's log and configuration. Needs nothing but Python's standard library beside what
`tests/setup.sh bench` installs.

CPU time leaves out waiting, but not the caches that other programs on the machine empty: on a busy machine a big program
looks worse, and so does its ratio. Believe a run on an idle one.
"""
