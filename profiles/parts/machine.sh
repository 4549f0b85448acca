# shellcheck shell=sh
# Which machine this is, as it knows itself.

# Prints what a vendor wrote into a file, on one line; nothing where it is what vendors leave there unwritten.
identity() {
  [ -r "$1" ] || return 0
  text=$(LC_ALL=C tr <"$1" -cd '\40-\176' | sed -e 's/^ *//' -e 's/ *$//' | cut -c 1-64)
  case $(printf '%s' "$text" | tr '[:upper:]' '[:lower:]' | tr -d ' ._-') in
    none | unknown | default* | notspecified* | notapplicable* | notsettable* | notpresent | empty | na | n/a | oem | tobefilled* | \
      system*number | serial*number | chassis*number | 0123456789* | 12345678*12345678* | 123456789* | 03000200040005000006000700080009) ;;
    *)
      # One character all along.
      [ -z "$(printf '%s' "$text" | tr -d "_. ${text%"${text#?}"}-")" ] || printf '%s' "$text"
      ;;
  esac
}

# The machine as JSON: what its firmware calls it, and its Ethernet cards.
machine() {
  uuid=$(identity /sys/class/dmi/id/product_uuid | tr 'A-F' 'a-f')
  serial=$(identity /sys/class/dmi/id/product_serial)
  # Boards without DMI.
  [ -n "$serial" ] || serial=$(identity /proc/device-tree/serial-number)
  members=''
  case $uuid in
    ????????-????-????-????-????????????) members="\"uuid\":\"$uuid\"," ;;
  esac
  [ -z "$serial" ] || members="$members\"serial\":\"$(printf '%s' "$serial" | json_text)\","
  printf '%s%s"macs":[%s]}' '{' "$members" "$(cards "$1")"
}

# cards MAC: the addresses of the wired cards, that of the one with MAC among them in any case.
cards() {
  for nic in /sys/class/net/*; do
    # 1 is Ethernet; what is made of other cards has no device of its own.
    if [ "$(cat "$nic/type" 2>/dev/null)" != 1 ] || [ ! -e "$nic/device" ] || [ -e "$nic/wireless" ] ||
      [ -e "$nic/phy80211" ]; then
      continue
    fi
    address=$(cat "$nic/address" 2>/dev/null)
    case $address in
      '' | "$1" | 00:00:00:00:00:00) continue ;;
      ?[2367abef]:*)
        # A management controller's cable inside of the machine, by USB: whole series have one and the same address.
        case $(readlink -f "$nic/device") in */usb*) continue ;; esac
        ;;
    esac
    echo "$address"
  done | { [ -z "$1" ] || echo "$1"; cat; } | sed -e 's/.*/"&"/' | tr '\n' ',' | sed 's/,$//'
}
