# shellcheck shell=bash
# Sourced by build: the packages of packages.lock, from the cache or from Debian's mirror.

# File name of a package as apt gives it.
deb_name() {
  echo "$1_${2/:/%3a}_$3.deb"
}

# Files of a group, one a line.
debs() {
  local group package version architecture
  while read -r group package version architecture _; do
    [ "$group" != "$1" ] || echo "$cache/debs/$(deb_name "$package" "$version" "$architecture")"
  done <"$here/packages.lock"
}

is_right() {
  [ -e "$1" ] && echo "$2  $1" | sha256sum --quiet --check - >/dev/null 2>&1
}

# Fills the cache, and checks each package in it against the lock.
fetch_packages() {
  local group package version architecture sum file wanted=()
  mkdir -p "$cache/debs"
  while read -r group package version architecture sum; do
    case $group in '#' | epoch) continue ;; esac
    file=$cache/debs/$(deb_name "$package" "$version" "$architecture")
    is_right "$file" "$sum" || wanted+=("$package=$version")
  done <"$here/packages.lock"
  [ ${#wanted[@]} != 0 ] || return 0
  (
    mkdir "$work/download"
    use_own_apt "$work/apt"
    cd "$work/download"
    { apt-get update -qq && apt-get download -q "${wanted[@]}"; } >"$work/apt.log" 2>&1
  ) || {
    cat "$work/apt.log" >&2
    die 'cannot fetch the packages of packages.lock; if the mirror has only later ones, run: make image-lock'
  }
  while read -r group package version architecture sum; do
    case $group in '#' | epoch) continue ;; esac
    file=$(deb_name "$package" "$version" "$architecture")
    [ -e "$work/download/$file" ] || continue
    is_right "$work/download/$file" "$sum" || die "$file is not what packages.lock names"
    mv "$work/download/$file" "$cache/debs/$file"
  done <"$here/packages.lock"
}
