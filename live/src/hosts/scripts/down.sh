# Ends everything of the state directory and removes it. The mark goes last: who is interrupted can begin again.
if [ ! -e "$state" ]; then
  # Where hosts share a home, another one has removed it. What still runs here runs a binary that is gone.
  cd -P .
  root=$PWD/$state
  end_ours
  exit 0
fi
if [ ! -e "$state/$mark" ]; then
  rmdir "$state" 2> /dev/null || true
  exit 0
fi
(cd -P "$state" && end_ours)
turns=0
# What an interrupted push still writes may be in the way for a moment, and so may another host of the same home.
until rm -rf "${state:?}"/bin "$state"/node-* 2> /dev/null && rm -rf "${state:?}" 2> /dev/null; do
  turns=$((turns + 1))
  [ $turns -lt 50 ] || exit 23
  sleep 0.1
done
