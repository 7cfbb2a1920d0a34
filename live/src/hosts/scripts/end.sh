# Ends everything of the state directory, which stays.
[ -e "$state/$mark" ] || exit 0
cd -P "$state"
end_ours
