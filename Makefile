# Entry points for people; the real work is in cargo and in tests/.
.DEFAULT_GOAL := help
.NOTPARALLEL:

TRIPLE := x86_64-unknown-linux-gnu
RELEASE := $(CURDIR)/target/$(TRIPLE)/release/ironstrap
# The judges live in sbin, ksvalidator in an environment of its own.
export PATH := $(CURDIR)/target/venv/bin:$(PATH):/usr/sbin:/sbin

.PHONY: help
help: ## This text.
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST)

.PHONY: lint
lint:
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings

.PHONY: check
check: lint ## Format, lints, and each test of up to two seconds: a minute after a change, no root, no network, no emulator.
	cargo nextest run --profile check
	@echo "left to \`make test\`: the tests that .config/nextest.toml names under profile.check, and whole machines"

# What `check` leaves, by the same list.
.PHONY: thorough
thorough:
	cargo nextest run --profile check --ignore-default-filter -E 'not default()'

# Licences and sources of dependencies, by deny.toml. Advisories count where their database can be had: a machine without a way to
# github.com has none, and says so.
.PHONY: deny
deny: needs
	cargo deny check bans licenses sources
	@if timeout 120 cargo deny fetch db 2>target/advisories.log; then \
		cargo deny check --disable-fetch advisories; \
	else echo "SKIPPED: advisories: their database can't be had: $$(grep -v '^ *$$' target/advisories.log | tail -n 1)"; fi

.PHONY: release
release: ## The optimised, static binary.
	cargo build --release --bins

# The same program linked dynamically, in a second: faketime can't change the clock of a static one.
DYNAMIC := $(CURDIR)/target/ironstrap-dynamic
.PHONY: dynamic
dynamic:
# with the examples, the library is the one that `check` has built; alone it would be built anew for other features of its dependencies
	cargo build --lib --examples
	rustc --edition 2024 --crate-name ironstrap_dynamic src/main.rs -C strip=symbols -o $(DYNAMIC) \
		--extern ironstrap=target/$(TRIPLE)/debug/libironstrap.rlib \
		-L dependency=target/$(TRIPLE)/debug/deps -L dependency=target/debug/deps

# Of the package debian-installer-12-netboot-amd64.
DI := /usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64

.PHONY: needs
needs:
	tests/install-deps.sh
	tests/fetch-udeb.sh partman-auto target/udebs
	tests/fetch-modules.sh $(DI)/initrd.gz target/udebs/modules

.PHONY: test
# what is missing after `needs` is a failure, not a reason to skip
test: export IRONSTRAP_STRICT = 1
# the quick ones first: what a minute finds shouldn't wait for half an hour
test: lint needs check thorough deny dynamic ## Everything, with whole installs in QEMU: about half an hour on two cores.
# in one go, so that both stand on one build of the library: apart, their dependencies' features differ
	cargo build --release --bins --example hostile
	cargo run --quiet --release --example hostile 4
	IRONSTRAP_VM=1 IRONSTRAP_BIN=$(RELEASE) IRONSTRAP_DYNAMIC=$(DYNAMIC) \
		cargo nextest run --profile vm --test vm --test reproducible --test unprivileged

.PHONY: soak
soak: release ## What takes longer than a test should, about an hour: power cuts by the 100,000, every hostile string, machines killed, failing disks, small memory, more firmwares, storms of connections.
# (a line break in a filter would reach it with its backslash)
	IRONSTRAP_ROUNDS=20 cargo nextest run --release --lib -E 'test(crash_tests::) - test(/(again|repair)_tests::/)' \
		-E 'test(fault_tests::) - test(/fault_tests::(sectors|size)::/)' -E 'test(faulty::)'
# each of these states is tried again; 5,000 images with changed bytes are imported and exported
	IRONSTRAP_ROUNDS=50 cargo nextest run --release --lib -E 'test(/crash_tests::(again|repair)_tests::/)' -E 'test(hostile_mutations)'
# 10^6 flipped bits, 10,000 schedules of a server's faults, 1,000 sectors of a disk
	IRONSTRAP_SOAK=1 IRONSTRAP_ROUNDS=100 cargo nextest run --release --lib --success-output final \
		-E 'test(flip_tests::) | test(schedule_tests::) | test(fault_tests::sectors::) | test(fault_tests::size::)'
	cargo run --quiet --release --example hostile
	IRONSTRAP_SOAK=1 IRONSTRAP_BIN=$(RELEASE) cargo nextest run --test serve -E 'test(hostile::)' --success-output final
	IRONSTRAP_STRICT=1 IRONSTRAP_VM=1 IRONSTRAP_SOAK=1 IRONSTRAP_BIN=$(RELEASE) cargo nextest run --profile vm --success-output final --test vm \
		-E 'test(/^(ends|io_errors|killed|proxy|replay|secure_boot|small_memory|systems)::/)'

.PHONY: demo
demo: ## A golden image, a stick, an emulated machine with Secure Boot, and its install, start to end.
	tests/install-deps.sh demo
	cargo build --release --bins
	IRONSTRAP_BIN=$(RELEASE) cargo run --quiet --release --example demo

.PHONY: bench
bench: release ## Figures: check of 10,000 hosts, a stick of more than 4 GiB, the write path beside other writers (as root), serve beside nginx, an install's phases from power-on to converged, the agent's memory.
	tests/install-deps.sh bench
	PATH=$(CURDIR)/target/peers/bin:$$PATH IRONSTRAP_BIN=$(RELEASE) cargo run --quiet --release --example bench
