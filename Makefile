# Every way to work with a clone. The helpers are plain POSIX sh in tools/.

.POSIX:
.SUFFIXES:
.PHONY: help run test demo lint bench clean

# PYTHON=/usr/bin/python3.12 takes another Python than the first of PATH; ARGS is handed to the daemon, to pytest or to the benchmark.
ARGS =
BENCH = benchmarks/*.py

help:
	@echo 'make run     set up, then run the daemon in the foreground on this machine'\''s logs (--dry-run without the rights to ban)'
	@echo 'make test    set up, then ruff, mypy and the whole suite (as root with real kernel sets and real services)'
	@echo 'make demo    a real sshd, an attacker and a ban, in namespaces of their own (root, less than a minute)'
	@echo 'make lint    ruff and mypy alone'
	@echo 'make bench   what the benchmarks measure here; BENCH=FILE for one of them'
	@echo 'make clean   removes what the others made'

run:
	@tools/setup run
	@exec tools/run $(ARGS)

test:
	@tools/setup test
	@exec tools/test $(ARGS)

demo:
	@tools/setup demo
	@exec .venv/bin/python -m demo $(ARGS)

lint:
	@tools/setup lint
	@exec tools/lint

bench:
	@tools/setup demo
	@for file in $(BENCH); do .venv/bin/python "$$file" $(ARGS) || exit; done

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
