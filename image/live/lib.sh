# shellcheck shell=bash
# What the builds of live systems share: sourced by image/demo-os/build and image/installer/build.

name=${0%/*}
name=${name##*/}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/rackberry
live=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=image/live/modules.sh
. "$live/modules.sh"

die() {
  echo "$name: $*" >&2
  exit 1
}

# find_kernel PACKAGE: sets $concrete, $package_version and $deb. PACKAGE is the empty package that follows the
# newest kernel; what it depends on holds the kernel itself.
find_kernel() {
  read -r concrete package_version < <(apt-cache show "$1" 2>/dev/null |
    sed -n 's/^Depends: \(linux-image-[^ ]*\) (= \([^)]*\)).*/\1 \2/p' | head -n 1) || true
  if [ -n "$package_version" ]; then
    deb=$cache/${concrete}_${package_version/:/%3a}_amd64.deb
    return
  fi
  # Without apt's lists an earlier download will do.
  deb=$(find "$cache" -maxdepth 1 -name "linux-image-*[0-9]${1#linux-image}_*.deb" 2>/dev/null | sort -V | tail -n 1 || true)
  [ -n "$deb" ] || die "apt knows no $1 because its lists are empty; as root, run: apt-get update"
}

# unpack_kernel WORK: fetches $deb if it is not there, and unpacks it; sets $vmlinuz and $module_folder.
unpack_kernel() {
  if [ ! -e "$deb" ]; then
    echo "$name: fetching $concrete"
    mkdir -p "$cache" "$1/download"
    # apt checks the package against Debian's signed lists.
    (cd "$1/download" && apt-get download -q "$concrete=$package_version" 2>&1) >"$1/apt.log" ||
      { cat "$1/apt.log" >&2; die "cannot fetch $concrete; if the mirror no longer has it, run as root: apt-get update"; }
    mv "$1/download/"*.deb "$deb"
  fi
  dpkg-deb -x "$deb" "$1/kernel"
  # shellcheck disable=SC2034 # for those who source this
  vmlinuz=$(find "$1/kernel/boot" -name 'vmlinuz-*')
  # Later packages have their modules below /usr only.
  [ -e "$1/kernel/lib" ] || ln -s usr/lib "$1/kernel/lib"
  module_folder=$(find "$1/kernel/lib/modules" -mindepth 1 -maxdepth 1)
  make_dependencies "$1/kernel"
}

# start_tree TREE INIT [BUSYBOX]: an initramfs with busybox (this machine's, where none is given), the given init, and
# what every live system has.
start_tree() {
  mkdir -p "$1"/{bin,dev,etc/acpi/PWRF,proc,sys,run,tmp,sysroot,var/lib,lib/modules}
  cp "${3:-$(command -v busybox)}" "$1/bin/busybox"
  ln -s busybox "$1/bin/sh"
  install -m 755 "$2" "$1/init"
  install -m 644 "$live/live.sh" "$1/lib/live.sh"
  install -m 755 "$live/udhcpc" "$1/etc/udhcpc"
  printf '#!/bin/sh\nsync\npoweroff -f\n' >"$1/etc/acpi/PWRF/00000080"
}

# copy_program PROGRAM TREE: with its libraries, at the places where its loader looks for them.
copy_program() {
  local path library
  path=$(command -v "$1") || die "$1 is missing; run: image/setup packages"
  install -D -m 755 "$path" "$2/bin/${path##*/}"
  ldd "$path" | grep -o '/[^ ]*' | while read -r library; do
    install -D "$library" "$2$library"
  done
}

# pack_tree TREE: the initramfs on standard output, the same bytes for the same files.
pack_tree() {
  chmod -R u=rwX,go=rX "$1"
  chmod 755 "$1/etc/acpi/PWRF/00000080"
  find "$1" -exec touch -h -d @0 {} +
  (cd "$1" && find . -print0 | sort -z | cpio --null --create --quiet --format newc --owner 0:0 --reproducible)
}
