# Takes binary $2 from standard input (tar), and puts it in its place once it is whole.
cd -P "$state"
rm -rf bin/.part*
part=bin/.part.$$
mkdir "$part"
tar xf - -C "$part"
if [ "$(sha256sum < "$part/bellini" | cut -d ' ' -f 1)" != "$2" ]; then
  rm -rf "$part"
  echo "the binary did not arrive whole" >&2
  exit 22
fi
chmod 700 "$part/bellini"
mv -f "$part/bellini" "bin/$2"
rm -rf "$part"
