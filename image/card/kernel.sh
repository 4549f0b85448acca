# shellcheck shell=bash
# Sourced by build: for each of the two kernels, its modules, its initramfs, and what the firmware loads.

# Unpacks the packages of a kernel to $work/GROUP, and sets `release`.
unpack_kernel() {
  local deb
  mkdir "$work/$1"
  debs "$1" | while read -r deb; do
    dpkg-deb -x "$deb" "$work/$1"
  done
  module_folder=$(echo "$work/$1"/usr/lib/modules/*)
  release=$(basename "$module_folder")
  make_dependencies "$work/$1"
}

kernel_image() {
  local file
  for file in "$work/$1/boot/vmlinuz-$release" "$work/$1/usr/lib/modules/$release/vmlinuz"; do
    [ ! -e "$file" ] || echo "$file"
  done
}

# The folder of the boards' device trees; later kernels have it elsewhere, and a link at the old place.
device_trees() {
  local folder=$work/$1/usr/lib/modules/$release/dtb/broadcom
  [ -d "$folder" ] || folder=$work/$1/usr/lib/linux-image-$release/broadcom
  echo "$folder"
}

# Prints the files of the modules that modules.txt has for $1 (card, network or root), each after what it needs, of the kernel
# that was unpacked last.
module_files() {
  local where module
  while read -r where module; do
    [ "$where" != "$1" ] || with_needs "$module"
  done <"$here/modules.txt" | awk '!seen[$0]++'
}

# Puts modules into the root, unpacked: the file system compresses them, and loading is quicker.
add_modules() {
  local from=$work/$1/usr/lib/modules/$release to=$work/root/usr/lib/modules/$release file when
  for when in card network root; do
    module_files "$when"
  done | awk '!seen[$0]++' >"$work/module-files"
  while read -r file; do
    mkdir -p "$to/$(dirname "$file")"
    xz -dc "$from/$file" >"$to/${file%.xz}"
  done <"$work/module-files"
  cp "$from"/modules.{order,builtin,builtin.modinfo} "$to/"
  depmod -b "$work/root" "$release" 2>"$work/depmod.log" || { cat "$work/depmod.log" >&2; die "depmod failed for $release"; }
}

# A few static programs and the modules on the way to the card.
make_initramfs() {
  local tree=$work/$1/initramfs deb file when
  mkdir -p "$work/$1/tools" "$tree"/{bin,lib/modules}
  debs initramfs | while read -r deb; do
    dpkg-deb -x "$deb" "$work/$1/tools"
  done
  cp "$work/$1"/tools/usr/{bin/busybox,sbin/e2fsck.static} "$tree/bin/"
  ln -s busybox "$tree/bin/sh"
  install -m 755 "$here/initramfs/init" "$tree/init"
  for when in card network; do
    module_files "$when" >"$work/module-files"
    while read -r file; do
      xz -dc "$work/$1/usr/lib/modules/$release/$file" >"$tree/lib/modules/$(basename "${file%.xz}")"
      basename "${file%.xz}"
    done <"$work/module-files" >"$tree/lib/modules/$when"
  done
  find "$tree" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
  (cd "$tree" && find . -print0 | sort -z | cpio --null --create --quiet --format newc --owner 0:0 --reproducible) |
    zstd -q -19 -T1 -o "$work/$1/initramfs.zst"
}
