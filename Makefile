# Each target does its own set-up. Start with `make demo`.
.PHONY: setup demo serve test soak fuzz check bench

setup: ## make the environment in .venv
	@./setup.sh

demo: setup ## make a first video, demo.mp4, and stop
	@.venv/bin/python demo.py

serve: setup ## run the API and a worker until Ctrl-C; FAKE_ARK=1: with a fake of the vendor as upstream
	@$(if $(FAKE_ARK),PYTHONPATH=tests .venv/bin/python -m fakes.ark.serve,.venv/bin/seedance-api serve)

test: setup ## every test; of long sweeps a sample, whose seed is printed
	@.venv/bin/python -m pytest -n 2 --dist worksteal

soak: setup ## every test, with every sweep whole
	@.venv/bin/python -m pytest -n 2 --dist worksteal --soak --timeout 1800

fuzz: setup ## an hour of requests made of the OpenAPI document, right and wrong ones, by two accounts
	@.venv/bin/python -m pytest -n 2 --soak --timeout 7200 tests/security/test_schema.py tests/security/test_cursors.py

check: setup ## format, lint, types, arrows, tests, documents
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/basedpyright
	.venv/bin/basedpyright -p tests
	.venv/bin/lint-imports --no-logo
	@$(MAKE) --no-print-directory test

bench: setup ## measure, and write docs/benchmarks.md
	@.venv/bin/python -m bench
