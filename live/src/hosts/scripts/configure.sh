# Ends what runs in directory $2, and fills it anew from standard input (tar); with $3 = keep, logs stay.
cd -P "$state"
end_ours "$2"
[ "$3" = keep ] || rm -rf "${2:?}"
mkdir -p "$2"
cd "$2"
rm -f console.sock pid
tar xf - -C .
