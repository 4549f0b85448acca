# shellcheck shell=sh
# The mark of a disk that rackberry installed: one sector of text, the last one of the first MiB, in the gap between
# the partition table and the first partition. It outlives the appliance's own memory of that machine.
#
#     rackberry mark 1
#     profile coreos
#     version 1010.5.0
#     node node1
#     mac 00:25:90:c0:f7:86
#     date 2026-11-28          left out where the machine's clock is wrong
#     end of mark
#
# Zeros fill it up. Whatever begins and ends like this is a mark, also one of a later form.
mark_sector=2047
# A clock that says less was never set: there was no mark then.
mark_birth=2026

# sector DISK NUMBER: a sector of 512 bytes, whatever the disk's own are.
sector() {
  dd if="$1" bs=512 skip="$2" count=1 2>/dev/null
}

# has_mark DISK: its lines are in $mark then.
has_mark() {
  mark=$(sector "$1" "$mark_sector" | tr -d '\000')
  case $mark in
    'rackberry mark '*'
end of mark') ;;
    *)
      mark=''
      return 1
      ;;
  esac
}

mark_value() {
  printf '%s\n' "$mark" | sed -n "s/^$1 //p" | head -n 1 | LC_ALL=C tr -cd '\40-\176' | cut -c 1-64
}

# What the mark that was found last tells, in a clause.
mark_story() {
  date=$(mark_value date)
  echo "$(mark_value profile) $(mark_value version), which rackberry installed for $(mark_value node) ($(mark_value mac))${date:+ on $date}"
}

# count_set DISK OFFSET COUNT: how many of these bytes are not zero.
count_set() {
  dd if="$1" bs=1 skip="$2" count="$3" 2>/dev/null | tr -d '\000' | wc -c
}

# no_room DISK: says why the sector is not free for a mark; nothing where it is.
no_room() {
  block=/sys/class/block/$(basename "$(readlink -f "$1")")
  partitions=0
  for partition in "$block/${block##*/}"*; do
    [ -e "$partition/partition" ] || continue
    partitions=$((partitions + 1))
    start=$(cat "$partition/start")
    size=$(cat "$partition/size")
    case $start,$size in
      ,* | *, | *[!0-9,]*)
        echo 'its partitions cannot be read'
        return 0
        ;;
    esac
    if [ "$start" -le "$mark_sector" ] && [ $((start + size)) -gt "$mark_sector" ]; then
      echo "its partition ${partition##*/} covers the place"
      return 0
    fi
  done
  if [ "$partitions" = 0 ]; then
    echo 'it has no partitions, so what it holds may cover the place'
  elif [ "$(dd if="$1" bs=1 skip=32769 count=5 2>/dev/null | tr -d '\000')" = CD001 ]; then
    echo 'it holds an ISO 9660 image, which covers the place'
  elif ! table_is_small "$1" "$(cat "$block/queue/logical_block_size" 2>/dev/null)"; then
    echo 'its partition table may cover the place'
  elif [ "$(sector "$1" "$mark_sector" | wc -c)" -ne 512 ]; then
    echo 'the place cannot be read'
  elif ! has_mark "$1" && [ "$(sector "$1" "$mark_sector" | tr -d '\000' | wc -c)" -ne 0 ]; then
    echo 'the place is in use, by a boot loader perhaps'
  fi
}

# table_is_small DISK [BLOCK]: a GPT's entries lie behind its header, and are less than 256 of less than 256 bytes (UEFI
# 2.10, 5.3.2: their place at byte 72 of the header, their number at 80, their length at 84). A disk without GPT passes.
table_is_small() {
  header=${2:-512}
  [ "$(dd if="$1" bs=1 skip="$header" count=8 2>/dev/null | tr -d '\000')" = 'EFI PART' ] || return 0
  [ "$(dd if="$1" bs=1 skip=$((header + 72)) count=1 2>/dev/null | tr '\000\002' 02)" = 2 ] &&
    [ "$(count_set "$1" $((header + 73)) 7)" -eq 0 ] && [ "$(count_set "$1" $((header + 81)) 3)" -eq 0 ] &&
    [ "$(count_set "$1" $((header + 85)) 3)" -eq 0 ]
}

# write_mark DISK PROFILE VERSION NODE MAC: fails where there is no room, with the reason in $unmarked.
write_mark() {
  unmarked=$(no_room "$1")
  [ -z "$unmarked" ] || return 1
  year=$(date -u +%Y)
  {
    printf 'rackberry mark 1\nprofile %.48s\nversion %.96s\nnode %.96s\nmac %.20s\n' "$2" "$3" "$4" "$5"
    [ "$year" -lt "$mark_birth" ] || date -u '+date %Y-%m-%d'
    printf 'end of mark'
    dd if=/dev/zero bs=512 count=1 2>/dev/null
  } | head -c 512 >/tmp/rackberry-mark
  dd if=/tmp/rackberry-mark of="$1" bs=512 seek="$mark_sector" count=1 conv=notrunc 2>/dev/null
  sync
  if [ "$(sector "$1" "$mark_sector" | tr -d '\000')" != "$(tr -d '\000' </tmp/rackberry-mark)" ]; then
    unmarked='it cannot be written'
    return 1
  fi
}
