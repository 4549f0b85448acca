#!/bin/sh
# Runs in the live system of {{ profile }}, made for {{ node.name }}. It gets this machine's own configuration, has
# the system's installer write the disk, and tells the appliance how it goes.
# The disk stays untouched unless the configuration is there, the target is a whole disk, and the appliance
# gives leave. Bash and busybox both run this, with curl or with wget.
set -u

server='{{ base_url }}'
target='{{ disk | quoted }}'
version='{{ version | quoted }}'
# The kind of configuration that this machine has; empty where its system takes none.
kind='{{ config_kind or "" }}'
# Whether the image comes from the appliance, which lets it go to machines that may install only.
has_image='{{ "yes" if files.image else "" }}'
# Whether its installer is handed the keys that signed the image, as the file $keys.
has_keys='{{ "yes" if hands_keys else "" }}'
# What writes the disk.
command='{{ command | quoted }}'

stage=configuring
mac=''
finished=''
reason=''
log=/tmp/rackberry-install.log
config=/tmp/rackberry-config
keys=/tmp/rackberry-keys.asc
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

# report STAGE OK MESSAGE: fails where the appliance does not hear it, or does not allow it.
report() {
  [ -n "$mac" ] || return 1
  last=''
  [ "$2" = true ] || last=$(tail -n 30 "$log" | tail -c 4000 | json_text)
  body="{\"stage\":\"$1\",\"ok\":$2,\"message\":\"$(printf '%s' "$3" | json_text)\",\"log\":\"$last\"}"
  url=$server/api/v1/nodes/$mac/report
  for pause in 1 3 6 0; do
    post "$url" "$body" && return 0
    case $pause$reason in
      0* | *40[0-9]*) break ;;
    esac
    sleep "$pause"
  done
  say "could not report to $url: $reason"
  return 1
}

# post URL BODY; the reason of a failure is in $reason.
post() {
  if command -v curl >/dev/null 2>&1; then
    reason=$(curl -sS -f -m 20 -o /dev/null -H 'Content-Type: application/json' --data-binary "$2" "$1" 2>&1)
  else
    reason=$(timeout 20 wget -q -O /dev/null --header 'Content-Type: application/json' --post-data "$2" "$1" 2>&1)
  fi
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
  # Restarting is safe: either the grant is spent, and the next start is from the disk, or the disk is untouched.
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

# get URL FILE WHAT: a switch port that waits for spanning tree, or an appliance that restarts, is worth some patience; a
# refusal is not, but wget does not tell the two apart.
get() {
  for pause in 2 4 8 0; do
    fetch "$1" "$2" && break
    case $pause$reason in
      0* | *40[0-9]*) fail "no $3 at $1: $reason" ;;
    esac
    say "no $3 yet: $reason"
    sleep "$pause"
  done
  [ -s "$2" ] || fail "the $3 at $1 is empty"
}

# The line of the installer's output that says why it failed: the last one is often only about its own end.
why() {
  said=$(tr '\r' '\n' <"$log" | grep -v -e '^ *$' -e '^rackberry:' -e '^Error: return code' -e 'bytes were erased')
  for words in 'gpg: BAD signature' 'gpg: .*No public key' 'No space left' 'Input/output error'; do
    line=$(printf '%s\n' "$said" | grep -e "$words" | tail -n 1)
    [ -z "$line" ] || break
  done
  [ -n "$line" ] || line=$(printf '%s\n' "$said" | tail -n 1)
  line=${line#"$1: "}
  printf '%s' "${line#"$(command -v "$1"): "}" | cut -c 1-300
}

find_mac
[ -n "$mac" ] || fail "no BOOTIF= among the kernel's arguments and no route to $server, so this machine's address is unknown"
say "installing $version from $server"
find_disk
report configuring true "target $disk"
[ -z "$kind" ] || get "$server/cloud-config/$mac" "$config" configuration
[ -z "$has_keys" ] || get "$server/profile/keys.asc" "$keys" 'signing keys'

stage=installing
# An installer that has its image already must ask for leave.
[ -n "$has_image" ] || report installing true "writing $version to $disk" ||
  fail "the appliance does not give leave to write $disk"
# A transfer that broke off, because the appliance restarted say, is begun again from the start: until the
# install is over, the grant stays good for this machine.
for pause in 5 15 0; do
  say "$command"
  # Without the pipe's own exit status (this shell may have no pipefail) the outcome goes through a file.
  rm -f "$log.status"
  {
    eval "$command" 2>&1
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
  installer=${command%% *}
  fail "$(why "$installer") ($installer ended with ${status:-no status})"
fi

stage=written
sync
finished=yes
report written true "$version is on $disk"
say 'restarting into the installed system'
restart
