# Short commands for building few. CMake does the work (CMakePresets.json); builds are in build/<preset>.
.DEFAULT_GOAL := help
.PHONY: help build demo test slow asan tsan check format bench docs install clean

PREFIX ?= /usr/local
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
deps = scripts/install-deps.sh
# $(call build,PRESET): builds the program and the library. Configures only the first time.
define build
@test -f build/$(1)/build.ninja || cmake --preset $(1)
@cmake --build --preset $(1) -j $(JOBS)
endef
# $(call build_also,PRESET,TARGETS): builds more targets. Configures again, since libraries may have been
# installed.
define build_also
@cmake --preset $(1) >/dev/null
@cmake --build --preset $(1) -j $(JOBS) --target all $(2)
endef
ctest = @ctest --preset $(1) -j $(JOBS)

help:
	@echo "make build     build the program and the library, in build/release"
	@echo "make demo      build, then run the demonstration"
	@echo "make test      build and run the tests, which takes some minutes"
	@echo "make slow      run the checks that take long; with SLOW=NAME only that one"
	@echo "make asan      run the tests with the address and undefined-behaviour sanitizers"
	@echo "make tsan      run the tests with the thread sanitizer"
	@echo "make check     run the checks that must pass before a push: format, layers, sizes, rules, docs,"
	@echo "               clang, symbols, isa, cppcheck"
	@echo "make format    format the sources with clang-format"
	@echo "make bench     build, then time the kernels"
	@echo "make docs      make docs/commands.md from the option tables and docs/images/house.svg from"
	@echo "               the code"
	@echo "make install   install into PREFIX ($(PREFIX)); DESTDIR is respected"
	@echo "make clean     remove build/"
	@echo
	@echo "Before that, $(deps) installs missing Debian packages with apt."

build:
	@$(deps) build
	$(call build,release)

demo: build
	@scripts/demo.sh build/release/few

test:
	@$(deps) build test
	$(call build_also,release,tests)
	$(call ctest,release)

# The head of test/slow/NAME.sh says what each check is for and when to run it.
slow:
	@$(deps) build test check slow
	$(call build_also,release,tests)
	@ctest --preset slow -R '^slow/$(SLOW)'

asan tsan:
	@$(deps) build test
	$(call build_also,$@,tests)
	$(call ctest,$@)

check:
	@$(deps) build test check
	@scripts/check.sh

format:
	@$(deps) build check
	@scripts/check.sh --fix format

bench:
	@$(deps) build
	$(call build_also,release,benches)
	@scripts/bench.sh build/release/bench

docs: build
	@$(deps) docs
	@build/release/few help --format markdown > docs/commands.md
	@scripts/house.py | dot -Tsvg -o docs/images/house.svg

install: build
	@cmake --install build/release --prefix $(PREFIX)
	@if [ "$$(id -u)" = 0 ] && [ -z "$$DESTDIR" ] && command -v ldconfig >/dev/null; then ldconfig; fi

clean:
	@rm -rf build
