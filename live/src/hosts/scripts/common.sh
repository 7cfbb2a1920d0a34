# What every script on a host begins with. $1: the state directory, from the home directory on.
set -eu
cd
state=$1
mark=.bellini-state
# Prints the processes that run a binary of this state directory ($root, or else where we are); with $1, only those that
# work in that directory of it.
root=
ours() {
  ls -l /proc/[0-9]*/exe 2>/dev/null | grep -F -- "-> ${root:-$PWD}/bin/" |
    sed -n 's|.* /proc/\([0-9]*\)/exe -> .*|\1|p' | while read -r pid; do
    if [ -z "${1:-}" ] || [ "$(readlink "/proc/$pid/cwd" 2>/dev/null)" = "${root:-$PWD}/$1" ]; then echo "$pid"; fi
  done || true
}
# Ends them: with a word first, by force after three seconds.
end_ours() {
  pids=$(ours "${1:-}")
  [ -n "$pids" ] || return 0
  kill -TERM $pids 2>/dev/null || true
  turns=0
  while [ -n "$(ours "${1:-}")" ] && [ $turns -lt 30 ]; do sleep 0.1; turns=$((turns + 1)); done
  pids=$(ours "${1:-}")
  [ -z "$pids" ] || kill -KILL $pids 2>/dev/null || true
}
