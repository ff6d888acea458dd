# Everything that is done to this repository by hand or by CI. `make` lists it.

BENCH  ?= .
COUNT  ?= 6
TIME   ?= 60s
SESSIONS ?= 1000

.DEFAULT_GOAL := help
.PHONY: help run test test/race test/short lint fmt bench fuzz soak sim cut mutate conformance generate verify ci

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z\/]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## build the server and start the demo
	go build -o bin/remuda ./server/cmd/remuda
	@exec bin/remuda demo

test: ## run all tests of all modules; installs what they need
	scripts/deps test
	scripts/test

test/race: ## run the tests of the library and the drivers under the race detector
	scripts/deps race
	scripts/test -race ./... ./driver/...

test/short: ## run the fast tests only, with nothing installed
	go test -short work

lint: ## lint all modules
	scripts/lint

fmt: ## format all Go files
	scripts/fmt

bench: ## run the benchmarks that match BENCH, COUNT times
	go test -run='^$$' -bench='$(BENCH)' -benchmem -count=$(COUNT) ./... ./driver/... ./server/... ./bench/...

fuzz: ## fuzz every target for TIME
	scripts/fuzz $(TIME)

soak: ## run the tests with large counts: a thousand kill -9, histories for minutes
	REMUDA_SOAK=1 REMUDA_STORETEST_HISTORY=10m go test -count=1 -timeout=24h ./store/... ./driver/... .
	REMUDA_SOAK=1 go test -count=1 -timeout=24h -run 'TestKillUnderLoad' -v ./server

sim: ## play honest clients and thieves against rotation; writes docs/rotation-simulation.*
	go test -count=1 -v -timeout=1h ./internal/sim -run 'TestSimulation$$' -sim.sessions=$(SESSIONS) -sim.out=../../docs

cut: ## cut a node off the revocation log for real; draws docs/revocation-cut.svg
	go test -count=1 ./bench -run 'TestCut$$' -cut.out=$(CURDIR)/docs

conformance: ## write docs/conformance.md from the requirements that tests name
	go run ./internal/conformance/write

mutate: ## break the state machine of rotation in every place; a test must go red
	scripts/mutate && scripts/mutate -planted

generate: ## write generated files anew
	go generate work

verify: ## check that formatting, requirements and repository are as they should be
	scripts/fmt --check
	scripts/check-repo
	scripts/tidy --check
	scripts/build-alone
	go vet work

ci: ## run what CI runs
	.ci/run
