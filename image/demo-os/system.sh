# shellcheck shell=bash
# Sourced by build: kernel and initramfs.
#
# unpack_ARCHITECTURE WORK: the kernel as WORK/vmlinuz, the programs of the initramfs in WORK/initramfs. Sets
# $module_folder, the names of the modules to take in $modules, and the console that has no screen in $console.

unpack_x86_64() {
  unpack_kernel "$1"
  cp "$vmlinuz" "$1/vmlinuz"
  modules=(virtio_pci virtio_net virtio_blk virtio_scsi virtio-rng sd_mod ata_piix button evdev)
  console=ttyS0,115200
  start_tree "$1/initramfs" "$here/initramfs/init"
  copy_program gpgv "$1/initramfs"
}

unpack_aarch64() {
  deb=$(deb_file linux-image-cloud-arm64)
  unpack_kernel "$1"
  plain_image "$vmlinuz" >"$1/vmlinuz"
  modules=(virtio_pci virtio_mmio virtio_net virtio_blk virtio_scsi virtio-rng sd_mod button evdev)
  console=ttyAMA0
  unpack_debs "$1/programs" "${arm64_debs[@]:1}"
  start_tree "$1/initramfs" "$here/initramfs/init" "$1/programs/usr/bin/busybox"
  copy_unpacked "$1/programs" usr/bin/gpgv "$1/initramfs"
}

# The kernel itself, which is all that U-Boot takes: some packages have it packed.
plain_image() {
  case $(file_type "$1") in
    Image) cat "$1" ;;
    gzip) gzip -dc "$1" ;;
    *) die "$1 is no arm64 Image" ;;
  esac
}

file_type() {
  if [ "$(dd if="$1" bs=1 skip=56 count=4 status=none)" = ARMd ]; then
    echo Image
  elif gzip -t "$1" 2>/dev/null; then
    echo gzip
  fi
}

# copy_unpacked ROOT FILE TREE: a program of another architecture, from packages that are unpacked in ROOT, and its
# libraries. Its loader looks for them in /lib.
copy_unpacked() {
  install -D -m 755 "$1/$2" "$3/bin/$(basename "$2")"
  install -D -m 755 -t "$3/lib" "$(library "$1" "$(basename "$(readelf --program-headers "$1/$2" |
    sed -n 's/.*program interpreter: \(.*\)\]$/\1/p')")")"
  copy_libraries "$1" "$1/$2" "$3/lib"
}

# copy_libraries ROOT FILE FOLDER: what FILE needs, and what that needs.
copy_libraries() {
  local name path
  readelf --dynamic "$2" | sed -n 's/.*(NEEDED).*\[\(.*\)\]$/\1/p' | while read -r name; do
    [ ! -e "$3/$name" ] || continue
    path=$(library "$1" "$name")
    install "$path" "$3/$name"
    copy_libraries "$1" "$path" "$3"
  done
}

# library ROOT NAME
library() {
  local path
  path=$(find "$1/usr/lib" "$1/lib" -name "$2" 2>/dev/null | head -n 1)
  [ -n "$path" ] || die "no unpacked package has $2"
  echo "$path"
}

# make_initrd WORK MODULE...: WORK/initrd.gz, of WORK/initramfs with these modules and what they need.
make_initrd() {
  local tree=$1/initramfs module plain
  for module in "${@:2}"; do
    with_needs "$module"
  done | awk '!seen[$0]++' >"$1/modules"
  while read -r module; do
    plain=$(basename "$module")
    case $module in
      *.xz) plain=${plain%.xz}; xz -dc "$module_folder/$module" >"$tree/lib/modules/$plain" ;;
      *) cp "$module_folder/$module" "$tree/lib/modules/" ;;
    esac
    echo "$plain"
  done <"$1/modules" >"$tree/lib/modules/order"

  install -m 755 "$here/initramfs/coreos-install" "$tree/bin/coreos-install"
  "${gpg[@]}" --export >"$tree/etc/demo.gpg"
  cp "$out/keys/demo.asc" "$tree/etc/demo.asc"
  echo "COREOS_VERSION=$version" >"$tree/etc/demo-release"
  pack_tree "$tree" | gzip -n -9 >"$1/initrd.gz"
}
