# Parley. "make" lists what there is.
.DEFAULT_GOAL := help
.PHONY: help run test race lint vuln fuzz bench

GO ?= go

help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-zA-Z0-9_-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## run everything on this machine, with no account anywhere
	$(GO) run ./cmd/parley dev

test: ## the tests; needs only Go
	$(GO) test ./...

race: ## the tests under the race detector
	$(GO) test -race ./...

lint: ## gofmt, go vet, staticcheck, tidy go.mod
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo "not gofmt'ed:"; gofmt -l $$(git ls-files '*.go'); exit 1; }
	$(GO) vet ./...
	$(GO) run honnef.co/go/tools/cmd/staticcheck ./...
	$(GO) mod tidy -diff

vuln: ## known vulnerabilities; needs the vulnerability database
	@scripts/vuln

fuzz: ## every fuzz target, a few seconds each (FUZZTIME=10s)
	@scripts/fuzz $(or $(FUZZTIME),10s)

bench: ## the benchmarks, with allocations
	$(GO) test -run '^$$' -bench . -benchmem ./...
