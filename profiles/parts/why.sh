# shellcheck shell=sh
# Why an installer failed, found in what it and its tools said.

# why LOG: the line that says why in $reason, and what kind of failure it is in $cause, empty where that is not known.
# Of several, the first kind of this list counts: a disk that takes no more makes a transfer break, and a transfer that
# breaks makes a bad signature. Wget ends with 4 to 8 when the transfer failed, with 3 when nobody read on.
why() {
  with_origins "$1" >"$1.lines"
  while read -r cause words; do
    reason=$(grep -E -e "$words" "$1.lines" | tail -n 1)
    [ -z "$reason" ] || break
  done <<'END'
disk-too-small No space left on device
disk-error cannot be written|(^|[^a-z])dd: (error writing|writing|can.t open|failed to open)|(Operation not permitted|Input/output error|Read-only file system)( |$)|io error: |Failed writing image to disk|Failed to reread partitions
transfer (^|[^0-9])[4-8]: Download of .* did not complete|wget: (connection closed prematurely|short read|read error|error getting response|download timed out)|the transfer broke off|error reading a body|end of file before message length
no-server onnection refused|No route to host|Network is unreachable|ouldn.t connect to server|error sending request|unable to resolve host|ould not resolve host|bad address
unknown-key No public key|public key not found
bad-signature BAD signature|bad signature
no-signature no valid OpenPGP data found|Image signature unavailable|and signature not found|\.(sig|asc|gpg) is not there
no-image Image URL unavailable|version\.txt unavailable|HTTP status client error|image fetch failed|cannot fetch .*version\.txt|_image[a-z0-9._]* is not there
wrong-image has the digest .* and should have|GPG signature verification failed|GPG verification failure
damaged-image Data integrity error|Compressed file ends unexpectedly|truncated or otherwise corrupt|not a bzip2 file|bunzip error|corrupted data|invalid magic|File format not recognized|Unexpected end of (input|file)|unexpected end of file|not in gzip format|Compressed data is corrupt|premature end|unsupported format
bad-configuration onfig file \(.*\) is not valid|not a valid Ignition|parsing specified Ignition
wrong-disk is not a full disk|is not writable|not a block device|found busy partitions|checking for exclusive access|has sector size .* but destination has
no-memory annot allocate memory|[Oo]ut of memory
END
  if [ -z "$reason" ]; then
    cause=''
    reason=$(last_words "$1.lines")
  fi
  reason=$(printf '%s' "$reason" | sed -e 's/^  *\([0-9]*: \)\{0,1\}//' -e 's/^Error: //' | cut -c 1-300)
}

# with_origins LOG: its lines; where coreos-installer says what an error was caused by, a line with both comes after.
with_origins() {
  tr '\r' '\n' <"$1" | awk '
    /^Caused by:/ { top = said; next }
    top != "" && /^ / { origin = $0; sub(/^ *([0-9]+: )?/, "", origin); print; next }
    top != "" && !/^ *$/ { print top ": " origin; top = "" }
    { print }
    !/^ *$/ { said = $0 }
    END { if (top != "") print top ": " origin }'
}

# last_words LINES: the last one that says something.
last_words() {
  grep -v -E -e '^ *$|^ |^(Error: )?(return code|install failed)|^Resetting partition table|bytes were erased at|re-read partition table' \
    -e '^Primary key fingerprint|^gpg: (checking|marginals|depth)' "$1" | tail -n 1
}
