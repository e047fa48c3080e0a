# emotiond: the commands for a clone. Each installs what it needs and is missing.

CARGO ?= cargo
TEST_ENV = CARGO_TERM_COLOR=$${CARGO_TERM_COLOR:-auto}

.PHONY: help build detectors deb deb-extras gpu run test test-all deb-test device-test fresh-test vm-test training-test training-nets-test models people-model people-test browser-test house-test fault-test fleet-test lint deny doc clean

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

build: ## release binary, runtime and models
	@scripts/prepare.sh build
	$(CARGO) build --release --locked

gpu: ## the runtime's accelerator for GPUs, 19 MB
	@scripts/prepare.sh gpu

deb: ## Debian package in dist/, for ARCH=amd64 or arm64; default: this machine's
	@scripts/package.sh $(ARCH)

deb-extras: ## packages of the GPU accelerator (19 MB) and of the face descriptors in dist/
	@scripts/extra-packages.sh $(ARCH)

run: ## the daemon with the first camera, or a replayed portrait; display in the terminal
	@scripts/prepare.sh run
	@$(CARGO) build --release --locked
	@scripts/run-here.sh

test: ## all that guards daily work
	@scripts/prepare.sh test
	$(TEST_ENV) $(CARGO) test --locked

test-all: training-test people-test vm-test browser-test house-test fault-test fleet-test deb-test ## the heavy tests: training toolkit, people, virtual machine, browser, Home Assistant, faults, fleet, packages, device
	@$(MAKE) device-test ARCH=amd64

detectors: ## MediaPipe's face detectors, which detector.model can name
	@scripts/prepare.sh detectors

people-model: ## the face descriptors that `emotiond people` needs, converted from an npm package
	@scripts/prepare.sh people-model
	@scripts/people-model.sh

people-test: ## the face descriptors against the code that they come from, and people with them
	@scripts/prepare.sh test-all
	@TEST=1 scripts/people-model.sh
	$(TEST_ENV) $(CARGO) test --locked --test people

training-test: ## the training toolkit's style, types and tests, in a virtual environment
	@scripts/prepare.sh test-all
	@scripts/training-tests.sh

training-nets-test: ## every net by name exported to int8, also those that nobody ships
	@scripts/training-tests.sh -m slow

models: ## the shipped model made again from DATA (see models/README.md): a night on two cores
	@scripts/models.sh $(DATA)

vm-test: ## camera and panel on a real kernel in a virtual machine
	@scripts/prepare.sh test-all
	folder=$$(scripts/release.sh amd64) && vm_usb=$$(tests/vm/usb/build.sh amd64) && tests/vm/run.sh $$folder $$vm_usb

deb-test: ## the packages: dependencies, unit, the arm64 program under emulation, all installed together
	@scripts/prepare.sh test-all
	scripts/package-tests.sh $$(scripts/package.sh amd64)
	scripts/package-tests.sh $$(scripts/package.sh arm64) $$(scripts/release.sh amd64)/emotiond
	scripts/extra-packages-tests.sh $$(scripts/package.sh amd64) $$(scripts/extra-packages.sh amd64)

device-test: ARCH ?= arm64
device-test: ## the package on a whole emulated device, ARCH=arm64 (default) or amd64: install, faults, power cut, upgrade, purge
	@scripts/prepare.sh device-test $(ARCH)
	deb=$$(scripts/package.sh $(ARCH)) && newer=$$(VERSION=99.0.0-1 scripts/package.sh $(ARCH)) && \
	    vm_usb=$$(tests/vm/usb/build.sh $(ARCH)) && \
	    tests/vm/device/run.sh $$deb $$newer $$vm_usb $${CARGO_TARGET_DIR:-target}/device-test

fresh-test: SUITES ?= bookworm trixie
fresh-test: ## `make run` and `make test` on bare Debian 12 and 13 (SUITES), then again without network
	@scripts/prepare.sh fresh-test
	scripts/fresh-test.sh $(SUITES)

house-test: ## the daemon in the real Home Assistant
	@scripts/prepare.sh test-all
	@[ -f models/people/face-descriptor.json ] || scripts/people-model.sh
	$(CARGO) build --locked --bin emotiond
	scripts/home-assistant-tests.sh $${CARGO_TARGET_DIR:-target}/debug/emotiond

fault-test: ## a table of faults of broker, connection and clock, and what a subscriber sees
	@scripts/prepare.sh test-all
	$(TEST_ENV) $(CARGO) test --locked --test faults -- --nocapture

fleet-test: ## two hundred devices on one broker that is killed and started, with figures
	@scripts/prepare.sh test-all
	$(TEST_ENV) $(CARGO) test --locked --test fleet -- --nocapture

browser-test: ## the page in a real browser, the API against its own document
	@scripts/prepare.sh test-all
	$(CARGO) build --locked --bin emotiond
	scripts/browser-tests.sh

lint: ## formatting, clippy, and shellcheck of the scripts
	@scripts/prepare.sh lint
	$(CARGO) fmt --check
	git ls-files '*.sh' | xargs shellcheck -x
	$(CARGO) clippy --locked --all-targets --test faults --test fleet --test people -- -D warnings

deny: ## licences, bans and sources of all dependencies
	@scripts/deny.sh

doc: ## the crate's documentation, without warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps --document-private-items

clean: ## removes what was built; downloads stay in the cache
	$(CARGO) clean
	rm -rf third_party models/detectors/face-*.tflite models/people/face-descriptor*
