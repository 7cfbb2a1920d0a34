# Starts binary $3 as a node in directory $2, so that it outlives this connection.
cd -P "$state"
binary=$PWD/bin/$3
cd "$2"
cat > launch.sh <<'END'
echo $$ > pid
exec "$1" node --settings settings.json --console console.sock >> output.log 2>> errors.log
END
# A manager of services, where one runs, keeps the node when the user's last session ends; elsewhere a session of its own
# does. A user's manager itself ends with that session, unless the user lingers.
manager=
if [ -d "${systemd:=/run/systemd/system}" ] && command -v systemd-run > /dev/null 2>&1; then
  if [ "$(id -u)" = 0 ]; then
    manager=--system
  elif [ "$(loginctl show-user "$(id -un)" -p Linger 2> /dev/null)" = Linger=yes ]; then
    manager=--user
  fi
fi
if [ -n "$manager" ]; then
  if systemd-run $manager --quiet --collect --working-directory="$PWD" -- sh launch.sh "$binary" 2>> errors.log; then
    echo systemd
    exit 0
  fi
fi
setsid sh launch.sh "$binary" < /dev/null > /dev/null 2>&1 &
echo setsid
