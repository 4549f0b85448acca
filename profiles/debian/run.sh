#!/bin/sh
# Runs in Debian's installer once it has its answers. Leaves two scripts where the installer looks for them: one
# asks for leave before the first partition is made, the other tells that the system is installed.
set -eu

cat >/lib/rackberry.sh <<'RACKBERRY'
server='{{ base_url }}'
mac='{{ node.mac }}'
node='{{ node.name | quoted }}'
profile='{{ profile | quoted }}'
version='{{ version | quoted }}'
overwrite_marked='{{ overwrite_marked }}'
lacking=''

# {% include "request.sh" %}
# {% include "machine.sh" %}
# {% include "mark.sh" %}
# report STAGE OK MESSAGE CAUSE PATIENCE
report() {
  body="{\"stage\":\"$1\",\"ok\":$2,\"message\":\"$(printf '%s' "$3" | json_text)\",\"log\":\"$(printf '%s' "$lacking" | json_text)\",\"machine\":$(machine '')"
  [ -z "$4" ] || body="$body,\"cause\":\"$4\""
  waited=0
  pause=1
  until request 20 /tmp/rackberry-answer "$server/api/v1/nodes/$mac/report" "$body}"; do
    if [ "$waited" -ge "$5" ] || ! may_repeat; then
      return 1
    fi
    sleep "$pause"
    waited=$((waited + pause))
    pause=$((pause < 16 ? pause * 2 : 30))
  done
}

# Before partman touches a disk: whoever may not go on starts again, from its disk.
begin() {
  why='it may not be installed now'
  if [ -z "$overwrite_marked" ]; then
    for disk in $(list-devices disk); do
      ! has_mark "$disk" || marked "$disk"
    done
  fi
  report installing true "by Debian's installer" '' 15 || give_up "$why: $reason"
}

marked() {
  why="$1 has $(mark_story), and a permission for everybody does not overwrite that; name the node: rackberry arm $node"
  report configuring false "$why" marked-disk 15
  give_up "$why"
}

give_up() {
  echo "rackberry: $1; restarting" >/dev/console
  sleep 10
  reboot -f
  sleep 60
}

# disks_below NAME: the whole disks that a device of /sys/class/block lies on.
disks_below() {
  if [ -n "$(ls "/sys/class/block/$1/slaves" 2>/dev/null)" ]; then
    for lower in "/sys/class/block/$1/slaves"/*; do
      disks_below "${lower##*/}"
    done
  elif [ -e "/sys/class/block/$1/partition" ]; then
    disks_below "$(basename "$(readlink -f "/sys/class/block/$1/..")")"
  else
    echo "$1"
  fi
}

# While the new system is still mounted.
end() {
  root=$(sed -n 's|^\(/dev/[^ ]*\) /target .*|\1|p' /proc/mounts | tail -n 1)
  if [ -z "$root" ]; then
    lacking='no disk has a mark: none is mounted at /target'
  else
    for disk in $(disks_below "$(basename "$(readlink -f "$root")")" | sort -u); do
      write_mark "/dev/$disk" "$profile" "$version" "$node" "$mac" || lacking="$lacking/dev/$disk has no mark: $unmarked. "
    done
  fi
  report written true "by Debian's installer" '' 300
}
RACKBERRY

# script FILE FUNCTION
script() {
  mkdir -p "${1%/*}"
  cat >"$1" <<END
#!/bin/sh
# The installer talks to these scripts on their standard output, so nothing may be said there.
exec </dev/null >/dev/null 2>&1
. /lib/rackberry.sh
$2
exit 0
END
  chmod 755 "$1"
}

script /lib/partman/init.d/01rackberry begin
script /usr/lib/finish-install.d/94rackberry end
