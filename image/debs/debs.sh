# shellcheck shell=bash
# Sourced: the packages that `fetch` put into the cache.

debs=${XDG_CACHE_HOME:-$HOME/.cache}/rackberry/trixie

# deb_file NAME: the file of a package; NAME as packages.txt has it.
deb_file() {
  local file
  file=$(sed -n "s/^$1 //p" "$debs/list" 2>/dev/null)
  echo "$debs/${file:-missing}"
}

# unpack_debs FOLDER NAME...
unpack_debs() {
  local folder=$1 name
  shift
  mkdir -p "$folder"
  for name in "$@"; do
    dpkg-deb -x "$(deb_file "$name")" "$folder"
  done
}
