# Ends everything of the state directory and removes it. The mark goes last: who is interrupted can begin again.
if [ ! -e "$state/$mark" ]; then
  rmdir "$state" 2> /dev/null || true
  exit 0
fi
(cd -P "$state" && end_ours)
turns=0
# What an interrupted push still writes may be in the way for a moment.
until rm -rf "${state:?}"/bin "$state"/node-* 2> /dev/null; do
  turns=$((turns + 1))
  [ $turns -lt 50 ] || exit 23
  sleep 0.1
done
rm -rf "${state:?}"
