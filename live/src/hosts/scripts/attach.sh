# Joins standard input and output to the console of the node in directory $2, through binary $3.
cd -P "$state/$2"
turns=0
while [ ! -S console.sock ] && [ $turns -lt 100 ]; do
  if [ -s pid ] && ! kill -0 "$(cat pid)" 2> /dev/null; then
    tail -n 3 errors.log >&2 || true
    exit 24
  fi
  sleep 0.1
  turns=$((turns + 1))
done
exec "../bin/$3" attach console.sock
