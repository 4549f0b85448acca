# shellcheck shell=bash
# Sourced: an apt of its own for Debian trixie, which reads and writes nothing of this machine's apt but the mirror's
# address. Downloads are checked against Debian's archive keys.

debian_release=trixie
debian_keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# The mirror that this machine's own apt uses, so that builds go where its owner wants them to: RACKBERRY_MIRROR
# and RACKBERRY_SECURITY_MIRROR say another.
own_mirror() {
  # shellcheck disable=SC2016  # apt fills these in
  apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
    sed -n "s/^Debian|$1|//p" | head -n 1
}

debian_mirror() {
  local mirror=${RACKBERRY_MIRROR:-$(own_mirror Debian)}
  echo "${mirror:-http://deb.debian.org/debian}"
}

# use_own_apt FOLDER [ARCHITECTURE]...: as use_apt_of, with all of Debian's suites for arm64, and for other architectures too
# where those are named.
use_own_apt() {
  local folder=$1 mirror security suite architectures
  shift
  architectures=$(printf ',%s' arm64 "$@")
  mirror=$(debian_mirror)
  security=${RACKBERRY_SECURITY_MIRROR:-$(own_mirror Debian-Security)}
  security=${security:-http://deb.debian.org/debian-security}
  use_apt_of "$folder" "$(
    for suite in "$mirror $debian_release" "$mirror $debian_release-updates" \
      "$security $debian_release-security" "$mirror $debian_release-backports"; do
      echo "deb [arch=${architectures#,} signed-by=$debian_keyring] ${suite% *} ${suite##* } main non-free-firmware"
    done
  )" arm64 "$@"
}

# use_apt_of FOLDER SOURCES ARCHITECTURE...: makes apt-get and apt-cache use these sources, with lists and configuration of
# their own in FOLDER. Packages are for the first architecture where no other is said.
use_apt_of() {
  local folder=$1 sources=$2 list
  shift 2
  list=$(printf ' "%s";' "$@")
  mkdir -p "$folder"/{etc/apt.conf.d,etc/preferences.d,state/lists/partial,cache/archives/partial}
  : >"$folder/status"
  printf '%s\n' "$sources" >"$folder/etc/sources.list"
  cat >"$folder/apt.conf" <<END
Dir::Etc "$folder/etc";
Dir::Etc::sourcelist "sources.list";
Dir::Etc::sourceparts "-";
Dir::State "$folder/state";
Dir::State::status "$folder/status";
Dir::Cache "$folder/cache";
APT::Architecture "$1";
APT::Architectures {$list };
APT::Install-Recommends "false";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::Retries "3";
END
  # Proxies and the like stay as this machine has them: /etc/apt/apt.conf.d is read before APT_CONFIG.
  export APT_CONFIG=$folder/apt.conf
}
