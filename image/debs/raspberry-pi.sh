# shellcheck shell=bash
# Sourced: what the firmware of the Raspberry Pi 3 and 4 loads, for the SD image and for those that boot from the network.

# copy_pi_firmware FOLDER TO: its own parts, from the unpacked package raspi-firmware.
copy_pi_firmware() {
  cp "$1"/usr/lib/raspi-firmware/{bootcode.bin,start.elf,fixup.dat,start4.elf,fixup4.dat} "$2/"
}

# copy_pi_trees FOLDER TO: the boards' device trees, from a kernel's folder of Broadcom's.
copy_pi_trees() {
  local file
  cp "$1"/bcm2711-rpi-{4-b,400,cm4-io}.dtb "$1"/bcm2837-rpi-{3-b,3-b-plus,3-a-plus,cm3-io3,zero-2-w}.dtb "$2/"
  # The firmware looks for some under the names that Raspberry Pi's own kernel gives them.
  for file in zero-2-w 3-b 3-b-plus; do
    cp "$2/bcm2837-rpi-$file.dtb" "$2/bcm2710-rpi-$file.dtb"
  done
  cp "$2/bcm2837-rpi-cm3-io3.dtb" "$2/bcm2710-rpi-cm3.dtb"
  cp "$2/bcm2711-rpi-cm4-io.dtb" "$2/bcm2711-rpi-cm4.dtb"
}
