# shellcheck shell=sh
# Which disk is meant, and whether it can be written.

# Whether NAME of /sys/class/block can be a target; otherwise the reason is in $reason. Partitions cannot
# be read again on LVM volumes, RAID and loop devices, where coreos-install fails after it has written.
is_whole_disk() {
  reason=''
  case $1 in
    dm-*) reason='an LVM volume or another device-mapper device' ;;
    loop*) reason='a loop device' ;;
    md*) reason='a RAID device' ;;
    ram* | zram* | sr* | fd* | nbd*) reason='not a disk' ;;
    mmcblk*boot* | mmcblk*rpmb) reason='a firmware area of a memory card' ;;
  esac
  if [ -z "$reason" ]; then
    if [ ! -e "/sys/class/block/$1" ]; then
      reason='not a block device'
    elif [ -e "/sys/class/block/$1/partition" ]; then
      reason='a partition'
    elif [ "$(cat "/sys/class/block/$1/ro" 2>/dev/null)" = 1 ]; then
      reason='read-only'
    elif grep -q "^/dev/$1[p0-9]* " /proc/mounts; then
      reason='in use'
    fi
  fi
  [ -z "$reason" ]
}

names_of_disks() {
  found=''
  for entry in /sys/class/block/*; do
    ! is_whole_disk "${entry##*/}" || found="$found /dev/${entry##*/}"
  done
  found=${found# }
  echo "${found:-no disk}"
}

# Sets $disk to the target: the configured disk, or the smallest one. USB sticks and firmware leftovers
# below 32 MiB are never meant by `smallest`.
find_disk() {
  if [ "$target" != smallest ]; then
    disk=$target
    [ -e "$disk" ] || fail no-disk "there is no disk $disk; this machine has: $(names_of_disks)"
    is_whole_disk "$(basename "$(readlink -f "$disk")")" ||
      fail wrong-disk "$disk is $reason; only whole disks can be installed on, and this machine has: $(names_of_disks)"
    return 0
  fi
  disk=''
  least=''
  for entry in /sys/class/block/*; do
    name=${entry##*/}
    is_whole_disk "$name" || continue
    [ "$(cat "$entry/removable" 2>/dev/null)" != 1 ] || continue
    sectors=$(cat "$entry/size" 2>/dev/null)
    case $sectors in '' | *[!0-9]*) continue ;; esac
    [ "$sectors" -ge 65536 ] || continue
    if [ -z "$least" ] || [ "$sectors" -lt "$least" ]; then
      least=$sectors
      disk=/dev/$name
    fi
  done
  [ -n "$disk" ] || fail no-disk 'this machine has no disk to install on'
}
