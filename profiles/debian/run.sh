#!/bin/sh
# Runs in Debian's installer once it has its answers. Leaves two scripts where the installer looks for them: one
# asks for leave before the first partition is made, the other tells that the system is installed.
set -eu
url='{{ base_url }}/api/v1/nodes/{{ node.mac }}/report'

# script FILE STAGE OTHERWISE
script() {
  mkdir -p "${1%/*}"
  cat >"$1" <<END
#!/bin/sh
# The installer talks to these scripts on their standard output, so nothing may be said there.
for pause in 2 5 10 0; do
  wget -q -O /dev/null --header 'Content-Type: application/json' \\
    --post-data '{"stage":"$2","ok":true,"message":"by Debian'"'"'s installer"}' '$url' >/dev/null 2>&1 && exit 0
  sleep "\$pause"
done
$3
END
  chmod 755 "$1"
}

script /lib/partman/init.d/01rackberry installing \
  'echo "rackberry: this machine may not be installed now; restarting" >/dev/console; sleep 10; reboot -f; sleep 60'
script /usr/lib/finish-install.d/94rackberry written 'exit 0'
