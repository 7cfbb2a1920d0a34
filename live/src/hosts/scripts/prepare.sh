# Makes the state directory, and says whether binary $2 is there. Files of others are left alone.
if [ -e "$state" ] && [ ! -e "$state/$mark" ] && [ -n "$(ls -A "$state" 2>/dev/null || echo x)" ]; then
  echo "$PWD/$state holds files that are not Bellini's; name another directory in the hosts file" >&2
  exit 21
fi
mkdir -p "$state" && chmod 700 "$state"
: > "$state/$mark"
cd -P "$state"
mkdir -p bin
if [ -x "bin/$2" ] && [ "$(sha256sum < "bin/$2" | cut -d ' ' -f 1)" = "$2" ]; then echo have; else echo lacks; fi
