# A thin front for CMake: everything here is one or two commands that you can run yourself.
.PHONY: all deps build-deps build tests demo check bench scale hostile kill-sweep upgrade-wider fuzz vmtest install lint sanitize clean
.PHONY: deb rpm check-package cockpit check-cockpit
all: build

deps:        ## install what building, testing and linting need (apt, dnf)
	@scripts/install-deps

build-deps:  ## install what building the program needs
	@scripts/install-deps build

# Without the tests until they are asked for: half of the time, and of the packages.
build:       ## build/vnet-bpf
	@cmake --preset default $(if $(wildcard build/CMakeCache.txt),,-DVNET_TESTS=OFF --log-level=NOTICE)
	@cmake --build --preset default --target product

tests:       ## the program and the tests
	@cmake --preset default -DVNET_TESTS=ON $(if $(wildcard build/CMakeCache.txt),,--log-level=NOTICE)
	@cmake --build --preset default

demo:        ## the main job, live, in throw-away namespaces
	@scripts/install-deps demo
	@$(MAKE) --no-print-directory build
	@scripts/demo

check: deps tests  ## all tests, lint and sanitizers
	@scripts/check

bench: deps tests  ## against a bridge with libvirt's nftables rules, in namespaces; under 10 minutes
	@tests/bench/bench $(BENCH)

scale: deps tests  ## a thousand ports, a million sessions; about 5 minutes
	@tests/bench/scale

hostile: tests   ## mutated frames of hostile guests into all networks at once, in namespaces [FRAMES=1000000] [SEED=N]
	@build/hostile_guest $(if $(FRAMES),--frames $(FRAMES)) $(if $(SEED),--seed $(SEED))

kill-sweep: deps tests  ## every verb killed after each of its calls, traffic watched [VERB='detach g1'] [PART=K/N]
	@VNET_KILL_VERB='$(VERB)' VNET_KILL_ALL=$(if $(PART),0,1) VNET_KILL_PART=$(PART) build/kill_tests

upgrade-wider: deps tests  ## upgrades to a version with another layout of sessions and back, under traffic
	@cmake --build build --target wider
	@ctest --test-dir build --output-on-failure -R 'upgrade\.(NothingIsLostWhere|ANewer)'

fuzz: deps   ## the readers of XML, rule sets, leases and records under libFuzzer [SECONDS=60] [READER=networks]
	@scripts/fuzz $(or $(SECONDS),60) $(READER)

vmtest: deps tests   ## the tests on other kernels in QEMU [KERNEL=6.1|6.12|all|running|guests] [TESTS=regex] [RECORD=1]
	@vmtest/vmtest run $(or $(KERNEL),all) $(if $(TESTS),--tests '$(TESTS)') $(if $(RECORD),--record)

lint: build  ## clang-format and clang-tidy, as in CI
	@scripts/lint

sanitize:    ## the unit tests and the fuzzed readers with ASan and UBSan, as in CI
	@scripts/sanitize

cockpit:     ## the page for Cockpit: cockpit/dist (npm), which deb and rpm then pack
	@scripts/install-deps page
	@cd cockpit && npm ci --silent && npm run --silent build

check-cockpit: build  ## the page's tests, with a browser and the real Cockpit in namespaces
	@scripts/install-deps cockpit
	@$(MAKE) --no-print-directory cockpit
	@cd cockpit && npm test --silent

deb:         ## dist/*.deb, for the Debian or Ubuntu that it is built on
	@scripts/install-deps package
	@packaging/make-deb dist

rpm:         ## dist/*.rpm, by rpmbuild, from the last commit
	@scripts/install-deps package
	@packaging/make-rpm dist

check-package:  ## packages built, installed, used and purged in fresh Debian 12 and 13; long  [SUITE=trixie]
	@tests/package/fresh $(or $(SUITE),bookworm trixie)

install: build
	@cmake --install build --strip

clean:
	@rm -rf build build-sanitize build-fuzz dist cockpit/dist cockpit/.test
