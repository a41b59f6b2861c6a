# `make` lists what there is. Each target installs what it needs first, see tests/setup.sh.

.DEFAULT_GOAL := help
.PHONY: help demo test lint bench soak
MAKEFLAGS += --no-print-directory

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## a sample forum with the gateway before it; prints an address and members to sign in as
	@tests/setup.sh build
	@cargo run --locked --quiet -- demo $(ARGS)

test: ## all tests: Rust, real applications, a real browser; and that the bench works
	@tests/setup.sh build apps browser disks bench
	@tests/run.sh

lint: ## formatting, clippy, licences and sources of the crates
	@tests/setup.sh build lint
	@tests/lint.sh

bench: ## requests a second, CPU time and latency beside nginx, haproxy, Apache, Caddy and Traefik in the same run; QUICK=1 for a glance
	@tests/setup.sh build bench
	@PYTHONPATH=benches PYTHONDONTWRITEBYTECODE=1 python3 -m bench

soak: ## thousands of kills, cuts of the power, full and failing disks and damaged stores, two hours or so, and a minute of fuzzing for each target; PASSGATE_CUT_FS=xfs for another file system
	@tests/setup.sh build soak
	@fuzz/run.sh 60
	@PASSGATE_KILL_ROUNDS=$${PASSGATE_KILL_ROUNDS:-1000} PASSGATE_CUT_ROUNDS=$${PASSGATE_CUT_ROUNDS:-200} \
		PASSGATE_FULL_ROUNDS=$${PASSGATE_FULL_ROUNDS:-50} PASSGATE_FAULT_ROUNDS=$${PASSGATE_FAULT_ROUNDS:-50} \
		PASSGATE_THIN_ROUNDS=$${PASSGATE_THIN_ROUNDS:-20} PASSGATE_KILLED_CALLS=all \
		cargo test --locked --test kill --test process -- --nocapture --test-threads=1 sto_01 sto_02 sto_04 sto_05 sto_06 sto_08 sto_10 sto_14
	@PASSGATE_CUT_FS=xfs PASSGATE_CUT_ROUNDS=$${PASSGATE_XFS_ROUNDS:-50} PASSGATE_FULL_ROUNDS=5 \
		cargo test --locked --test process -- --nocapture --test-threads=1 sto_02 sto_05
	@PASSGATE_DAMAGE_FACTOR=$${PASSGATE_DAMAGE_FACTOR:-12} cargo test --locked --lib -- --nocapture sto_07_damage
