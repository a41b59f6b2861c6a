#!/usr/bin/env bash
# Runs each target for so many seconds (60), from its seeds and what earlier runs found; stops at the first fault. Further arguments name
# the targets that are wanted.
set -euo pipefail
cd "$(dirname "$0")"
seconds=${1:-60}
wanted=("${@:2}")
[ ${#wanted[@]} -gt 0 ] || wanted=(head body path return_to cookie headers form passkey config address record)
# What cargo-fuzz does, without a sanitizer: there is no unsafe code here. All of it is in the stable compiler.
coverage=(-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters
    -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1)
# Naming the target keeps all that from build scripts.
host=$(rustc -vV | sed -n 's/^host: //p')
RUSTFLAGS="--cfg fuzzing ${coverage[*]}" cargo build --quiet --release --locked --target "$host"
for target in "${wanted[@]}"; do
    mkdir -p "corpus/$target" "artifacts/$target"
    seeds=("seeds/$target")
    # The defaults, the recipes, and what the tests have.
    [ "$target" != config ] || { seeds=(../config ../tests/fixtures/config/*/) && cp ../gateway.toml corpus/config/; }
    log=artifacts/$target.log
    if ! "target/$host/release/$target" -max_total_time="$seconds" -timeout=10 -max_len=40000 -verbosity=0 -print_final_stats=1 \
        -use_value_profile=1 -artifact_prefix="artifacts/$target/" "corpus/$target" "${seeds[@]}" >"$log" 2>&1; then
        cat "$log"
        exit 1
    fi
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    printf 'fuzz %s: %s runs in %s seconds, no fault\n' "$target" "$runs" "$seconds"
done
