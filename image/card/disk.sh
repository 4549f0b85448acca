# shellcheck shell=bash
# Sourced by build: partitions, and the card made of them. docs/image.md tells the layout.

# The partition table's signature, by which the system finds its card ("RACB"), and other fixed names.
disk_id=52414342
fat_id=52414301
system_uuid=52414342-0000-4000-8000-000000000002
data_uuid=52414342-0000-4000-8000-000000000004

# In MiB. The data partition is made small and grows to the card's end at the first boot.
align=4
boot_size=148
slot_size=112
data_size=16
card_size=$(((align + boot_size + 2 * slot_size + data_size) << 20))

# What the firmware, the kernel and people find in the partition RACKBERRY.
make_boot() {
  local tree=$work/fat slot=$work/fat/a kernel suffix trees file release
  mkdir -p "$slot" "$work/firmware" "$tree/b"
  dpkg-deb -x "$(debs firmware)" "$work/firmware"
  copy_pi_firmware "$work/firmware" "$tree"
  cp "$here"/boot/{config.txt,README.txt,authorized_keys} "$tree/"
  cp "$top/docs/rackberry.toml" "$tree/rackberry.toml"
  # A report of full length: later ones are written over it without a change to the file system's tables.
  sed -e "s/@VERSION@/$version/" -e 's/$/\r/' "$here/boot/report.txt" | "$here/pad" 32768 >"$tree/report.txt"
  # The same for the line that names the journal; it is one sector.
  sed 's/$/\r/' "$here/boot/journal.txt" | "$here/pad" 512 >"$tree/journal.txt"
  mkdir "$tree/rackberry"
  cp "$here/boot/rackberry-folder.txt" "$tree/rackberry/README.txt"
  cp "$here/boot/cmdline.txt" "$slot/cmdline.txt"
  for kernel in kernel:8 kernel5:_2712; do
    suffix=${kernel#*:}
    kernel=${kernel%:*}
    release=$(basename "$(echo "$work/$kernel"/usr/lib/modules/*)")
    gzip -n -9 <"$(kernel_image "$kernel")" >"$slot/kernel$suffix.img"
    cp "$work/$kernel/initramfs.zst" "$slot/initramfs$suffix"
    trees=$(device_trees "$kernel")
    [ "$kernel" = kernel5 ] || copy_pi_trees "$trees" "$slot"
    [ "$kernel" = kernel ] || make_pi5_trees "$trees" "$slot"
  done
  sed "s/@VERSION@/$version/" -i "$tree/README.txt"
  # Lines end as every PC's editor likes them.
  sed -i 's/$/\r/' "$tree"/README.txt "$tree"/rackberry/README.txt "$tree"/authorized_keys "$tree"/rackberry.toml "$slot/overlays/README"
  find "$tree" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
  rm -f "$work/boot"
  truncate -s "${boot_size}M" "$work/boot"
  mkfs.vfat --invariant -F 32 -s 1 -n RACKBERRY -i "$fat_id" -h $((align << 11)) "$work/boot" >/dev/null
  find "$tree" -mindepth 1 -maxdepth 1 -printf '%f\n' | sort | while read -r file; do
    # mtools takes the time of folders from SOURCE_DATE_EPOCH.
    mcopy -s -o -m -i "$work/boot" "$tree/$file" ::/
  done
}

# Empty: the initramfs makes the folders. It can grow up to 1 TiB without moving anything.
make_data() {
  E2FSPROGS_FAKE_TIME=$SOURCE_DATE_EPOCH mke2fs -q -t ext4 -L rackberry-data -U "$data_uuid" -b 4096 -i 65536 -m 1 \
    -J size=4 -O metadata_csum,64bit,^orphan_file -e remount-ro \
    -E "hash_seed=$data_uuid,root_owner=0:0,resize=268435456,lazy_itable_init=0,nodiscard" \
    "$work/data.ext4" "${data_size}M" >/dev/null
}

# Lays the partitions out. Slot B stays empty: an update will write there.
make_card() {
  local card=$work/card start_a=$((align + boot_size)) start_data=$((align + boot_size + 2 * slot_size))
  [ "$(stat -c %s "$work/system")" -le $((slot_size << 20)) ] || die "the system does not fit into a slot of $slot_size MiB"
  truncate -s "$card_size" "$card"
  sfdisk --quiet "$card" <<END
label: dos
label-id: 0x$disk_id
start=${align}MiB, size=${boot_size}MiB, type=c, bootable
start=${start_a}MiB, size=${slot_size}MiB, type=83
start=$((start_a + slot_size))MiB, size=${slot_size}MiB, type=83
start=${start_data}MiB, size=${data_size}MiB, type=83
END
  : >"$work/ranges"
  range 0 512
  place "$work/boot" "$align" "$(boot_used)"
  place "$work/system" "$start_a" "$(stat -c %s "$work/system")"
  place "$work/data.ext4" "$start_data" $((data_size << 20))
}

# Writes an image to its place, in MiB; $3 bytes of it matter to a card that held something else before.
place() {
  dd if="$1" of="$work/card" bs=1M seek="$2" conv=notrunc,sparse status=none
  range $(($2 << 20)) "$3"
}

range() {
  echo "$1 $2" >>"$work/ranges"
}

# Up to where the FAT partition is in use: its files lie one after the other.
boot_used() {
  local free
  free=$(mdir -i "$work/boot" :: | awk '/bytes free/ { gsub(/[^0-9]/, ""); print }')
  echo $((((boot_size << 20) - free + 1048575) >> 20 << 20))
}

# What people download.
pack() {
  xz -6 --block-size=16MiB -T0 <"$work/card" >"$work/$name.img.xz"
  "$here/bmap" "$work/card" "$name.img" <"$work/ranges" >"$work/$name.bmap"
  (cd "$work" && sha256sum "$name.img.xz" >"$name.sha256")
}
