# Says what is there: a line for each binary and each node.
[ -e "$state/$mark" ] || exit 0
cd -P "$state"
for binary in bin/*; do [ ! -f "$binary" ] || echo "binary ${binary#bin/}"; done
for node in node-*; do
  [ -d "$node" ] || continue
  if [ -n "$(ours "$node")" ]; then echo "runs $node"; else echo "ended $node"; fi
done
