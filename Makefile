# SPDX-License-Identifier: MIT
# Names for what Meson does; nothing is decided here.
.PHONY: all deps demo check bench install deb clean
BUILD ?= build
DESTDIR ?=
PREFIX ?= /usr/local
prefix ?= $(PREFIX)

all: $(BUILD)/build.ninja
	meson compile -C '$(BUILD)'

$(BUILD)/build.ninja:
	scripts/deps.sh build
	meson setup '$(BUILD)' --prefix '$(prefix)'

deps:
	scripts/deps.sh build check

demo: all
	scripts/demo.sh '$(BUILD)'

check:
	scripts/deps.sh build check
	$(MAKE) all
	scripts/check.sh '$(BUILD)'

bench: all
	meson test -C '$(BUILD)' --benchmark --verbose

install: all
	meson configure '$(BUILD)' --prefix '$(prefix)'
	scripts/install.sh '$(BUILD)' '$(DESTDIR)'

# The packages lie beside this directory then.
deb:
	scripts/deps.sh build deb
	dpkg-buildpackage -us -uc -b

clean:
	rm -rf '$(BUILD)'
