# Tasks of developers. `make help` lists them, and CONTRIBUTING.md says when to run which. Every change must pass
# `make test`.

CONFIGURATION ?= release

# All targets of this file share one build folder and one set of flags. So nothing is built twice, and the tests run the
# same programs that users get. With `@testable` imports a release build would need another build of every module. No
# test uses them, because the Swift targets of this package see each other's `package` declarations.
SWIFT_FLAGS = --configuration $(CONFIGURATION) --scratch-path .build
WITHOUT_TESTABLE_release = --disable-testable-imports
TEST_FLAGS = $(SWIFT_FLAGS) $(WITHOUT_TESTABLE_$(CONFIGURATION))

# Limits the number of parallel tests. If hundreds ran at once, each would take as long as all together, and exceed its
# time limit.
export SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH ?= 6

# Slow tests, which `make check` leaves out: thousands of simulated seeds, replays, and tests with real S3 servers.
SLOW_TESTS = SimulatorTests|ReplayTests|S3StoreTests.ConformanceTests|RealServerTests

SEEDS ?= 100000
KILLS ?= 1000
SECONDS ?= 60

.PHONY: help build build-bench check test lint format interfaces test-links test-long demo simulate crashes torture sanitize fuzz \
	fuzz-seeds bench bench-smoke hostile deps deps-system deps-tools

help:
	@echo 'make test     installs what is missing, builds, checks the form and runs all tests'
	@echo 'make check    the same with the unit tests only'
	@echo 'make demo     kills an upload in the middle and resumes it; FILE=path or SIZE=64MiB of random bytes'
	@echo 'make test-links  files over satellite, lossy, slow and broken links, in network namespaces (as root)'
	@echo 'make test-long   every pair of kills between the calls to S3; 1 GiB with a cut every second (an hour or so)'
	@echo 'make simulate transfers with every fault in them, a seed each; SEEDS=100000'
	@echo 'make crashes  an upload with a crash after every operation, and after every pair of them'
	@echo 'make hostile  what attackers do to a gateway, and what it serves and holds meanwhile, in figures'
	@echo 'make torture  kills agents and gateways while they send a tree over a bad link; KILLS=1000'
	@echo 'make sanitize runs the tests with the thread sanitizer, then with the address sanitizer (builds each anew)'
	@echo 'make fuzz     libFuzzer with the address sanitizer on all that reads from outside; SECONDS=60 for each'
	@echo 'make bench    what things cost beside s5cmd and curl, into a null S3 and JuiceFS, and over long links (as root)'
	@echo 'make bench-smoke  whether sending has become dearer: calls for memory against limits in git'
	@echo 'make build    builds the programs'
	@echo 'make lint     checks the form of the sources; make format mends most of it'
	@echo 'make interfaces  writes Documentation/interfaces.md again, from the code'
	@echo 'make deps     installs what is missing: deps-system (as root, or it prints the command), deps-tools (in .venv*)'
	@echo 'CONFIGURATION=debug with any of them for a debug build'

deps: deps-system deps-tools

deps-system:
	@Tests/Tools/deps system

deps-tools: deps-system
	@Tests/Tools/deps tools

# Builds only the two programs. A plain `swift build` would also build the tests and their tools: twice the work.
build: deps-system
	swift build $(SWIFT_FLAGS) --product sluice-agent
	swift build $(SWIFT_FLAGS) --product sluice-gateway

build-bench: deps-system
	swift build $(SWIFT_FLAGS) --product sluice-tls-bench

lint:
	swift format lint --strict --recursive Package.swift Sources Tests Examples

format:
	swift format --in-place --recursive Package.swift Sources Tests Examples

# Writes the page about interfaces again. Needed after a change of a command, an exit code or a JSON object.
interfaces: deps-system
	SLUICE_WRITE_INTERFACES=1 swift test $(TEST_FLAGS) --filter InterfacesPageTests

check: deps lint
	swift test $(TEST_FLAGS) --skip "EndToEndTests|Relay|$(SLOW_TESTS)"

# Some tests would exceed their time limits if other tests ran beside them, so they run alone: the end-to-end tests, and
# the tests whose names contain `Relay`. Each Relay test runs a gateway, an agent and a store in one process.
test: check
	swift test $(TEST_FLAGS) --filter "$(SLOW_TESTS)"
	Tests/Tools/end-to-end "$$(swift build $(SWIFT_FLAGS) --show-bin-path)"
	swift test $(TEST_FLAGS) --filter Relay

test-links: deps build
	Tests/Tools/links "$$(swift build $(SWIFT_FLAGS) --show-bin-path)"

test-long: deps
	SLUICE_LONG_TESTS=1 swift test $(TEST_FLAGS) --filter "LongTests|RelayFaultTests"

simulate:
	swift run $(SWIFT_FLAGS) sluice-simulate --seeds $(SEEDS)
	swift run $(SWIFT_FLAGS) sluice-simulate --folders --seeds $(SEEDS)

# Simulates one upload again and again: with a crash after each operation, and then with two crashes, for every pair of
# operations.
crashes:
	swift run $(SWIFT_FLAGS) sluice-simulate --crashes

hostile: deps
	swift test $(TEST_FLAGS) --filter HostileTests

torture: deps build
	swift run $(SWIFT_FLAGS) sluice-torture --kills $(KILLS)

sanitize: deps
	Tests/Tools/sanitize thread
	Tests/Tools/sanitize address

fuzz: deps
	@Tests/Tools/fuzz $(SECONDS) $(TARGET)

# Writes the seeds of the fuzzing corpus again. Needed after a change of the golden vectors or of the input format of a
# fuzz target.
fuzz-seeds: deps-system
	swift run $(SWIFT_FLAGS) sluice-fuzz seeds Protocol/vectors Tests/Fuzzing/Corpus

bench: deps build build-bench
	Tests/Tools/bench "$$(swift build $(SWIFT_FLAGS) --show-bin-path)" $(ROWS)

bench-smoke: deps build build-bench
	Tests/Tools/bench-smoke "$$(swift build $(SWIFT_FLAGS) --show-bin-path)"

demo: build
	@FILE='$(FILE)' SIZE='$(SIZE)' Tests/Tools/demo "$$(swift build $(SWIFT_FLAGS) --show-bin-path)"
