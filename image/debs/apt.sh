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

# use_own_apt FOLDER [ARCHITECTURE]...: writes apt's configuration and sources to FOLDER, and makes apt-get and apt-cache
# use them. Packages are for arm64; for other architectures too where those are named.
use_own_apt() {
  local folder=$1 mirror security suite architecture architectures=arm64 list='"arm64";'
  shift
  for architecture in "$@"; do
    architectures+=,$architecture
    list+=" \"$architecture\";"
  done
  mirror=${RACKBERRY_MIRROR:-$(own_mirror Debian)}
  mirror=${mirror:-http://deb.debian.org/debian}
  security=${RACKBERRY_SECURITY_MIRROR:-$(own_mirror Debian-Security)}
  security=${security:-http://deb.debian.org/debian-security}
  mkdir -p "$folder"/{etc/apt.conf.d,etc/preferences.d,state/lists/partial,cache/archives/partial}
  : >"$folder/status"
  {
    for suite in "$mirror $debian_release" "$mirror $debian_release-updates" \
      "$security $debian_release-security" "$mirror $debian_release-backports"; do
      echo "deb [arch=$architectures signed-by=$debian_keyring] ${suite% *} ${suite##* } main non-free-firmware"
    done
  } >"$folder/etc/sources.list"
  cat >"$folder/apt.conf" <<END
Dir::Etc "$folder/etc";
Dir::Etc::sourcelist "sources.list";
Dir::Etc::sourceparts "-";
Dir::State "$folder/state";
Dir::State::status "$folder/status";
Dir::Cache "$folder/cache";
APT::Architecture "arm64";
APT::Architectures { $list };
APT::Install-Recommends "false";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::Retries "3";
END
  # Proxies and the like stay as this machine has them: /etc/apt/apt.conf.d is read before APT_CONFIG.
  export APT_CONFIG=$folder/apt.conf
}
