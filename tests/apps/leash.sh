#!/usr/bin/env bash
# Runs a command for as long as our own input stays open, so that nothing outlives the test that started it, whichever
# way that test ends. The command itself gets no input.
set -euo pipefail
"$@" </dev/null &
program=$!
trap 'kill "$program" 2>/dev/null; wait "$program" 2>/dev/null' EXIT
cat >/dev/null
