# shellcheck shell=dash
# What the inits of live systems share. They name themselves in $system.
# shellcheck disable=SC2034,SC2154 # variables that go to and fro

mount_basics() {
  busybox mount -t proc proc /proc
  busybox mount -t sysfs sys /sys
  busybox mount -t devtmpfs dev /dev
  busybox mount -t tmpfs tmp /run
  busybox --install -s /bin 2>/dev/null
  ln -sf /proc/self/fd /dev/fd
}

# The value of a kernel argument, empty where it is absent.
argument() {
  tr ' ' '\n' </proc/cmdline | sed -n "s/^$1=//p" | tail -n 1
}

# Says it on every console, because nobody knows which of screen and serial line is watched.
say() {
  tr ' ' '\n' </sys/class/tty/console/active | while read -r console; do
    echo "$system: $*" >"/dev/$console"
  done
}

# A shell on the console, for as long as the machine is on.
shell() {
  while :; do
    setsid cttyhack sh
    sleep 1
  done
}

# Names the network interface that the machine started from; without BOOTIF= the first one with a link.
find_nic() {
  wanted=$(argument BOOTIF | tr 'A-F-' 'a-f:' | sed 's/^01://')
  for nic in /sys/class/net/*; do
    name=${nic##*/}
    [ "$name" != lo ] || continue
    if [ -n "$wanted" ]; then
      [ "$(cat "$nic/address")" != "$wanted" ] || { echo "$name"; return; }
    else
      ip link set "$name" up
      [ -n "$first" ] || first=$name
    fi
  done
  [ -z "$wanted" ] || return
  for _ in 1 2 3 4 5; do
    for nic in /sys/class/net/*; do
      [ "${nic##*/}" != lo ] && [ "$(cat "$nic/carrier" 2>/dev/null)" = 1 ] && { echo "${nic##*/}"; return; }
    done
    sleep 1
  done
  echo "$first"
}

# Brings the network up; sets $mac, $lease_ip and $lease_server. Spanning tree keeps a switch port shut for 30 s
# or more after a link change, so this asks for two minutes, and says so.
network() {
  ip link set lo up
  nic=$(find_nic)
  [ -n "$nic" ] || { say "no network interface $(argument BOOTIF)"; return 1; }
  mac=$(cat "/sys/class/net/$nic/address")
  ip link set "$nic" up
  for _ in 1 2 3 4 5 6; do
    # With a lease it stays in the background and renews it.
    if udhcpc -i "$nic" -s /etc/udhcpc -t 7 -T 3 -A 1 -n >/run/udhcpc.log 2>&1; then
      lease_ip=$(sed -n 's/^lease_ip=//p' /run/lease)
      lease_server=$(sed -n 's/^lease_server=//p' /run/lease)
      say "$nic ($mac) has $lease_ip"
      return 0
    fi
    say "$nic ($mac) has no DHCP answer yet"
  done
  return 1
}

# get URL FILE: with patience; fails when it is used up.
get() {
  for wait in 1 2 4 8 16 0; do
    wget -q -O "$2" "$1" && return 0
    say "cannot fetch $1"
    sleep "$wait"
  done
  return 1
}

# The power button.
listen_for_power_button() {
  acpid -c /etc/acpi -l /run/acpid.log
}
