# shellcheck shell=sh
# Why an installer failed, found in what it and its tools said.

# why LOG: the line that says why in $reason, and what kind of failure it is in $cause, empty where that is not known.
# Of several, the first kind of this list counts: a disk that takes no more makes a stream break, and a stream that
# breaks makes a bad signature. Wget ends with 4 to 8 when the transfer failed, with 3 when nobody read on.
why() {
  while read -r cause words; do
    reason=$(tr '\r' '\n' <"$1" | grep -E -e "$words" | tail -n 1)
    [ -z "$reason" ] || break
  done <<'END'
disk-too-small No space left on device|larger than the disk
disk-error (^|[^a-z])dd: (error writing|writing|can.t open|failed to open)|bunzip2: (Operation not permitted|Input/output error|Read-only)|Input/output error|Failed writing image to disk|Failed to reread partitions|cannot write to /dev/
transfer (^|[^0-9])[4-8]: Download of .* did not complete|the transfer broke off|error decoding response body|end of file before message length reached
no-server onnection refused|No route to host|Network is unreachable|ouldn.t connect to server|error sending request|unable to resolve host|ould not resolve host|bad address
unknown-key No public key|public key not found
bad-signature BAD signature|bad signature
no-signature no valid OpenPGP data found|[Ss]ignature (unavailable|not found)|\.(sig|asc|gpg) is not there
no-image Image URL unavailable|version\.txt unavailable|image fetch failed|cannot fetch .*version\.txt|_image[a-z0-9._]* is not there
wrong-image has the digest .* and should have|GPG signature verification failed|GPG verification failure
damaged-image Data integrity error|Compressed file ends unexpectedly|not a bzip2 file|bunzip error|corrupted data|invalid magic|File format not recognized|Unexpected end of (input|file)|unexpected end of file|not in gzip format|Compressed data is corrupt|premature end|unsupported format|cannot unpack|is packed in a way
bad-configuration onfig file \(.*\) is not valid|[Ii]gnition config.*:|is neither a script nor|parsing specified Ignition
wrong-disk is not a full disk|is not writable|not a block device|is no block device|found busy partitions|is a partition|checking for exclusive access|sector size [0-9]+ but destination
no-memory annot allocate memory|[Oo]ut of memory|no room for work files
END
  if [ -z "$reason" ]; then
    cause=''
    reason=$(last_words "$1")
  fi
  reason=$(printf '%s' "$reason" | sed -e 's/^  *\([0-9]*: \)\{0,1\}//' -e 's/^Error: //' | cut -c 1-300)
}

# last_words LOG: the last line that says something. Where coreos-installer says what an error was caused by, both.
last_words() {
  tr '\r' '\n' <"$1" | awk '
    /^ *$/ || /^(Error: )?(return code|install failed)/ || /^Resetting partition table/ { next }
    /bytes were erased at|re-read partition table|Primary key fingerprint|^gpg: (checking|marginals|depth)/ { next }
    /^Caused by:/ { of = last; next }
    /^ / && of != "" { sub(/^ *([0-9]+: )?/, ""); last = of ": " $0; next }
    { of = ""; last = $0 }
    END { print last }'
}
