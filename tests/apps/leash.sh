#!/usr/bin/env bash
# Runs a command for as long as our own input stays open, so that nothing outlives the test that started it, whichever
# way that test ends. The command itself gets no input. Ends when the command does, too, with all that it started.
set -muo pipefail
exec 3<&0
trap : TERM
"$@" </dev/null 3<&- &
program=$!
cat <&3 >/dev/null &
reader=$!
wait -n "$program" "$reader"
# Each is a group of its own: PHP's server leaves its workers behind.
kill -- "-$program" "-$reader" 2>/dev/null
wait
