# shellcheck shell=bash
# Sourced: which files of a kernel's modules are needed. $module_folder is its folder of modules, with what
# make_dependencies makes; `die` is the sourcing script's.

# Makes modules.dep, in an unpacked kernel's tree.
make_dependencies() {
  [ -e "$1/lib" ] || ln -s usr/lib "$1/lib"
  busybox depmod -b "$1" "$(basename "$module_folder")" 2>/dev/null || die 'busybox depmod failed'
}

# Prints the file of a module and, before it, those of everything that it needs. modules.dep names the nearest need first. A
# question mark before the name: if there is one.
with_needs() {
  local name=${1#'?'} line need
  line=$(grep -E "(^|/)${name//[-_]/[-_]}\.ko(\.[a-z]+)?:" "$module_folder/modules.dep" | head -n 1 || true)
  if [ -z "$line" ]; then
    [ "$name" != "$1" ] || grep -qE "/${name//[-_]/[-_]}\.ko" "$module_folder/modules.builtin" ||
      die "the kernel $(basename "$module_folder") has no module $name"
    return 0
  fi
  # shellcheck disable=SC2086  # a list of file names without spaces
  for need in $(printf '%s\n' ${line#*:} | tac); do
    echo "$need"
  done
  echo "${line%%:*}"
}
