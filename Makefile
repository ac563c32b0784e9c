# Parley. "make" lists what there is.
.DEFAULT_GOAL := help
.PHONY: help image-binary run test test-emulators test-page race torture mutate lint vuln fuzz bench pictures

GO ?= go

help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-zA-Z0-9_-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## run everything on this machine, with no account anywhere
	$(GO) run ./cmd/parley dev

test: ## the tests; needs only Go
	$(GO) test ./...

test-emulators: ## the contract suites on AWS emulators; needs mvn, Java 17 and Python
	@scripts/emulators run -- $(GO) test -count=1 -run OnEmulator ./pkg/sqsqueue/... ./pkg/dynamostore/... ./pkg/secrets

test-page: ## the chat page in a real browser; needs Chromium
	$(GO) test ./test/page -chromium -count=1 -v

race: ## the tests under the race detector
	$(GO) test -race -timeout 40m ./...

lint: ## gofmt, go vet, staticcheck, tidy go.mod
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo "not gofmt'ed:"; gofmt -l $$(git ls-files '*.go'); exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	$(GO) mod tidy -diff

vuln: ## known vulnerabilities; needs the vulnerability database
	@scripts/vuln

# What the ordinary tests do, many times over; the race detector has had its turn there.
torture: ## kill the program 50 times at random moments, replay 1,000 letters, play many random histories
	E2E_KILLS=50 $(GO) test -count=1 -run RealBinary -v ./test/e2e
	$(GO) test -timeout 40m -count=1 ./test/explore -explore.random 3000
	$(GO) test -timeout 40m -count=1 -run 'AfterAnOutage|RandomHistories' ./test/torture -torture.letters 1000 -torture.random 100

mutate: ## break every guard of the protocol; fails if no test notices (minutes)
	$(GO) test ./test/mutate -mutate -count=1 -v -timeout 90m

pictures: ## draw the pictures of docs/slack.md anew from the blocks
	go test ./pkg/slack/slackapi -run 'TestPictures$$|TestPictureOfHome' -update

fuzz: ## every fuzz target, a few seconds each (FUZZTIME=10s)
	@scripts/fuzz $(or $(FUZZTIME),10s)

bench: ## the benchmarks, with allocations
	$(GO) test -run '^$$' -bench . -benchmem ./...

# --- Deployment. ARCHITECTURE must match the template's parameter of that name.

.PHONY: build template-check
ARCHITECTURE ?= arm64
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
export ARCHITECTURE VERSION

build: ## the functions with SAM (ARCHITECTURE=arm64 or x86_64)
	sam build --parameter-overrides Architecture=$(ARCHITECTURE)

template-check: ## template.yaml with cfn-lint and the SAM CLI; installs them apart
	@scripts/lint-template

# "sam build" calls these, with ARTIFACTS_DIR. Static and stripped; lambda.norpc
# leaves out a protocol that this runtime never speaks.
lambda = CGO_ENABLED=0 GOOS=linux GOARCH=$(subst x86_64,amd64,$(ARCHITECTURE)) $(GO) build -trimpath \
	-tags lambda.norpc$(tags) -ldflags "-s -w -X main.version=$(VERSION)" -o "$(ARTIFACTS_DIR)/bootstrap" ./functions/

# The services that the ingress calls speak HTTP/1.1: it starts without HTTP/2.
build-IngressFunction: tags = ,nethttpomithttp2
build-IngressFunction: ; $(lambda)ingress
build-WorkerFunction: ; $(lambda)worker
build-ControlFunction: ; $(lambda)worker
build-SyncFunction: ; $(lambda)worker
build-ResponderFunction: ; $(lambda)responder
build-InvocationLoggingFunction: ; $(lambda)invocationlog

.PHONY: rehearsal coldstart
rehearsal: ## the deployment on this machine: the template, the real binaries, people talking (minutes)
	$(GO) test ./test/rehearsal -rehearse -count=1 -v

coldstart: ## how fast and how large the functions are, beside one that does nothing
	$(GO) test ./test/coldstart -measure -count=1 -v

image-binary: ## the connector's static binary, for the Dockerfile (GOARCH=arm64)
	CGO_ENABLED=0 GOOS=linux GOARCH=$(or $(GOARCH),arm64) $(GO) build -trimpath -ldflags "-s -w" -o dist/connector/parley ./cmd/parley
