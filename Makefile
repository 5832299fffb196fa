# few - the short way in. CMake does the work (CMakePresets.json); builds lie in build/<preset>.
.DEFAULT_GOAL := help
.PHONY: help build demo test asan tsan check format bench install clean

PREFIX ?= /usr/local
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
deps = scripts/install-deps.sh
# $(call build,PRESET): configure when asked for the first time, then build.
define build
@test -f build/$(1)/build.ninja || cmake --preset $(1)
@cmake --build --preset $(1) -j $(JOBS)
endef
ctest = @ctest --preset $(1) -j $(JOBS)

help:
	@echo "make build     the program and the library, in build/release"
	@echo "make demo      build, then run the demonstration"
	@echo "make test      build, then run every test"
	@echo "make asan      the tests under the address and undefined-behaviour sanitizers"
	@echo "make tsan      the tests under the thread sanitizer"
	@echo "make check     format, layers, sizes, rules, clang, cppcheck: what must pass before a push"
	@echo "make format    let clang-format rewrite the sources"
	@echo "make bench     build, then time the kernels"
	@echo "make install   into PREFIX ($(PREFIX)); DESTDIR is respected"
	@echo "make clean     remove build/"
	@echo
	@echo "Missing Debian packages are installed with apt first, by $(deps)."

build:
	@$(deps) build
	$(call build,release)

demo: build
	@scripts/demo.sh build/release/few

test: build
	$(call ctest,release)

asan tsan:
	@$(deps) build
	$(call build,$@)
	$(call ctest,$@)

check:
	@$(deps) build check
	@scripts/check.sh

format:
	@$(deps) build check
	@scripts/check.sh --mend format

bench: build
	@scripts/bench.sh build/release/bench

install: build
	@cmake --install build/release --prefix $(PREFIX)

clean:
	@rm -rf build
