# Every step of CI is a target. A recipe is one line, a script in .ci, or a Go
# program. Nothing needs Docker.

# Go does not stamp the commit into binaries, so the same source gives the same bytes.
export GOFLAGS := $(strip $(filter-out -buildvcs=%,$(GOFLAGS)) -buildvcs=false)

ARCH ?= arm64
FUNCTIONS := $(patsubst functions/%/main.go,%,$(wildcard functions/*/main.go))
# The race detector needs a C compiler; without one Go sets CGO_ENABLED=0.
RACE := $(if $(filter 1,$(shell go env CGO_ENABLED)),-race)
# A race-enabled program waits a second before it exits, for races of what it
# left running. That is minutes, over all packages and commands of the scripts,
# and the tests end what they start.
export GORACE := atexit_sleep_ms=10
TOOL := go tool -modfile=tools.mod

# The CDK's runtime for Go has data races of its own, so what uses it is tested
# apart, and never compiled for the race detector. Nor are the proof of access
# and the measurements, which have no goroutine, and take six times as long.
JSII := ./infra ./infra/cdk/...
SERIAL := ./infra/access ./test/bench/...
# What fails every call in turn, or runs the command many hundred times, takes
# five times as long under the race detector. So it runs a sample there, by
# -short, and the whole without it.
WHOLE := ./infra/keyturn ./shared/keysfile ./shared/ledger ./shared/ledger/s3 ./shared/provider/... ./shared/providertest ./shared/retire ./shared/trail ./test/fault ./test/leak ./test/rights
PURE = $(shell go list ./... | grep -vE '/infra$$|/(infra/cdk|infra/access|test/bench)(/|$$)')
# Says that Node 20 is past its support date on every run.
export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION ?= 20
CDK := infra/node_modules/.bin/cdk

.DEFAULT_GOAL := help
need = $(if $($1),,$(error $@ needs $1=..., see `make help`))

##@ Start here

.PHONY: help
help: ## List every target
	@awk -F ':.*## ' '/^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
# Built as the functions are, so that both share what was compiled.
demo: ## Watch whole rotations on this machine, in about a minute
	CGO_ENABLED=0 go run -trimpath ./test/demo

.PHONY: test
test: fmt-check vet ## Run all tests, offline; the long ones whole without the race detector
	@test -d "$${KEYTURN_REFERENCE:-../shared}" || echo "the reference folder is not there: recorded answers and vendors' descriptions are not compared"
	@$(if $(RACE),,$(warning no C compiler, so no race detector))go test $(RACE) -short -vet=off -shuffle=on -timeout=6m $(PURE)
	go test -vet=off -timeout=6m $(WHOLE) $(JSII) $(SERIAL)
	cd test/cdkapp && go test -vet=off -timeout=6m ./...

.PHONY: test-real
test-real: ## Rotate keys of a real Gitea, Vault and Redis; drive the local AWS with Debian's clients (downloads)
	go test -tags=real -p=1 -parallel=6 -v -count=1 -timeout=45m ./test/real/...

.PHONY: test-aws
# It ships unrun: nobody has run it on AWS yet.
test-aws: build $(CDK) ## UNRUN so far. Deploy to your own test account, rotate, compare, remove: under a dollar, an hour
	go test -tags=aws -v -count=1 -timeout=150m ./test/aws/account

##@ Run

.PHONY: local
local: ## Serve the local AWS until interrupted: LISTEN=127.0.0.1:4566
	go run ./infra/keyturn local --listen "$${LISTEN:-127.0.0.1:4566}"

.PHONY: invoke
invoke: ## Give a function a sample event: FUNCTION=rotate EVENT=create-secret
	$(call need,FUNCTION)$(call need,EVENT)go run ./test/invoke "$$FUNCTION" "$$EVENT"

.PHONY: rotate-now
rotate-now: ## Rotate one key now: KEY=prod/mailer/sendgrid REASON="why"
	$(call need,KEY)$(call need,REASON)go run ./infra/keyturn rotate-now "$$KEY" --reason "$$REASON"

##@ Deploy

# --ignore-scripts: the CDK CLI needs none, and a package that has one must not run it.
$(CDK): infra/package-lock.json
	npm ci --prefix infra --ignore-scripts --no-audit --no-fund --silent
	touch $@

# The CDK app and the command read the same file.
synth diff deploy destroy: export KEYTURN_CONFIG ?= $(KEYTURN_FILE)
in := $(if $(ENVIRONMENT),--environment $(ENVIRONMENT))

.PHONY: synth
# --ci: what the CDK's command says goes to stdout, and what is wrong to stderr.
# So the last line is the app's: stacks, resources, keys and what was proven.
synth: build $(CDK) ## Make and prove the templates of keyturn.yaml: ENVIRONMENT=prod
	@$(CDK) synth --quiet --ci >/dev/null $(if $(ENVIRONMENT),-c environment=$(ENVIRONMENT))

.PHONY: diff
diff: build $(CDK) ## Compare them with what is deployed, and reach with BASE=git:origin/main
	$(if $(BASE),go run ./infra/keyturn diff --security "$(BASE)" || test $$? -eq 4)
	$(CDK) diff $(if $(ENVIRONMENT),-c environment=$(ENVIRONMENT))

.PHONY: deploy
deploy: build $(CDK) ## Check the account, then deploy; asks before it widens a right
	go run ./infra/keyturn preflight $(in)
	$(CDK) deploy --all --require-approval broadening $(if $(ENVIRONMENT),-c environment=$(ENVIRONMENT))

# By the stacks' names, for NAME-retained has to stay, and is protected.
.PHONY: destroy
destroy: build $(CDK) ## List what is pending and what stays, then remove the rest: YES=1
	go run ./infra/keyturn leftovers $(in) $(if $(YES),--yes)
	$(CDK) destroy $(if $(YES),--force) $(if $(ENVIRONMENT),-c environment=$(ENVIRONMENT)) '*-schedules-*' '*-keys-*' '*-vendor-*' '*-watch' '*-platform'

##@ Build

.PHONY: build
build: $(FUNCTIONS:%=dist/%/bootstrap) ## Build the functions for Lambda into dist: ARCH=arm64 or amd64

# Go knows what is out of date.
.PHONY: FORCE
dist/%/bootstrap: FORCE
	GOOS=linux GOARCH=$(ARCH) CGO_ENABLED=0 go build -tags=lambda.norpc -trimpath -ldflags='-s -w -buildid=' -o $@ ./functions/$*

.PHONY: generate
generate: ## Write the generated files
	go generate ./...

.PHONY: generate-check
generate-check: ## Fail if a generated file is not up to date
	.ci/generate-check

.PHONY: clean
clean: ## Remove what was built here (the cached Gitea stays)
	rm -rf dist cdk.out

##@ Check

.PHONY: check
check: fmt-check lint test generate-check ## All that a change must pass

.PHONY: fmt
fmt: ## Format the code
	$(TOOL) golangci-lint fmt

.PHONY: fmt-check
fmt-check: ## Fail if a file is not formatted
	@files=$$(gofmt -l .); test -z "$$files" || { echo "run make fmt, these are not formatted:" "$$files" >&2; exit 1; }

.PHONY: vet
vet: ## Run go vet
	@go vet $(RACE) -tags=real,aws $(PURE)
	go vet $(JSII) $(SERIAL)
	cd test/cdkapp && go vet ./...

.PHONY: lint
lint: ## Run golangci-lint (the first time builds it: 3 minutes)
	$(TOOL) golangci-lint config verify
	$(TOOL) golangci-lint run

.PHONY: cover
cover: ## Measure what the tests cover, into dist/cover.out
	@mkdir -p dist
	go test -vet=off -timeout=6m -coverpkg=./functions/...,./infra/...,./shared/... -coverprofile=dist/cover.out ./...
	go tool cover -func=dist/cover.out | tail -n 1

.PHONY: leak
leak: ## Look for secrets in what is said under every fault, not a sample (long)
	go test ./test/leak -all -timeout=3h

.PHONY: fault
fault: ## Crash, fail and race whole rotations at every call (long): FROM=5000 for other seeds
	go test -c -o dist/fault.test ./test/fault
	cd test/fault && ../../dist/fault.test -all -from=$${FROM:-0} -test.timeout=3h

.PHONY: fuzz
fuzz: ## Run each fuzz test: FUZZTIME=30s
	.ci/fuzz

.PHONY: mutants
mutants: ## Break the code on purpose, a mutant at a time: the tests must find each (long)
	cd test/mutants && go test -count=1 -run='^TestMutants$$' -all -timeout=3h

.PHONY: bench
bench: ## Print the figures, one per line: name value unit
	go run ./test/bench/figures
	go run ./test/bench/trail

.PHONY: tools
tools: ## Build the pinned tools of tools.mod, to have them at hand
	go build -modfile=tools.mod -o dist/tools/ tool

.PHONY: vuln
vuln: ## Look for known vulnerabilities (asks vuln.go.dev, so not part of check)
	$(TOOL) govulncheck ./...
