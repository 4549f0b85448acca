# shellcheck shell=bash
# Sourced by build: the device trees of boards with the Raspberry Pi 5's processor.

# make_pi5_trees FOLDER TO: from a kernel's folder of Broadcom's trees. Debian's kernel has that of the Raspberry Pi 5
# only, and the one of its processor's later stepping under a name that no firmware asks for: the firmware takes the
# same tree for both, and lays overlays/bcm2712d0.dtbo over it where it finds the later one.
make_pi5_trees() {
  local tree=$1/bcm2712-rpi-5-b.dtb later=$1/bcm2712-d-rpi-5-b.dtb overlays=$2/overlays board
  cp "$tree" "$2/"
  # The firmware passes over a folder of overlays in a slot that has no README.
  mkdir "$overlays"
  cp "$here/boot/overlays.txt" "$overlays/README"
  "$here/tree-overlay" "$tree" "$later" | dtc -q -I dts -O dtb -o "$overlays/bcm2712d0.dtbo" -
  is_same_tree <(fdtoverlay -i "$tree" -o - "$overlays/bcm2712d0.dtbo") "$later" ||
    die 'bcm2712d0.dtbo does not make the tree of the later stepping'
  for board in 500 cm5-cm5io cm5l-cm5io; do
    { dtc -q -I dtb -O dts "$tree"; cat "$here/trees/$board.dts"; } |
      dtc -q -I dts -O dtb -o "$2/bcm2712-rpi-$board.dtb" -
  done
}

is_same_tree() {
  cmp -s <(dtc -q -s -I dtb -O dts "$1") <(dtc -q -s -I dtb -O dts "$2")
}
