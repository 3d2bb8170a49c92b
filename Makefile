# The commands of this repository; each is a few lines of scripts/. Any make from 3.81 on will do.
.DEFAULT_GOAL := help
.PHONY: help run test check prove bench format migrate lock

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1|/' | awk -F '|' '{ printf "make %-9s %s\n", $$1, $$2 }'

run: ## start portal, worker and WeChat Pay sandbox; Ctrl-C stops them
	@scripts/install.sh
	@exec .venv/bin/python -m scripts.run

test: ## everything: checks, tests on SQLite, MariaDB and MySQL, browser tests
	@scripts/test.sh

check: ## the fast part of the tests, five minutes
	@scripts/check.sh

prove: ## the long proof that delivery is exactly once, half an hour; PROVE_SEED=… repeats a run
	@scripts/prove.sh

format: ## put the code into its one form
	@scripts/install.sh dev
	@.venv/bin/ruff format .
	@.venv/bin/ruff check --fix .

bench: ## how fast each path is, beside a program without a framework (25 minutes)
	@scripts/install.sh dev mysql
	@.venv/bin/python -m bench

migrate: ## bring the database that DATABASE_URL names up to date
	@scripts/install.sh
	@.venv/bin/python -m flask --app wsgi db upgrade

lock: ## write requirements*.txt anew from pyproject.toml
	@scripts/lock.sh
