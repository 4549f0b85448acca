# shellcheck shell=bash
# Sourced by build: the disk images.

# In MiB. Empty space costs next to nothing in the compressed image, but every MiB is written at install.
esp_size=32
root_size=24

# make_esp WORK ARCHITECTURE: WORK/esp, the EFI system partition, with kernel and initramfs.
make_esp() {
  local esp=$1/esp arguments="console=tty0 console=$console quiet panic=10 rackberry.root=RACKBERRY"
  mkdir "$1/loader"
  sed "s|@ARGUMENTS@|$arguments|" "$here/grub.cfg" >"$1/loader/grub.cfg"
  truncate -s "${esp_size}M" "$esp"
  # The partition starts at sector 2048; boot code takes the number from here.
  mkfs.vfat -F 16 -n DEMO-EFI -i 0d3e0001 -h 2048 "$esp" >/dev/null
  mmd -i "$esp" ::/EFI ::/EFI/BOOT
  mcopy -i "$esp" "$1/initrd.gz" ::/initrd.gz
  unpack_debs "$1/loader/debs" "${loader_debs[@]}"
  "add_loader_$2" "$1" "$esp" "$arguments"
}

# What Debian signed, so that it starts with Secure Boot and without: shim starts the GRUB beside it, which reads its
# configuration from the folder that Debian built into it, on the disk that it came from. BIOS machines start from the
# same partition by syslinux.
add_loader_x86_64() {
  mcopy -i "$2" "$1/loader/debs/usr/lib/shim/shimx64.efi.signed" ::/EFI/BOOT/BOOTX64.EFI
  mcopy -i "$2" "$1/loader/debs/usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed" ::/EFI/BOOT/grubx64.efi
  mmd -i "$2" ::/EFI/debian
  mcopy -i "$2" "$1/loader/grub.cfg" ::/EFI/debian/grub.cfg
  mcopy -i "$2" "$1/vmlinuz" ::/vmlinuz
  cat >"$1/loader/syslinux.cfg" <<END
SERIAL 0 115200
DEFAULT demo
PROMPT 0
SAY rackberry demo: starting from the disk
LABEL demo
  LINUX /vmlinuz
  INITRD /initrd.gz
  APPEND $3
END
  mcopy -i "$2" "$1/loader/syslinux.cfg" ::/syslinux.cfg
  syslinux --install "$2"
}

# A GRUB with the configuration built in. The kernel cannot unpack itself on arm64; GRUB does it, quicker than 20 MB more
# are written at the install.
add_loader_aarch64() {
  grub_image arm64-efi "$1/loader/debs/usr/lib/grub/arm64-efi" "$1/loader" BOOTAA64.EFI
  mcopy -i "$2" "$1/loader/BOOTAA64.EFI" ::/EFI/BOOT/BOOTAA64.EFI
  gzip -n -9 <"$1/vmlinuz" >"$1/loader/vmlinuz"
  mcopy -i "$2" "$1/loader/vmlinuz" ::/vmlinuz
}

# grub_image FORMAT MODULES LOADER NAME: LOADER/NAME is a GRUB that runs LOADER/grub.cfg, and looks for no other.
grub_image() {
  echo 'normal (memdisk)/grub/grub.cfg' >"$3/start"
  tar --create --file "$3/memdisk" --directory "$3" --transform 's|^|grub/|' grub.cfg
  grub-mkimage --format="$1" --directory="$2" --memdisk="$3/memdisk" --prefix='(memdisk)/grub' \
    --config="$3/start" --output="$3/$4" \
    normal memdisk tar regexp part_gpt fat linux boot echo test sleep reboot all_video efi_gop gzio
}

# make_root WORK: WORK/ext4, the node's own data; the installer writes there.
make_root() {
  local path
  mkdir -p "$1/root"/{etc,var/lib/coreos-install}
  cat >"$1/root/etc/os-release" <<END
NAME="rackberry demo"
ID=rackberry-demo
VERSION=$version
END
  mke2fs -q -t ext4 -L RACKBERRY -O ^has_journal -m 0 -E root_owner=0:0 -d "$1/root" "$1/ext4" "${root_size}M" >/dev/null
  # mke2fs copies the owner of whoever builds this.
  for path in /etc /etc/os-release /var /var/lib /var/lib/coreos-install; do
    printf 'set_inode_field %s uid 0\nset_inode_field %s gid 0\n' "$path" "$path"
  done | debugfs -w -f - "$1/ext4" >/dev/null 2>&1
}

# make_disk WORK: WORK/disk, of WORK/esp and a root partition. It has the boot code for BIOS on arm64 too, where nothing
# runs it.
make_disk() {
  local disk=$1/disk
  make_root "$1"
  truncate -s $((esp_size + root_size + 2))M "$disk"
  sfdisk --quiet "$disk" <<END
label: gpt
label-id: 0D3E0000-0000-4000-8000-000000000000
first-lba: 2048
start=2048, size=${esp_size}MiB, type=uefi, name=EFI, attrs=LegacyBIOSBootable, uuid=0D3E0000-0000-4000-8000-000000000001
size=${root_size}MiB, type=linux, name=ROOT, uuid=0D3E0000-0000-4000-8000-000000000002
END
  place "$1/esp" "$disk" 1
  place "$1/ext4" "$disk" $((1 + esp_size))
  head -c 440 /usr/lib/syslinux/mbr/gptmbr.bin >"$1/mbr"
  dd if="$1/mbr" of="$disk" conv=notrunc status=none
}

# place FILE DISK MIB
place() {
  dd if="$1" of="$2" bs=64k oflag=seek_bytes seek=$(($3 << 20)) conv=notrunc,sparse status=none
}
