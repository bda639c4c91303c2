# Networks That Remember: `make help` lists what can be made. Works with GNU make 3.81 (macOS) and newer.
# On Windows use the lines in README.md, "On Windows".

PYTHON ?= python3# the Python that .venv is made from
WORKERS ?= 2# how many tests and notebooks run at once
LIVE_FILES ?=# a folder with the files that `make live` needs, instead of a download
TORCH_INDEX ?=# package index to take torch from, see README.md

VENV := .venv
BIN := $(VENV)/bin
PAGE := _build/html/index.html
BOOK_SOURCES := _config.yml _toc.yml $(shell find book notebooks -type f ! -name '*.pyc' ! -path '*/.ipynb_checkpoints/*')

# One thread per worker for matrix products: faster than workers that fight for cores, and the same sums every time.
SINGLE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1

.DEFAULT_GOAL := help
.PHONY: help install book test quick lab serve pdf epub offline student bench notebooks requirements clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(VENV)/.installed  ## create .venv and install everything into it

book: _build/.book  ## build the pages (strictly: a warning is an error)
	@$(BIN)/python -c 'from pathlib import Path; print("The book is at", Path("$(PAGE)").resolve().as_uri(), "(or run: make serve)")'

.PHONY: live test-live
live: _build/.book  ## make the built pages run in the browser (downloads some 200 MB, once)
	$(BIN)/python tools/live_pages.py $(if $(strip $(LIVE_FILES)),--from "$(LIVE_FILES)")

test-live: live  ## run every notebook in the browser and compare with the page (half an hour)
	$(BIN)/python tools/live_check.py

test: _build/.book  ## ruff, unit tests, browser tests, and every notebook re-run and compared
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(SINGLE_THREAD) $(BIN)/python -m pytest --nbval --nbval-current-env -n $(WORKERS) --dist loadfile tests notebooks

# One notebook a chapter, the shortest that trains something.
QUICK := $(addprefix notebooks/,$(addsuffix .ipynb,01_order 03_rnn 06_bptt 10_exploding 12_highway 14_variants 16_gru 18_deep 22_bottleneck))

quick: _build/.book  ## a good part of the tests, in minutes: one notebook a chapter, two pages
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(SINGLE_THREAD) $(BIN)/python -m pytest --quick --nbval --nbval-current-env -n $(WORKERS) --dist loadfile tests $(QUICK)

lab: $(VENV)/.installed  ## open the notebooks in JupyterLab
	$(SINGLE_THREAD) $(BIN)/jupyter lab --ServerApp.root_dir=. --LabApp.default_url=/lab/tree/notebooks

serve: _build/.book  ## show the built pages at http://127.0.0.1:8000
	$(BIN)/python -m http.server --bind 127.0.0.1 --directory _build/html 8000

pdf: _build/.book  ## the whole book as one PDF, solutions at the end: _build/paper (minutes)
	-@$(BIN)/python -m pip install --quiet pikepdf==10.18.0  # packs it to a third of its size
	$(BIN)/python tools/paper.py pdf _build/html _build/paper

epub: _build/.book  ## the same as an EPUB: _build/paper (minutes)
	$(BIN)/python tools/paper.py epub _build/html _build/paper

offline: _build/.book  ## the pages as one zip that opens without a server
	$(BIN)/python tools/offline.py _build/html _build/networks-that-remember.zip

student: $(VENV)/.installed  ## a copy without solutions, for a course: _build/student
	$(BIN)/python tools/student.py _build/student

.PHONY: autograder
autograder: $(VENV)-autograder/.installed  ## assignments with points for nbgrader, tried out: _build/autograder
	$(BIN)/python tools/autograder.py _build/autograder
	$(SINGLE_THREAD) $(VENV)-autograder/bin/python tools/autograder_check.py _build/autograder

.PHONY: slides test-slides
slides: _build/.book  ## slides of every notebook, with notes: _build/slides
	$(BIN)/python tools/slides.py _build/html _build/slides

.PHONY: sheets
sheets: _build/.book  ## a summary sheet of each chapter to print: _build/sheets
	$(BIN)/python tools/sheets.py _build/html _build/sheets

test-slides: _build/.book  ## look at every slide in a browser (make test looks at one deck)
	SLIDES=all $(BIN)/python -m pytest -n $(WORKERS) tests/test_slides.py

bench: $(VENV)/.installed  ## time our cells, and attention, against torch.nn (minutes)
	$(BIN)/python benchmarks/cells.py
	$(BIN)/python benchmarks/translate.py

notebooks: $(VENV)/.installed  ## refresh quoted helper code and re-run all notebooks in place
	$(BIN)/python tools/module_map.py
	$(BIN)/python tools/set_up.py notebooks/*.ipynb
	$(BIN)/python tools/fold.py notebooks/*.ipynb
	$(BIN)/python tools/quote.py notebooks/*.ipynb
	$(SINGLE_THREAD) $(BIN)/python tools/run_notebooks.py notebooks/*.ipynb
	$(BIN)/python tools/course.py
	$(BIN)/python tools/lessons.py
	$(BIN)/python tools/cover.py

requirements: $(VENV)/.installed  ## resolve requirements.in into requirements.txt again
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/python tools/pin.py

clean:  ## remove the built pages and caches (.venv stays: delete it by hand if you want to)
	rm -rf _build .pytest_cache .ruff_cache .hypothesis
	find assignments book notebooks src tests tools benchmarks \( -name __pycache__ -o -name .ipynb_checkpoints \) -prune -exec rm -rf {} +

# pip is the last thing that venv writes, so it stands for a complete environment.
$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' || \
	  { echo "The book runs on Python 3.11 to 3.14: for others some of its pinned packages have no" \
	         "wheels. '$(PYTHON)' is $$($(PYTHON) --version 2>&1)." \
	         "Name another one: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: requirements.txt pyproject.toml | $(BIN)/pip
	$(if $(strip $(TORCH_INDEX)),$(BIN)/python -m pip install --quiet "$$(grep '^torch==' requirements.txt)" --index-url $(TORCH_INDEX))
	$(BIN)/python -m pip install --quiet -r requirements.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

# nbgrader has an environment of its own; what it grades runs in the book's.
$(VENV)-autograder/.installed: requirements-autograder.txt $(VENV)/.installed
	$(BIN)/python -m venv $(VENV)-autograder
	$(VENV)-autograder/bin/python -m pip install --quiet -r requirements-autograder.txt
	$(BIN)/python -m ipykernel install --prefix $(VENV)-autograder >/dev/null 2>&1
	@touch $@

# From scratch each time: Sphinx repeats no warning about a page that it does not read again.
_build/.book: $(BOOK_SOURCES) $(VENV)/.installed
	rm -rf _build
	$(BIN)/jupyter-book build . -W -n --keep-going
	@touch $@
