# Entry points for people; the real work is in cargo and in tests/.

.PHONY: check
check:
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings
	cargo nextest run

.PHONY: test
test: check
