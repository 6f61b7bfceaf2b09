# Every target has a plain form without make; see README.md.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run test lab check bench fidelity notebooks clean

$(VENV)/.run: requirements.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check -q -r requirements.txt
	touch $@

$(VENV)/.test: $(VENV)/.run requirements-dev.txt
	$(BIN)/python -m pip install --disable-pip-version-check -q -r requirements-dev.txt
	touch $@

run: $(VENV)/.run  ## run labs 03, 04 and 05; results and figures under runs/
	$(BIN)/python -m labs run

lab: $(VENV)/.run  ## open JupyterLab
	$(BIN)/python -m labs lab

test: $(VENV)/.test  ## every test: units, goldens, house rules, notebooks
	$(BIN)/python -m labs test

check: $(VENV)/.test  ## lint, types, layers
	$(BIN)/python -m labs check

bench: $(VENV)/.test  ## measured figures, from one run
	$(BIN)/python -m labs bench

fidelity: $(VENV)/.test  ## rewrite docs/fidelity.md from the recordings of a real control plane
	PYTHONPATH=.:tests $(BIN)/python -m golden.report

notebooks: $(VENV)/.test  ## rebuild the notebooks from their sources
	$(BIN)/python -m labs notebooks

clean:
	rm -rf $(VENV) runs
