# The front door. Each target installs what it needs (image/setup).
SHELL := bash
export PATH := $(CURDIR)/target/tools/bin:$(PATH)
CARGO ?= cargo

.PHONY: help demo test test-promise test-hostile test-sandbox test-crash soak fuzz firmware lint bench cross assets test-machine test-systems setup clean image release image-lock image-twice test-image test-power deb test-deb

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: assets ## install two real (virtual) machines, one BIOS and one UEFI, before your eyes
	$(CARGO) run --release --quiet -- demo $(ARGS)

test: assets test-systems test-machine ## every test, those with real firmware and on a kernel with simulated GPIO too
	$(CARGO) test --workspace

test-promise: ## searches millions of histories for one that overwrites a disk unasked or twice (minutes)
	$(CARGO) test --profile promise -p rackberry-core --lib -- --ignored --nocapture search::

test-hostile: assets ## hostile neighbours at ten times the size of `make test`, with figures
	HOSTILE_LONG=1 $(CARGO) test --test hostile -- --nocapture --test-threads 1

test-sandbox: assets ## the service in the confinement of its unit: what that takes away, and all it must do in it
	$(CARGO) test --test sandbox --test dhcp --test faults --test files --test install --test rogue_server --test notify --test promise --test report --test switch --test tftp

test-crash: assets ## kills the service 500 times while it leases, installs, imports and reloads (CRASHES, SEED)
	CRASHES=$(or $(CRASHES),500) $(CARGO) test --test crash -- --nocapture

soak: ## a year of a rack in minutes: 10,000 installs, renewals, clocks that jump, a USB disk that comes and goes
	NODES=$(or $(NODES),100) DAYS=$(or $(DAYS),365) INSTALLS=$(or $(INSTALLS),13000) $(CARGO) test --test soak -- --nocapture

fuzz: ## searches for inputs that break a reader, FUZZ_SECONDS for each of 15 (900: three and three quarter hours)
	crates/fuzz/run $(or $(FUZZ_SECONDS),900)

firmware: assets ## each kind of real firmware from blank disk to booted disk, and the table of it
	rm -rf target/firmware
	$(CARGO) test --test firmware
	@printf '| firmware | network | ACK | kernel | installed | local disk |\n|---|---|---|---|---|---|\n'; cat target/firmware/*

bench: setup ## the service beside dnsmasq, Kea, nginx and lighttpd; ARGS="--rounds 9 --only DHCP"
	image/setup bench
	$(CARGO) bench --bench peers -- $(ARGS)

lint: setup ## formatting, clippy, licences and sources of dependencies, shell scripts
	image/setup deny
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	$(CARGO) clippy -p tokio-tftp-server --no-default-features -- -D warnings
	cargo-deny check bans licenses sources
	shellcheck -x .ci/run $$(grep -rlE '^#!/(usr/bin/env bash|bin/sh|bin/busybox sh)' crates/fuzz/run image profiles systemd tests/data)
	systemd-analyze security --offline=true --threshold=15 systemd/rackberry.service >/dev/null

cross: assets ## the Raspberry Pi's static binary, and a look at it under emulation
	image/setup cross
	$(CARGO) cross
	@! grep -qa qemu-system target/aarch64-unknown-linux-musl/release/rackberry || { echo 'make: the demo is in this binary' >&2; exit 1; }
	@ls -l target/aarch64-unknown-linux-musl/release/rackberry | awk '{ print "static aarch64 binary:", $$5, "bytes" }'
	printf '[network]\ninterface = "eth0"\n[assets]\ndirs = ["$(CURDIR)/target/demo/assets"]\nloaders = "$(CURDIR)/target/loaders"\n' >target/cross.toml
	qemu-aarch64-static target/aarch64-unknown-linux-musl/release/rackberry check --config target/cross.toml

image: cross ## the SD image, in target/image/
	image/card/build target/image

release: image deb ## what a release offers for download, in target/downloads/: make release URL=https://...
	image/release/build target/downloads "$(URL)"

image-lock: setup ## the SD image's packages at the mirror's present versions
	image/card/lock

image-twice: cross ## whether two builds of the SD image are the same, byte by byte
	image/card/twice target/image-twice

test-image: image ## starts the SD image on emulated boards; one of them installs a bare machine
	$(CARGO) test --test image -- --ignored --test-threads 1 --skip power::

test-power: image ## cuts the power of a board 30 times: first start, import, install (half an hour)
	$(CARGO) test --test image -- --ignored --nocapture power::

deb: cross ## Debian packages for hosts that people have already, in target/deb/
	image/setup deb
	$(CARGO) build --release --target x86_64-unknown-linux-musl
	$(CARGO) xtask manuals target/manuals
	for target in aarch64-unknown-linux-musl x86_64-unknown-linux-musl; do \
	  $(CARGO) deb --quiet --no-build --no-strip --target $$target --output target/deb/; done

test-deb: deb ## installs the package into bare Debian 12 and 13, and looks at its units
	image/test-deb target/deb

assets: setup ## the demo's operating system and the boot loaders, in target/
	image/loaders/build target/loaders
	image/installer/build target/loaders
	image/loaders/manifest target/loaders
	image/demo-os/build target/demo

test-systems: assets ## a live system with the real coreos-installer that a test starts, in target/
	image/setup installer
	image/fcos-live/build target/fcos-live

test-machine: setup ## the kernel with simulated GPIO that the panel's test boots, in target/
	image/gpio-vm/build target/gpio-vm

setup:
	image/setup packages

clean: ## remove what was built
	$(CARGO) clean
