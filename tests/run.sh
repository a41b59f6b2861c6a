#!/usr/bin/env bash
# What `make test` runs once everything is installed.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n== %s\n' "$*"; }
log=target/test-output.log
mkdir -p target

step "Rust tests: units, the gateway as a whole, real applications"
cargo test --locked --no-fail-fast 2>&1 | tee "$log"

step "browser tests"
cargo build --locked --quiet
node --test --test-reporter=spec tests/browser/*.test.mjs 2>&1 | tee -a "$log"

step "the bench, a glance with debug builds: that it works, not how fast"
BUILD=debug QUICK=1 SAMPLES=3 SUBJECTS=nginx,passgate-guest,passgate-member PARTS=all \
    PYTHONPATH=benches PYTHONDONTWRITEBYTECODE=1 python3 -m bench

# One line that says it all: the sums over all test binaries, and the browser tests.
awk '
    /^test result:/ { rust += $4; ignored += $8 }
    /^(# |ℹ )pass / { browser += $3 }
    /^(# |ℹ )skipped / { ignored += $3 }
    END { printf "\nall passed: %d Rust tests, %d browser tests; %d skipped\n", rust, browser, ignored }
' "$log"
