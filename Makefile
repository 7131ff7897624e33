# `make demo` and `make test` do all their own set-up; `make setup` alone is for those who want only that.
.PHONY: help setup demo test check guests bench fuzz dist deb container clean lock book
.DEFAULT_GOAL := help
BIN := .venv/bin

help:
	@echo 'make demo    object file to trusted, running program, in a network namespace of its own (root)'
	@echo 'make test    check, then all tests (kernel tests need root; they run on two more kernels in QEMU, too)'
	@echo 'make guests  the kernel tests in those two guests only, which needs no root'
	@echo 'make check   ruff, mypy --strict, import rules'
	@echo 'make book    docs/, the verbs and the Python API as HTML that needs no network, in build/book'
	@echo 'make bench   cold starts against python3 -c pass; pulls and pushes against oras-py, skopeo, crane and oras;'
	@echo '             what believing an image costs, beside cosign and sigstore-python; what chains cost a packet,'
	@echo '             beside those of xdp-tools and ten fixed slots, counted in guests (root)'
	@echo 'make fuzz    a million hostile objects, signatures and policies through every reader, about 20 minutes on two cores'
	@echo 'make dist    wheel and sdist in dist/, the same bytes wherever and whenever'
	@echo 'make deb     a Debian package of it in dist/, for Debian 12 and 13 alike'
	@echo 'make container  an image of it in podman, for pipelines'
	@echo 'make setup   Debian packages and .venv; make clean removes what was built; make lock renews requirements'

setup:
	@scripts/setup.sh

demo: setup
	@$(BIN)/python -m scripts.demo

test: check
	$(BIN)/python -m pytest

guests: setup
	$(BIN)/python -m pytest tests/guest

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

book: setup
	@$(BIN)/python -m scripts.book

bench: setup
	@$(BIN)/python -m bench

fuzz: setup
	@$(BIN)/python -c 'import atheris' 2>/dev/null || $(BIN)/python -m pip install -q --require-hashes -r requirements/fuzz.txt
	@$(BIN)/python -m tests.fuzz

dist: setup
	@rm -rf dist && $(BIN)/python -m build --no-isolation --outdir dist .

# built from the sdist, so that all that dpkg-buildpackage writes is below build/
deb: dist
	@rm -rf build/deb && mkdir -p build/deb && tar -C build/deb --strip-components=1 --one-top-level=tree -xf dist/bpfimg-*.tar.gz
	@$(BIN)/python -m scripts.wheels fetch build/wheels
	@cd build/deb/tree && WHEELS=$(CURDIR)/build/wheels dpkg-buildpackage --no-sign --build=binary >../log 2>&1 || { tail -20 ../log; false; }
	@cp build/deb/*.deb dist/ && ls dist/*.deb

container:
	podman build -t bpfimg .

clean:
	rm -rf .venv .cache build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

lock:
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --upgrade --group dev pyproject.toml \
	  --custom-compile-command 'make lock' -o requirements/dev.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --upgrade --group fuzz \
	  --custom-compile-command 'make lock' -o requirements/fuzz.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --upgrade pyproject.toml \
	  --custom-compile-command 'make lock' -o requirements/deb.txt
