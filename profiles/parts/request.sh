# shellcheck shell=sh
# Requests to the appliance, by curl or wget (GNU's or busybox's).
reason=''
status=''

# limited SECONDS COMMAND...
limited() {
  if command -v timeout >/dev/null 2>&1; then
    timeout "$@"
  else
    shift
    "$@"
  fi
}

# request SECONDS FILE URL [JSON]: gets a file or, with JSON, posts that. Words for a failure are in $reason, the
# three digits of an answer that is a refusal in $status.
request() {
  limit=$1
  file=$2
  url=$3
  shift 3
  if command -v curl >/dev/null 2>&1; then
    by_curl "$@" && return 0
  else
    by_wget "$@" && return 0
  fi
  [ -n "$reason" ] || reason="no answer within $limit s"
  return 1
}

by_curl() {
  [ $# = 0 ] || set -- -H 'Content-Type: application/json' --data-binary "$1"
  # The last three characters are the answer's digits, 000 if there was none.
  reason=$(curl -sS -m "$limit" -o "$file" -w '%{http_code}' "$@" "$url" 2>&1)
  code=$?
  status=${reason#"${reason%???}"}
  reason=${reason%???}
  [ "$code" != 0 ] || case $status in
    2??) return 0 ;;
    *) reason="the server answers $status: $(head -c 300 "$file" | tr -s '\r\n{}"' ' ')" ;;
  esac
  return 1
}

by_wget() {
  [ $# = 0 ] || set -- --header 'Content-Type: application/json' --post-data "$1"
  # Quiet, GNU's says nothing of an error either, and it tries again by itself. Not by wget's own -T: Debian's busybox
  # crashes on it.
  quiet=-q
  ! wget --version 2>/dev/null | grep -q GNU || quiet='-nv --tries=1'
  # shellcheck disable=SC2086 # two options
  reason=$(limited "$limit" wget $quiet -O "$file" "$@" "$url" 2>&1) && return 0
  # Only where the words say that it is the answer's: numbers stand in addresses and times, too.
  status=$(printf '%s\n' "$reason" | sed -n -e 's/.* ERROR \([1-5][0-9][0-9]\)[ :].*/\1/p' \
    -e 's/.*server returned error: HTTP\/[0-9.]* \([1-5][0-9][0-9]\).*/\1/p' | tail -n 1)
  return 1
}

# Whether the failed request may be answered if it is made again. A refusal stays one.
may_repeat() {
  case $status in
    408 | 429) ;;
    4??) return 1 ;;
  esac
}

# Text as the inside of a JSON string: plain ASCII, because a cut or foreign character would spoil the whole report.
json_text() {
  tr '\r' '\n' | LC_ALL=C tr -cd '\11\12\40-\176' |
    sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e "s/$(printf '\t')/\\\\t/g" | awk '{ printf "%s%s", sep, $0; sep = "\\n" }'
}
