# `make help` lists what there is.
PYTHON ?= python3
HOME_FOLDER := $(or $(RIVERHOUSE_HOME),.riverhouse)
CORE := $(HOME_FOLDER)/env/core/bin
RIVERHOUSE := $(CORE)/python -m riverhouse

.DEFAULT_GOAL := help
.PHONY: help setup up down status doctor clean test chaos bench lint lock format

help: ## show this
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Run
setup: ## install the environments and the Java parts; skips what is there
	@$(PYTHON) riverhouse/local/bootstrap.py

up: setup ## set up and start everything; returns when the first figures are there
	@$(RIVERHOUSE) up

down: setup ## stop everything; the data stays
	@$(RIVERHOUSE) down

status: ## services, topics, freshness
	@$(RIVERHOUSE) status

doctor: ## what is wrong with this machine
	@$(RIVERHOUSE) doctor

clean: ## stop everything, delete data and logs
	@$(RIVERHOUSE) clean

##@ Develop
test: setup ## all tests, two at a time, on their own ports and folders; ARGS="-k name" for some
	@$(CORE)/python -m pytest -n 2 $(ARGS)

lint: setup ## ruff and mypy
	@$(CORE)/ruff check .
	@$(CORE)/ruff format --check .
	@$(CORE)/python -m mypy

chaos: setup ## kill, pause and fill everything while events flow; N=100000 SEED=1 RUNS=10 RATE=400 ARGS=--plan
	@$(CORE)/python -m tests.chaos $(if $(N),--events $(N)) $(if $(SEED),--seed $(SEED)) $(if $(RUNS),--runs $(RUNS)) $(if $(RATE),--rate $(RATE)) $(ARGS)

bench: setup ## ours beside a bare loop, Kafka Streams, Faust, Quix Streams, Bytewax and Spark; N=200000 REPEATS=3 ARGS="--only faust"
	@$(CORE)/python -m benchmarks.throughput $(if $(N),--events $(N)) $(if $(REPEATS),--repeats $(REPEATS)) $(ARGS)

lock: setup ## pin locks/*.in anew, with hashes
	@for name in core superset spark-java bench; do $(HOME_FOLDER)/env/uv/bin/uv pip compile --quiet --universal --python-version 3.11 \
	    --generate-hashes --no-emit-index-url --no-header --no-annotate locks/$$name.in -o locks/$$name.txt; done

format: setup ## let ruff repair what it can
	@$(CORE)/ruff check --fix .
	@$(CORE)/ruff format .
