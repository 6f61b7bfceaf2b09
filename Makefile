# Every target has a plain form without make; see README.md.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# pip would blame the first package that has no version for this Python.
IS_FIT := import sys; (3, 11) <= sys.version_info < (3, 14) or sys.exit('The course needs Python 3.11, 3.12 or 3.13, and \
this is %d.%d; name another, for example: make run PYTHON=python3.12' % sys.version_info[:2])

.PHONY: run test lab check bench browser fidelity notebooks lock clean

$(VENV)/.run: requirements.txt pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -c "$(IS_FIT)"
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check -q -r requirements.txt
	touch $@

$(VENV)/.test: $(VENV)/.run requirements-dev.txt
	$(BIN)/python -m pip install --disable-pip-version-check -q -r requirements-dev.txt
	touch $@

run: $(VENV)/.run  ## run labs 03, 04 and 05; results and figures under runs/
	$(BIN)/python -m labs run

lab: $(VENV)/.run  ## open JupyterLab
	$(BIN)/python -m labs lab $(OPTIONS)

test: $(VENV)/.test  ## every test: units, goldens, house rules, notebooks
	$(BIN)/python -m labs test

check: $(VENV)/.test  ## lint, types, layers
	$(BIN)/python -m labs check

browser: $(VENV)/.test  ## the labs in JupyterLab in a headless Chromium, which must be installed
	$(BIN)/python -m pip install --disable-pip-version-check -q -e '.[browser]' -c requirements-dev.txt
	$(BIN)/python -m pytest tests/browser

bench: $(VENV)/.test  ## measured figures, from one run
	$(BIN)/python -m labs bench

fidelity: $(VENV)/.test  ## rewrite docs/fidelity.md from the recordings of a real control plane
	PYTHONPATH=.:tests $(BIN)/python -m golden.report

notebooks: $(VENV)/.test  ## rebuild the notebooks from their sources
	$(BIN)/python -m labs notebooks

PINS := --quiet --universal --python-version 3.11 --no-header --no-annotate --no-emit-index-url pyproject.toml

lock: $(VENV)/.test  ## pin what pyproject.toml asks for anew; versions that still fit stay
	$(BIN)/python -m pip install --disable-pip-version-check -q uv
	$(BIN)/uv pip compile $(PINS) -o requirements.txt
	$(BIN)/uv pip compile $(PINS) --extra test -o requirements-dev.txt
	echo '-e .' >> requirements.txt

clean:
	rm -rf $(VENV) runs
