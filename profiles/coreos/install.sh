#!/bin/sh
# Runs in the live system (CoreOS of 2016, or the demo), which fetched it by cloud-config-url. It gets this
# machine's own configuration, has coreos-install write the disk, and tells the appliance how it goes.
# The disk stays untouched unless the configuration is there and the target is a whole disk.
# Bash and busybox both run this, with curl or with wget. Words between at signs are filled in per machine.
set -u

server='@SERVER@'
target='@DISK@'
version='@VERSION@'

stage=configuring
mac=''
finished=''
log=/tmp/rackberry-install.log
config=/tmp/rackberry-config.yml
: >"$log"

say() {
  echo "rackberry: $*" | tee -a "$log"
}

# Prints the log's end as the inside of a JSON string: plain ASCII, because a cut or foreign character
# would spoil the whole report.
json_text() {
  tr '\r' '\n' | LC_ALL=C tr -cd '\11\12\40-\176' |
    sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e "s/$(printf '\t')/\\\\t/g" | awk '{ printf "%s%s", sep, $0; sep = "\\n" }'
}

# report STAGE OK MESSAGE: what the appliance does not hear is no reason to stop.
report() {
  [ -n "$mac" ] || return 0
  last=''
  [ "$2" = true ] || last=$(tail -n 30 "$log" | tail -c 4000 | json_text)
  body="{\"stage\":\"$1\",\"ok\":$2,\"message\":\"$(printf '%s' "$3" | json_text)\",\"log\":\"$last\"}"
  url=$server/api/v1/nodes/$mac/report
  for pause in 1 3 0; do
    if command -v curl >/dev/null 2>&1; then
      curl -sS -f -m 20 -o /dev/null -H 'Content-Type: application/json' --data-binary "$body" "$url" && return 0
    else
      timeout 20 wget -q -O /dev/null --header 'Content-Type: application/json' --post-data "$body" "$url" && return 0
    fi
    sleep "$pause"
  done 2>>"$log"
  say "could not report to $url"
}

restart() {
  # Shutting down stops this script too; that is no failure any more.
  trap '' HUP INT TERM
  sync
  if command -v systemctl >/dev/null 2>&1; then
    systemctl reboot && sleep 60
  fi
  reboot -f
}

fail() {
  # A second signal must not cut the report off.
  trap '' HUP INT TERM
  finished=yes
  say "failed while $stage: $*"
  report "$stage" false "$*"
  # Restarting is safe: the grant is spent, so the next start is from the disk, not a second install.
  say 'restarting in 10 s'
  sleep 10
  restart
  exit 1
}

# Whatever ends this script early is a failure that somebody has to hear of.
trap '[ -n "$finished" ] || fail "the install script ended unexpectedly"' EXIT
trap 'fail "the install script was told to stop"' HUP INT TERM

# fetch URL FILE; the reason of a failure is in $reason.
fetch() {
  if command -v curl >/dev/null 2>&1; then
    reason=$(curl -sS -f -m 60 -o "$2" "$1" 2>&1)
  else
    # Not by wget's own -T: Debian's busybox crashes on it.
    reason=$(timeout 60 wget -q -O "$2" "$1" 2>&1)
  fi
}

# The address of the network card that the machine started from: the appliance knows the machine by it.
# pxelinux and the menus pass it as 01-52-54-00-00-00-01; a start by hand may lack it, then it is the
# card that leads to the server.
find_mac() {
  mac=$(tr ' ' '\n' </proc/cmdline | sed -n 's/^BOOTIF=//p' | tail -n 1 | tr 'A-F-' 'a-f:' | sed 's/^01://')
  [ -z "$mac" ] || return 0
  host=${server#*://}
  host=${host%%[:/]*}
  nic=$(ip route get "$host" 2>/dev/null | sed -n 's/.* dev \([^ ]*\).*/\1/p' | head -n 1)
  [ -n "$nic" ] || nic=$(ip route | sed -n 's/^default .*dev \([^ ]*\).*/\1/p' | head -n 1)
  [ -n "$nic" ] && mac=$(cat "/sys/class/net/$nic/address")
}

# Whether NAME of /sys/class/block can be a target; otherwise the reason is in $reason. Partitions cannot
# be read again on LVM volumes, RAID and loop devices, where coreos-install fails after it has written.
is_whole_disk() {
  reason=''
  case $1 in
    dm-*) reason='an LVM volume or another device-mapper device' ;;
    loop*) reason='a loop device' ;;
    md*) reason='a RAID device' ;;
    ram* | zram* | sr* | fd* | nbd*) reason='not a disk' ;;
    mmcblk*boot* | mmcblk*rpmb) reason="a firmware area of a memory card" ;;
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

# Sets $disk to the target: the configured disk, or the smallest one. USB sticks and firmware leftovers
# below 32 MiB are never meant by `smallest`.
find_disk() {
  if [ "$target" != smallest ]; then
    disk=$target
    [ -e "$disk" ] || fail "there is no disk $disk; this machine has: $(names_of_disks)"
    is_whole_disk "$(basename "$(readlink -f "$disk")")" ||
      fail "$disk is $reason; only whole disks can be installed on, and this machine has: $(names_of_disks)"
    return 0
  fi
  disk=''
  least=''
  for entry in /sys/class/block/*; do
    name=${entry##*/}
    is_whole_disk "$name" || continue
    [ "$(cat "$entry/removable" 2>/dev/null)" != 1 ] || continue
    sectors=$(cat "$entry/size")
    [ "$sectors" -ge 65536 ] || continue
    if [ -z "$least" ] || [ "$sectors" -lt "$least" ]; then
      least=$sectors
      disk=/dev/$name
    fi
  done
  [ -n "$disk" ] || fail 'this machine has no disk to install on'
}

names_of_disks() {
  found=''
  for entry in /sys/class/block/*; do
    wanted_reason=$reason
    is_whole_disk "${entry##*/}" && found="$found /dev/${entry##*/}"
    reason=$wanted_reason
  done
  echo "${found:- no disk}" | sed 's/^ //'
}

find_mac
[ -n "$mac" ] || fail "no BOOTIF= among the kernel's arguments and no route to $server, so this machine's address is unknown"
say "installing $version from $server"
find_disk
report configuring true "target $disk"

# A switch port that waits for spanning tree, or an appliance that restarts, is worth some patience; a
# refusal is not, but wget does not tell the two apart.
for pause in 2 4 8 0; do
  fetch "$server/cloud-configs/$mac.yml" "$config" && break
  case $pause$reason in
    0* | *40[0-9]*) fail "no configuration at $server/cloud-configs/$mac.yml: $reason" ;;
  esac
  say "no configuration yet: $reason"
  sleep "$pause"
done
[ -s "$config" ] || fail "the configuration at $server/cloud-configs/$mac.yml is empty"

stage=installing
report installing true "writing $version to $disk"
# A transfer that broke off, because the appliance restarted say, is begun again from the start: until the
# install is over, the grant stays good for this machine.
for pause in 5 15 0; do
  say "coreos-install -d $disk -V $version -c $config -b $server"
  # Without the pipe's own exit status (this shell may have no pipefail) the outcome goes through a file.
  rm -f "$log.status"
  {
    coreos-install -d "$disk" -V "$version" -c "$config" -b "$server" 2>&1
    echo $? >"$log.status"
  } | tee -a "$log"
  status=$(cat "$log.status" 2>/dev/null)
  if [ "$status" = 0 ] || [ "$pause" = 0 ]; then
    break
  fi
  # This line must not become the reason below.
  echo "rackberry: that failed; once more in $pause s"
  sleep "$pause"
done
if [ "$status" != 0 ]; then
  reason=$(grep -v '^ *$' "$log" | tail -n 1 | cut -c 1-300)
  fail "${reason#coreos-install: } (coreos-install ended with ${status:-no status})"
fi

stage=written
sync
finished=yes
report written true "$version is on $disk"
say 'restarting into the installed system'
restart
