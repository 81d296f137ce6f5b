# reg's build. `make` alone explains the targets.

PREFIX ?= /usr/local
DESTDIR ?=
CFLAGS ?= -O2 -g
TOOL_CFLAGS = $(CFLAGS) -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror -Wshadow -Wmissing-prototypes -static

TYPESCRIPT := $(shell find runtime oci-schemas native-shim conformance -name '*.ts')
SCHEMAS := $(shell find oci-schemas -name '*.json')
SHIM := $(shell find native-shim -type f)
# Small C programs for tests and benchmarks: conformance/bench/floor.c becomes build/tools/floor.
TOOL_SOURCES := $(shell find conformance -name '*.c')
TOOLS := $(addprefix build/tools/,$(notdir $(TOOL_SOURCES:.c=)))

.DELETE_ON_ERROR:
.PHONY: help setup build schemas tools test fuzz test-vm test-arm64 lint newcomer format peers debian bench bench-callers conformance conformance-vm demo man install clean bench-shim endurance dist release-check reference experiments-share

help: ## explain the targets
	@echo "usage: make TARGET"
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/  \1\t\2/p' Makefile | expand -t 14

setup: ## install what is missing: Debian packages (as root) and node_modules
	@sh .ci/setup

ifdef ARCH
build: build/$(ARCH)/reg
else
build: build/reg build/containerd-shim-reg-v2 ## build the static binary build/reg, also containerd's shim, and dist/ for Node; ARCH=arm64 build/arm64/reg
endif

schemas: build/.schemas ## make validators and types from oci-schemas/

tools: $(TOOLS) ## build the C helpers of tests and benchmarks

test: build tools ## run all tests, with Debian's programs from `make debian`; TESTS="lifecycle plan/" selects files by a part of their path
	@[ -n "$(TESTS)" ] || sh conformance/reg/debian-root.sh || echo "tests that run Debian's programs are skipped"
	@case "$(TESTS)" in "" | *checkpoint*) sh conformance/checkpoint/criu.sh fetch >/dev/null || echo "tests of checkpoint and restore are skipped" ;; esac
	@node dist/conformance/run-tests.js $(TESTS)

fuzz: build tools ## give the runtime documents that are made to break it; SEEDS=1-1000 KINDS=config,process ROUNDS=5 takes as many seeds again
	@node dist/conformance/fuzz/run.js $(if $(SEEDS),--seeds $(SEEDS)) $(if $(KINDS),--kinds $(KINDS)) $(if $(ROUNDS),--rounds $(ROUNDS))

test-vm: build tools ## run the tests on cgroup v2 and under systemd, in a virtual machine; TESTS="exec" selects files, QUICK=1 takes five minutes
	@sh conformance/vm/tests.sh $(if $(QUICK),--quick,$(TESTS))

test-arm64: build/arm64/reg ## try the life of containers on arm64, in a virtual machine of that kind; after make build ARCH=arm64
	@sh conformance/vm/arm64.sh

newcomer: ## make demo and make test from a clone in a Debian root where nothing is installed; SUITE=bookworm, trixie or sid
	@sh conformance/newcomer/run.sh $(or $(SUITE),trixie)

lint: node_modules/.installed ## check formatting, style and shell syntax
	node_modules/.bin/biome check --config-path=.biome.json .
	for script in $$(find .ci native-shim runtime conformance -type f -exec grep -lE '^#!/bin/(ba)?sh' {} +); do bash -n $$script || exit 1; done

format: node_modules/.installed ## format the TypeScript sources
	node_modules/.bin/biome check --config-path=.biome.json --write .

peers: node_modules/.installed ## fetch newer crun and runc of Debian into build/peers
	sh conformance/peers.sh

debian: build/debian/.complete ## make a Debian root filesystem in build/debian, for the tests and experiments of reg-env; as root

build/debian/.complete:
	sh conformance/reg/debian-root.sh

bench: build tools ## compare with crun, runc and the C floor; ROUNDS=30 CONTENDERS=reg,crun SCENARIOS=run ALIVE=1,1000
	sh conformance/bench/bench.sh

experiments: build tools ## measure environments against images of Debian; ONLY=volume,memory QUICK=1 UPDATE=1
	sh conformance/experiments/setup.sh
	sh conformance/experiments/run.sh

experiments-share: build tools ## measure reg-env share with ten images of Debian in Podman, Docker and containerd: an hour, 10 GB; ENGINES=podman COUNTS=10 UPDATE=1
	sh conformance/callers/setup.sh podman containerd docker
	node dist/conformance/experiments/share.js $(if $(ENGINES),--engines $(ENGINES)) $(if $(COUNTS),--counts $(COUNTS)) $(if $(UPDATE),--write)

conformance: build tools ## run podman, buildah, containerd, docker and the OCI suite on reg, crun and runc; CALLERS="podman docker" QUICK=1 SUITE=trixie select
ifeq ($(SUITE),)
	@sh conformance/peers.sh
	@sh conformance/callers/setup.sh $(CALLERS)
	@node dist/conformance/callers/run.js $(if $(QUICK),--quick) $(if $(CALLERS),$(CALLERS),$(if $(QUICK),,--write)); \
	status=$$?; node dist/conformance/callers/suites.js; exit $$status
else
	@sh conformance/suites/callers.sh $(SUITE) $(if $(QUICK),--quick) $(if $(CALLERS),$(CALLERS),$(if $(QUICK),,--write))
endif

conformance-vm: build tools ## run the callers of Debian sid in a virtual machine under systemd, on cgroup v2 alone; SUITE=trixie CALLERS="podman-systemd cri-systemd" RUNTIMES=reg,crun WRITE=1
	@sh conformance/vm/callers.sh $(or $(SUITE),sid) $(if $(WRITE),--write) $(if $(RUNTIMES),--runtimes $(RUNTIMES)) $(CALLERS)

bench-callers: build tools ## measure podman run, ctr run and docker run with reg, crun and runc; ROUNDS=15 UPDATE=1
	@sh conformance/peers.sh
	@sh conformance/callers/setup.sh podman containerd docker
	@node dist/conformance/callers/bench.js $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(UPDATE),--write)

bench-shim: build tools ## measure containerd, Docker and CRI with reg's shim and with runc's: time, and memory of each pod; ROUNDS=15 PODS=1,20,200 EXECS=1000 CALLERS=cri SUITE=sid UPDATE=1
ifeq ($(SUITE),)
	@sh conformance/peers.sh
	@sh conformance/callers/setup.sh containerd docker cri
	@node dist/conformance/callers/bench-shim.js $(BENCH_SHIM)
else
	@PROGRAM=bench-shim sh conformance/suites/callers.sh $(SUITE) $(BENCH_SHIM)
endif

bench-shim: BENCH_SHIM = $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(PODS),--pods $(PODS)) $(if $(EXECS),--execs $(EXECS)) $(if $(CALLERS),--callers $(CALLERS)) $(if $(UPDATE),--write)

endurance: build tools ## what a shim of reg's costs after 10,000 containers and 3,600 execs, and how fast it answers in a storm; ONLY=storm,pods CYCLES=10000 EXECS=3600
	@node dist/conformance/shim/endurance.js $(if $(ONLY),--only $(ONLY)) $(if $(CYCLES),--cycles $(CYCLES)) $(if $(EXECS),--execs $(EXECS))

demo: ## from nothing to a container: set up, build, run, clean up
	@sh conformance/demo.sh

man: dist/.built ## write man pages and completion scripts, made of the tables of the commands, into dist/man and dist/completion
	@node dist/runtime/cli/man/build.js
	@node dist/runtime/reg-env/man.js dist

install: build man ## install reg, containerd-shim-reg-v2, reg-env, man pages, completion and examples below PREFIX (default /usr/local), inside DESTDIR
	sh runtime/cli/install.sh $(PREFIX) $(DESTDIR)
	sh runtime/reg-env/install.sh $(PREFIX) $(DESTDIR)

dist: build man ## make the release in dist/: tarballs, packages for Debian, Fedora and npm, licences, SBOM, checksums; ARCHES="amd64 arm64"
	@sh conformance/release/dist.sh

release-check: ## build the release twice and compare, install and use the packages in clean roots; SUITES="bookworm trixie sid", QUICK=1 takes less
	@bash conformance/release/check.sh $(if $(QUICK),--quick) $(SUITES)

reference: build/.schemas ## make the pages about the library, of its docstrings, in dist/reference
	@sh conformance/release/reference.sh

clean: ## remove build/ and dist/
	rm -rf build dist

# `npm ci` refuses a lock file whose optional packages for other platforms a registry does not have; `npm install` leaves them out.
# The addons of ffi-napi are compiled here: no path of the build is to be in them, and no build id, which is made of such.
node_modules/.installed: export CXXFLAGS = -ffile-prefix-map=$(CURDIR)=.
node_modules/.installed: export LDFLAGS = -Wl,-z,relro -Wl,--build-id=none
node_modules/.installed: package-lock.json
	npm ci --no-fund --no-audit --loglevel=error >/dev/null 2>&1 || npm install --no-save --no-fund --no-audit --loglevel=error
	touch $@

build/.schemas: node_modules/.installed $(SCHEMAS) $(wildcard oci-schemas/*.ts)
	@mkdir -p build
	node_modules/.bin/tsc -p oci-schemas
	node dist/oci-schemas/build.js
	touch $@

dist/.built: node_modules/.installed build/.schemas $(TYPESCRIPT) tsconfig.json
	node_modules/.bin/tsc
	touch $@

build/engine/stamp: native-shim/fetch-engine.sh native-shim/immortal.sed native-shim/fetch-debs.sh
	sh native-shim/fetch-engine.sh
	touch $@

build/seccomp/stamp: native-shim/fetch-seccomp.sh native-shim/fetch-debs.sh
	sh native-shim/fetch-seccomp.sh
	touch $@

build/reg: dist/.built build/engine/stamp build/seccomp/stamp $(SHIM)
	sh native-shim/build.sh

build/arm64/reg: dist/.built build/engine/stamp build/seccomp/stamp $(SHIM)
	ARCH=arm64 sh native-shim/build.sh

build/containerd-shim-reg-v2: build/reg
	ln -sf reg $@

vpath %.c $(sort $(dir $(TOOL_SOURCES)))
build/tools/%: %.c
	@mkdir -p build/tools
	$(CC) $(TOOL_CFLAGS) $(LDFLAGS) -o $@ $<
