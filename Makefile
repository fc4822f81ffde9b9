# Each target sets up what it needs first: a virtual environment in .venv and, where it may, system packages.
PYTHON ?= python3
SETUP = $(PYTHON) packaging/bootstrap.py
OUT ?= shots

.PHONY: demo run test check bench shots package

demo:            ## open the window on the demo world: no account, no key, no network
	@$(SETUP) --window -- python -m posthog_code demo $(ARGS)

run:             ## open the window on your own data
	@$(SETUP) --window -- python -m posthog_code $(ARGS)

test:            ## pass the tests
	@$(SETUP) --dev -- python -m pytest -n auto --maxprocesses 4 --dist loadfile --max-worker-restart 0 $(ARGS)

check:           ## lint, types, layers
	@$(SETUP) --dev -- python packaging/check.py

bench:           ## figures against limits measured in the same run
	@$(SETUP) --dev -- python -m tests.bench $(ARGS)

shots:           ## pictures of every screen, both themes
	@$(SETUP) -- python -m posthog_code shots --out $(OUT) $(ARGS)

package:         ## a build that needs no Python, smoke-tested
	@$(SETUP) --dev -- python packaging/build.py $(ARGS)
