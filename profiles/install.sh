#!/bin/sh
# Runs in the live system of {{ profile }}, made for {{ node.name }}. It gets this machine's own configuration, has
# the system's installer write the disk, and tells the appliance how it goes.
# The disk stays untouched unless the configuration is there, the target is a whole disk that the permission is for,
# and the appliance gives leave. Dash, bash and busybox run this, with curl or with wget.
set -u

server='{{ base_url }}'
# shellcheck disable=SC2034 # for disks.sh
target='{{ disk | quoted }}'
profile='{{ profile | quoted }}'
version='{{ version | quoted }}'
node='{{ node.name | quoted }}'
# The kind of configuration that this machine has; empty where its system takes none.
kind='{{ config_kind or "" }}'
# Whether the image comes from the appliance, which lets it go to machines that may install only.
has_image='{{ "yes" if files.image else "" }}'
# Whether its installer is handed the keys that signed the image, as the file $keys.
has_keys='{{ "yes" if hands_keys else "" }}'
# Whether the permission is for what rackberry installed on this machine before, too.
overwrite_marked='{{ overwrite_marked }}'
# What writes the disk.
command='{{ command | quoted }}'

stage=configuring
# What the parts below find out.
reason=''
disk=''
cause=''
unmarked=''
mac=''
told=''
finished=''
log=/tmp/rackberry-install.log
attempt=/tmp/rackberry-attempt.log
config=/tmp/rackberry-config
keys=/tmp/rackberry-keys.asc
# How long the appliance may be away before this machine restarts without having told it that its disk is written.
written_patience=300
: >"$log"

# {% include "request.sh" %}
# {% include "machine.sh" %}
# {% include "disks.sh" %}
# {% include "mark.sh" %}
# {% include "why.sh" %}
say() {
  echo "rackberry: $*" | tee -a "$log"
}

seconds_up() {
  cut -d . -f 1 /proc/uptime
}

# report STAGE OK MESSAGE CAUSE PATIENCE: fails where the appliance does not hear it within so many seconds, or does
# not allow it.
report() {
  [ -n "$mac" ] || return 1
  last=''
  [ "$2$unmarked" = true ] || last=$(tail -n 30 "$log" | tail -c 4000 | json_text)
  body="{\"stage\":\"$1\",\"ok\":$2,\"message\":\"$(printf '%s' "$3" | json_text)\",\"log\":\"$last\""
  [ -z "$4" ] || body="$body,\"cause\":\"$4\""
  # The first report says who is speaking.
  [ -n "$told" ] || body="$body,\"machine\":$(machine "$mac")"
  began=$(seconds_up)
  pause=1
  until request 20 /tmp/rackberry-answer "$server/api/v1/nodes/$mac/report" "$body}"; do
    waited=$(($(seconds_up) - began))
    if [ "$waited" -ge "$5" ] || ! may_repeat; then
      say "could not report to $server: $reason"
      return 1
    fi
    [ $((waited + pause)) -le "$5" ] || pause=$(($5 - waited))
    echo "rackberry: $server must hear that this machine is $1, and it does not take that: $reason; asking again in" \
      "$pause s, for $(($5 - waited)) s more"
    sleep "$pause"
    pause=$((pause < 16 ? pause * 2 : 30))
  done
  told=yes
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

# fail CAUSE WORDS: a cause is a word of the API (docs/operating.md), or empty.
fail() {
  # A second signal must not cut the report off.
  trap '' HUP INT TERM
  finished=yes
  say "failed while $stage: $2"
  report "$stage" false "$2" "$1" 15
  # Restarting is safe: either the grant is spent, and the next start is from the disk, or the disk is untouched.
  say 'restarting in 10 s'
  sleep 10
  restart
  exit 1
}

# Whatever ends this script early is a failure that somebody has to hear of.
trap '[ -n "$finished" ] || fail "" "the install script ended unexpectedly"' EXIT
trap 'fail stopped "the install script was told to stop"' HUP INT TERM

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
  [ -z "$nic" ] || mac=$(cat "/sys/class/net/$nic/address")
}

# get URL FILE CAUSE WHAT: a switch port that waits for spanning tree, or an appliance that restarts, is worth some
# patience; a refusal is not.
get() {
  for pause in 2 4 8 0; do
    if request 60 "$2" "$1"; then
      [ -s "$2" ] || fail "$3" "the $4 at $1 is empty"
      return 0
    fi
    if [ "$pause" = 0 ] || ! may_repeat; then
      break
    fi
    say "no $4 yet: $reason"
    sleep "$pause"
  done
  fail "$3" "no $4 at $1: $reason"
}

# Makes the kernel know the new partitions, which udev may be looking at just now.
reread() {
  for pause in 1 2 4 0; do
    blockdev --rereadpt "$1" 2>/dev/null && return 0
    sleep "$pause"
  done
  return 1
}

find_mac
[ -n "$mac" ] || fail '' "no BOOTIF= among the kernel's arguments and no route to $server, so this machine's address is unknown"
say "installing $version from $server"
find_disk
# A new card in the appliance makes an old rack look new. Who has forgotten what it installed must not overwrite it.
if [ -z "$overwrite_marked" ] && has_mark "$disk"; then
  fail marked-disk "$disk has $(mark_story), and a permission for everybody does not overwrite that; name the node: rackberry arm $node"
fi
report configuring true "target $disk" '' 15
[ -z "$kind" ] || get "$server/cloud-config/$mac" "$config" no-configuration configuration
[ -z "$has_keys" ] || get "$server/profile/keys.asc" "$keys" no-signature 'signing keys'

stage=installing
# An installer that has its image already must ask for leave.
[ -n "$has_image" ] || report installing true "writing $version to $disk" '' 15 ||
  fail not-allowed "the appliance does not give leave to write $disk: $reason"
installer=${command%% *}
# A transfer that broke off, because the appliance restarted say, is begun again from the start: until the
# install is over, the grant stays good for this machine. Other failures stay the same.
for pause in 5 15 0; do
  say "$command"
  # Without the pipe's own exit status (this shell may have no pipefail) the outcome goes through a file.
  rm -f "$log.status"
  {
    eval "$command" 2>&1
    echo $? >"$log.status"
  } | tee "$attempt" | tee -a "$log"
  ended=$(cat "$log.status" 2>/dev/null)
  [ "$ended" != 0 ] || break
  why "$attempt"
  case $cause in
    '' | transfer | no-server) [ "$pause" != 0 ] || break ;;
    *) break ;;
  esac
  say "that failed; once more in $pause s"
  sleep "$pause"
done
if [ "$ended" != 0 ]; then
  words=$(printf '%s' "$reason" | sed "s|^[^ ]*$installer: ||")
  fail "$cause" "$words ($installer ended with ${ended:-no status})"
fi

if reread "$disk"; then
  write_mark "$disk" "$profile" "$version" "$node" "$mac"
else
  unmarked='its partitions cannot be read again'
fi
[ -z "$unmarked" ] || say "$disk gets no mark that rackberry installed it: $unmarked"

stage=written
sync
finished=yes
# Nothing is left to fail: who wants this to end wants the restart now.
trap restart HUP INT TERM
report written true "$version is on $disk${unmarked:+, which has no mark: $unmarked}" '' "$written_patience"
say 'restarting into the installed system'
restart
