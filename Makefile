# A memo, not a build system: every target is one command line, and works without make as well.

FUZZTIME ?= 60s

.DEFAULT_GOAL := help
.PHONY: help run test quick race lint fuzz bench store crash interop full cross peers generate clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## */  make \1	/' | expand -t 18

run: ## start the broker on its standard ports, loopback only
	@go run ./cmd/warren serve

test: ## everything that a change must pass: peers, vet, staticcheck, the floor plan, race detector, a sample of interop
	@.ci/test

quick: ## all packages without the race detector
	@go test -shuffle=on ./...

race: ## all packages under the race detector
	@go test -race -shuffle=on ./...

lint: ## vet, staticcheck and the floor plan
	@go vet ./... && go tool staticcheck ./... && go test ./internal/arch

fuzz: ## every fuzz target for FUZZTIME (default 60s)
	@.ci/fuzz $(FUZZTIME)

bench: ## every Go benchmark six times, for benchstat, into .build/bench.txt
	@mkdir -p .build && go test -run '^$$' -bench . -benchmem -count 6 ./... | tee .build/bench.txt

store: ## the store's harnesses at length: crashes, failing calls, rot (a quarter of an hour)
	@.ci/store

crash: ## a real broker under load: killed, and its power cut, 100 times each; a full disk (ten minutes)
	@cd interop && WARREN_INTEROP_SAMPLE=full go test -count=1 -v -timeout 1h ./crash

interop: ## other people's programs against a real warren: all cases
	@WARREN_INTEROP_SAMPLE=full .ci/interop

full: ## make test with every interop case and 100 kills, then the store at length, fuzz, nested modules and cross builds
	@WARREN_INTEROP_SAMPLE=full .ci/test && .ci/store && .ci/fuzz $(FUZZTIME) && .ci/modules && .ci/cross

cross: ## static binaries for linux, darwin and windows into dist/
	@.ci/cross

peers: ## install the programs that tests talk to (Debian, as root), or say which are missing
	@.ci/peers

generate: ## regenerate what is generated
	@go generate ./...

clean: ## remove what the targets above leave
	@rm -rf dist .build warren
