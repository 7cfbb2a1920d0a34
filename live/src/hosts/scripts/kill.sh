# Kills what runs in directory $2 at once.
cd -P "$state"
pids=$(ours "$2")
[ -z "$pids" ] || kill -KILL $pids 2> /dev/null || true
