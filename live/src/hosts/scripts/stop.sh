# Ends what runs in directory $2.
[ -d "$state" ] || exit 0
cd -P "$state"
end_ours "$2"
