# Every target sets up .venv first; only Python 3.11 or newer, make and a package registry are needed.
PYTHON ?= python3
MINUTES ?= 30
STAGE ?= ways
FLOOR := 95
VENV := .venv
BIN := $(VENV)/bin
OLDEST := .venv-oldest
READY := $(VENV)/.ready
# A time per group, printed after it.
timed = @start=$$(date +%s); $(2) || exit $$?; echo "-- $(1): $$(( $$(date +%s) - start )) s"

.PHONY: help demo learn tournament test check fast model slow wheel oldest coverage campaign experiments bench docs lock clean
.DEFAULT_GOAL := help

help:  ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check -c requirements.lock torch==2.13.0
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps -r requirements.lock
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(BIN)/python -c 'import torch, transformers, sentence_transformers, sqlalchemy, simworld'
	$(BIN)/simworld model fetch
	@touch $@

demo: $(READY)  ## eight conversations on the built-in model: played, judged, and a page that shows them
	$(call timed,demo,$(BIN)/simworld demo)

learn: $(READY)  ## teach a planner when to say what, from stored episodes, and evaluate it against the best constant action
	$(call timed,learn,$(BIN)/simworld learn when-to-thank --db simworld-learn.db)

tournament: $(READY)  ## a small tournament of four agents, on the built-in model
	$(call timed,tournament,$(BIN)/simworld tournament run small --db tournament.db)
	$(call timed,report,$(BIN)/simworld report small --db tournament.db --out tournament-report.html --force)

test: check fast model docs  ## the checks, the fast tests, the short ones on the built-in model, and the site

check: $(READY)  ## ruff, mypy --strict, import-linter
	$(call timed,ruff,$(BIN)/ruff check && $(BIN)/ruff format --check)
	$(call timed,mypy,$(BIN)/mypy)
	$(call timed,imports,$(BIN)/lint-imports)

fast: $(READY)  ## the tests that load no model
	$(call timed,fast tests,OMP_NUM_THREADS=1 $(BIN)/pytest -q -n 2 --dist loadfile --max-worker-restart=0 -m "not model and not slow")

model: $(READY)  ## the short tests on the built-in model
	$(call timed,model tests,OMP_NUM_THREADS=1 $(BIN)/pytest -q -n 2 --max-worker-restart=0 -m "model and not slow")

slow: $(READY)  ## the tests that take minutes
	$(call timed,slow tests,$(BIN)/pytest -q -m slow)

wheel: $(READY)  ## builds sdist and wheel, installs the wheel outside the clone, and uses it there
	$(call timed,wheel,OMP_NUM_THREADS=1 $(BIN)/pytest -q -m slow tests/simworld/test_installed_wheel.py)

# Old libraries beside newer ones of which nothing is asked say much that is no fault of ours: -W default.
oldest: $(READY)  ## the fast tests with the lowest versions that pyproject.toml allows, in .venv-oldest
	$(PYTHON) -m venv $(OLDEST)
	$(BIN)/python -m tests.oldest_versions > $(OLDEST)/constraints.txt
	$(OLDEST)/bin/python -m pip install -q --disable-pip-version-check -c $(OLDEST)/constraints.txt -e '.[minari,openai,postgresql,ratings,parquet,tensorboard,docs,dev]'
	$(OLDEST)/bin/simworld model fetch
	$(call timed,oldest,OMP_NUM_THREADS=1 $(OLDEST)/bin/pytest -q -n 2 -W default --dist loadfile --max-worker-restart=0 -m "not model and not slow")

coverage: $(READY)  ## the fast tests once more, with the lines and branches they reach; fails below the floor
	$(call timed,coverage,OMP_NUM_THREADS=1 $(BIN)/pytest -q -n 2 --dist loadfile --max-worker-restart=0 -m "not model and not slow" \
	  --cov --cov-report=term:skip-covered --cov-fail-under=$(FLOOR))

campaign: $(READY)  ## attack simworld for MINUTES (30) from where the last call stopped: docs/reference/reliability.md
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.campaign --minutes $(MINUTES)

# What is done stays done: the same command goes on where the time was over.
experiments: $(READY)  ## a STAGE of docs/experiments (ways, propose-then-thank, thank-or-propose, earn-thanks, be-thanked), for MINUTES (30) at most
ifeq ($(STAGE),ways)
	timeout -s INT $(MINUTES)m $(BIN)/simworld run library --cast '*=bench/variants/thanks-ways.yaml' --repeats 2 --name ways --db planning.db --live 64
	$(BIN)/simworld train ways --run ways --lexical '(?i)\b(tomorrow|tonight)\b' --of agents/library/planners/thanks --keep 1 --share 0.707 \
	  --share 0.5 --db planning.db --out planners/times
	$(BIN)/simworld train ways --run ways --like "Thank you so much, I really appreciate your help." --of agents/library/planners/thanks --keep 1 \
	  --share 0.707 --share 0.5 --neutral --beside planners/times --db planning.db --out planners/thanks-and-times
else
	timeout -s INT $(MINUTES)m $(BIN)/simworld learn $(STAGE) --db planning.db --live 64
endif

bench: $(READY)  ## the benchmark of throughput, one JSON line (the others: python -m bench.NAME)
	$(BIN)/python -m bench.throughput --json

docs: $(READY)  ## the site, into build/site: offline and strict; links, and how the pages read
	$(call timed,docs,NO_MKDOCS_2_WARNING=1 OMP_NUM_THREADS=1 $(BIN)/python -m mkdocs build --strict --quiet -f docs_site/mkdocs.yml \
	  && $(BIN)/python -m docs_site.links && $(BIN)/python -m docs_site.readability)

lock: $(READY)  ## write requirements.lock from what is in .venv
	@{ head -2 requirements.lock; $(BIN)/python -m pip freeze --all --exclude-editable | grep -viE '^(pip|torch|nvidia-|cuda-|triton)' \
	  | sed -E 's/^(xllamacpp==.*)/\1 ; sys_platform == "linux" and platform_machine == "x86_64"/'; } > requirements.lock.new
	@mv requirements.lock.new requirements.lock

clean:  ## remove .venv and caches
	rm -rf $(VENV) $(OLDEST) .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist *.egg-info
