# few - the short way in. CMake does the work (CMakePresets.json); builds lie in build/<preset>.
.DEFAULT_GOAL := help
.PHONY: help build demo test slow asan tsan check format bench docs install clean

PREFIX ?= /usr/local
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
deps = scripts/install-deps.sh
# $(call build,PRESET): the program and the library; configured the first time.
define build
@test -f build/$(1)/build.ninja || cmake --preset $(1)
@cmake --build --preset $(1) -j $(JOBS)
endef
# $(call build_also,PRESET,TARGETS): configured again, for what was installed since.
define build_also
@cmake --preset $(1) >/dev/null
@cmake --build --preset $(1) -j $(JOBS) --target all $(2)
endef
ctest = @ctest --preset $(1) -j $(JOBS)

help:
	@echo "make build     the program and the library, in build/release"
	@echo "make demo      build, then run the demonstration"
	@echo "make test      build with the tests, then run them, some minutes"
	@echo "make slow      the checks that take long, or with SLOW=NAME that one"
	@echo "make asan      the tests under the address and undefined-behaviour sanitizers"
	@echo "make tsan      the tests under the thread sanitizer"
	@echo "make check     format, layers, sizes, rules, clang, cppcheck: what must pass before a push"
	@echo "make format    let clang-format rewrite the sources"
	@echo "make bench     build, then time the kernels"
	@echo "make docs      docs/commands.md from the option tables, docs/images/house.svg from the code"
	@echo "make install   into PREFIX ($(PREFIX)); DESTDIR is respected"
	@echo "make clean     remove build/"
	@echo
	@echo "Missing Debian packages are installed with apt first, by $(deps)."

build:
	@$(deps) build
	$(call build,release)

demo: build
	@scripts/demo.sh build/release/few

test:
	@$(deps) build test
	$(call build_also,release,tests)
	$(call ctest,release)

# What each is for, and when it has to be run: the head of test/slow/NAME.sh.
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
