# A thin front for CMake: everything here is one or two commands that you can run yourself.
.PHONY: all deps build demo check bench scale hostile kill-sweep vmtest install lint clean
all: build

deps:        ## install what building, testing and the demo need (Debian 12)
	@scripts/install-deps

build:       ## build/vnet-bpf and the tests
	@cmake --preset default $(if $(wildcard build/CMakeCache.txt),,--log-level=NOTICE)
	@cmake --build --preset default

demo: deps build   ## the main job, live, in throw-away namespaces
	@scripts/demo

check: deps build  ## all tests
	@scripts/check

bench: deps build  ## against a bridge with libvirt's nftables rules, in namespaces; under 10 minutes
	@tests/bench/bench $(BENCH)

scale: deps build  ## a thousand ports, a million sessions; about 5 minutes
	@tests/bench/scale

hostile: build   ## mutated frames of hostile guests into all networks at once, in namespaces [FRAMES=1000000] [SEED=N]
	@build/hostile_guest $(if $(FRAMES),--frames $(FRAMES)) $(if $(SEED),--seed $(SEED))

kill-sweep: deps build  ## every verb killed after each of its calls, traffic watched [VERB='detach g1'] [PART=K/N]
	@VNET_KILL_VERB='$(VERB)' VNET_KILL_ALL=$(if $(PART),0,1) VNET_KILL_PART=$(PART) build/kill_tests

vmtest: deps build   ## the tests on other kernels in QEMU [KERNEL=6.1|6.12|all|running|guests] [TESTS=regex] [RECORD=1]
	@vmtest/vmtest run $(or $(KERNEL),all) $(if $(TESTS),--tests '$(TESTS)') $(if $(RECORD),--record)

lint:        ## clang-format and clang-tidy, as in CI
	@scripts/lint

install: build
	@cmake --install build

clean:
	@rm -rf build build-sanitize
