# How `sam build` builds each function: a target build-<logical id> a function, run at the root of the project.
# ARTIFACTS_DIR, from SAM, is where the package goes; the shell expands it, since make would expand it twice. GOARCH
# comes from the makefile that includes this one.

# The same sources give the same bytes, wherever and whenever they are built, so that deploying them again changes
# nothing. Lambda's own user runs the program, so everybody may read it, whatever the umask is.
go_build = umask 022 && GOOS=linux GOARCH=$(GOARCH) CGO_ENABLED=0 GOFLAGS= \
	go build -trimpath -buildvcs=false -tags=lambda.norpc -ldflags='-s -w' -o "$$ARTIFACTS_DIR/bootstrap"

.PHONY: build-ProducerFunction build-TransformFunction build-VerifierFunction build-DeployerFunction

build-ProducerFunction:
	$(go_build) ./functions/producer

build-TransformFunction:
	$(go_build) ./functions/transform

build-VerifierFunction:
	$(go_build) ./functions/verify

build-DeployerFunction:
	$(MAKE) -f Makefile jar
	$(go_build) ./functions/deployer
	install -m 644 analytics/target/streamproof-analytics.jar "$$ARTIFACTS_DIR/"
