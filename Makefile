# make demo   edits the example clip (or VIDEO=path) for several emotions
# make app    starts the app in the browser
# make test   runs the style checks and the whole test suite
# make browser   drives the app in a real browser; needs Debian's chromium
# Each does its own set-up in .venv and works offline once that is done.

PYTHON ?= $(shell for p in python3.11 python3.12 python3.10 python3; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(not (3,10) <= sys.version_info < (3,13))' && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt
VIDEO ?= examples/talk.mp4
OUT ?= demo

.PHONY: demo app test browser check format clean

demo: $(VENV)/.demo
	$(BIN)/python examples/demo.py "$(VIDEO)" --out "$(OUT)"

app: $(VENV)/.app
	$(BIN)/python app.py

test: check
	$(BIN)/python -m pytest -n 2

browser: $(VENV)/.browser
	@command -v chromium >/dev/null || { echo "The browser tests need chromium: apt-get install chromium"; exit 1; }
	$(BIN)/python -m pytest tests/app/test_browser.py

check: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(VENV)/.venv:
	@test -n "$(PYTHON)" || { echo "talkedit needs Python 3.10, 3.11 or 3.12; install one or pass PYTHON=path."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.demo: $(VENV)/.venv pyproject.toml constraints.txt
	@echo "Installing talkedit into $(VENV), once; this takes a few minutes."
	$(PIP) --editable .
	@touch $@

$(VENV)/.app: $(VENV)/.demo pyproject.toml constraints.txt
	$(PIP) --editable ".[app]"
	@touch $@

$(VENV)/.test: $(VENV)/.demo pyproject.toml constraints.txt
	$(PIP) --editable ".[mcp,c2pa,test]"
	$(PIP) --no-deps moviepy proglog decorator imageio-ffmpeg # moviepy asks for an older pillow than gradio, and needs none
	@touch $@

$(VENV)/.browser: $(VENV)/.test
	$(PIP) --editable ".[browser]"
	@touch $@

clean:
	rm -rf $(VENV) $(OUT) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
