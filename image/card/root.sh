# shellcheck shell=bash
# Sourced by build: the read-only system.

# Unpacks the packages; nothing is installed, no script of theirs runs. What those would do is in root/ or done
# below, and everything belongs to root.
unpack_root() {
  local deb
  mkdir "$work/root"
  # First the package that has the links /bin, /lib and /sbin.
  debs root | grep /base-files_ | xargs -r -I '{}' dpkg-deb -x '{}' "$work/root"
  debs root | while read -r deb; do
    dpkg-deb -x "$deb" "$work/root"
  done
}

# What no appliance needs.
shrink_root() {
  local r=$work/root unit
  rm -rf "$r"/usr/share/{doc,doc-base,man,info,locale,lintian,bug,bash-completion,zsh,polkit-1,apport,menu,common-licenses,base-files,base-passwd,initramfs-tools,pixmaps,dict,gcc,nano,readline,runit,openssh}
  # Generators look for disks, consoles and keys that this system has not.
  rm -rf "$r"/usr/lib/systemd/{system-generators,user-generators,system-environment-generators}
  rm -rf "$r"/usr/lib/{udev/hwdb.d,systemd/catalog,systemd/boot,systemd/user,kernel,sysusers.d,cron.daily,tmpfiles.d/{home,journal-nocow}.conf,runit-helper}
  rm -rf "$r"/etc/{cron.*,init.d,default,rc?.d,update-motd.d,dpkg,apparmor.d,pam.d,security,skel,logrotate.d,xdg,ufw,insserv*,sv,ssh,motd,issue,issue.net,kernel,debian_version,e2scrub.conf,init}
  rm -rf "$r"/{boot,home,media,mnt,opt,srv,root,var/mail,var/local,var/opt,var/spool}
  # Character sets: only that of names on cards and sticks.
  find "$r/usr/lib/aarch64-linux-gnu/gconv" -mindepth 1 -delete 2>/dev/null || true
  rm -f "$r"/usr/lib/aarch64-linux-gnu/{libcrypto.so.3.bak,lib*.a}
  # Nobody logs in by password, and nobody becomes another user.
  rm -f "$r"/usr/bin/{su,chfn,chsh,newgrp,passwd,gpasswd,login,wall,write,mesg,lastb,last} "$r"/usr/sbin/{debugfs,sulogin,nologin.dpkg*}
  find "$r" -type f -perm /6000 -exec chmod ug-s {} +
  # Units that have nothing to do here.
  while read -r unit; do
    case $unit in '' | '#'*) continue ;; esac
    find "$r/usr/lib/systemd/system" "$r/etc/systemd" -name "$unit" ! -type d -delete
  done <"$here/no-units.txt"
  # Of udev's rules those for devices that there are.
  find "$r/usr/lib/udev/rules.d" -type f ! -name '50-udev-default.rules' ! -name '60-persistent-storage.rules' \
    ! -name '80-drivers.rules' ! -name '80-net-setup-link.rules' ! -name '99-systemd.rules' -delete
  find "$r/usr/lib/systemd/system" \( -xtype l -o -type d -empty \) -delete
}

# What makes it rackberry.
add_own_files() {
  local r=$work/root tool
  cp -r "$here/root/." "$r/"
  mkdir -p "$r"/{card,data,boot,media/usb,mnt,proc,sys,dev,run,tmp,root,var/lib/{rackberry,systemd/timesync},var/log,var/tmp,usr/lib/rackberry}
  chmod 700 "$r/root"
  chmod 1777 "$r/tmp" "$r/var/tmp"
  chmod 600 "$r/etc/shadow"
  install -m 755 "$binary" "$r/usr/bin/rackberry"
  cp -r "$loaders" "$r/usr/lib/rackberry/loaders"
  find "$r/usr/lib/rackberry/loaders" -name '.*' -type f -delete
  install -m 644 "$top"/systemd/*.{service,path} "$r/usr/lib/systemd/system/"
  install -m 644 "$top"/systemd/udev/60-rackberry.rules "$r/usr/lib/udev/rules.d/60-rackberry.rules"
  # What ca-certificates' script would put together: every authority that Debian trusts.
  find "$r/usr/share/ca-certificates" -name '*.crt' -print0 | sort -z | xargs -0 cat >"$r/etc/ssl/certs/ca-certificates.crt"
  rm -rf "$r/usr/share/ca-certificates"
  # The tools of a shell, where no package brings the real one.
  for tool in $(cat "$here/busybox-tools.txt"); do
    [ -e "$r/usr/bin/$tool" ] || [ -e "$r/usr/sbin/$tool" ] || ln -s busybox "$r/usr/bin/$tool"
  done
  sed -i -e '/^\(PRETTY_NAME\|NAME\|ID\|HOME_URL\|SUPPORT_URL\|BUG_REPORT_URL\|VERSION_CODENAME\|VERSION\|DEBIAN_VERSION_FULL\)=/d' "$r/usr/lib/os-release"
  cat >>"$r/usr/lib/os-release" <<END
PRETTY_NAME="rackberry $version"
NAME=rackberry
ID=rackberry
ID_LIKE=debian
IMAGE_ID=rackberry
IMAGE_VERSION=$version
END
  ln -sfn /run "$r/var/run"
  # No clock is ever behind this file's time.
  : >"$r/usr/lib/clock-epoch"
  # systemd compares these with /usr to see whether caches must be made anew; there are none.
  touch "$r/etc/.updated" "$r/var/.updated"
}

# Every program finds its libraries: packages that were left out are caught here, not on the board.
check_libraries() {
  local r=$work/root missing
  missing=$(find "$r/usr/bin" "$r/usr/sbin" "$r/usr/lib/systemd" "$r/usr/lib/openssh" "$r/usr/lib/udev" -type f -print0 |
    xargs -0 "$here/needs" "$r" | sort -u)
  [ -z "$missing" ] || die "libraries are missing:"$'\n'"$missing"
}

# One read-only file system, the same bytes each time.
make_system() {
  find "$work/root" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
  mkfs.erofs -zlz4hc -C65536 -T "$SOURCE_DATE_EPOCH" -U "$system_uuid" --all-root -x-1 "$work/system" "$work/root" >"$work/erofs.log" 2>&1 ||
    { cat "$work/erofs.log" >&2; die 'mkfs.erofs failed'; }
}
