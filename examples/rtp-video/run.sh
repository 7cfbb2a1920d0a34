#!/bin/sh
# Sends ten seconds of a test video by RTP through two relays, receives it to a file, and compares both frame by frame.
#
#   examples/rtp-video/run.sh [DIRECTORY]
#
# Needs ffmpeg and what `bellini lab` needs (docs/lab.md). BELLINI names the program, target/release/bellini unless set;
# SENT and RECEIVED the UDP ports of RTP, 5004 and 6004 (RTCP: the next ones). Exit codes: 0 every frame came as it was sent; 4 not.
set -eu
here=$(cd "$(dirname "$0")/../.." && pwd)
bellini=${BELLINI:-$here/target/release/bellini}
sent=${SENT:-5004} received=${RECEIVED:-6004}
out=${1:-runs/rtp-video}
mkdir -p "$out"
quiet="-nostdin -hide_banner -loglevel error -y"

# The video: ten seconds of a moving test picture with a counter, 250 frames, and one more: a reader of MPEG-TS knows that
# a frame is whole when the next one begins, and never hands out the last one of a live stream.
ffmpeg $quiet -f lavfi -i testsrc2=size=640x360:rate=25 -frames:v 251 -c:v mpeg2video -b:v 1500k -g 25 -f mpegts "$out/sent.ts"

"$bellini" lab "$here/scenarios/applications/video.json" --out "$out/lab" --force --no-report \
  --edge "1/1@studio=udp:127.0.0.1:$sent" --edge "1/1@viewer=udp:127.0.0.1:$received" \
  --edge "1/2@studio=udp:127.0.0.1:$((sent + 1))" --edge "1/2@viewer=udp:127.0.0.1:$((received + 1))" > "$out/lab.txt" 2> "$out/lab.err" &
lab=$!
trap 'kill $lab 2> /dev/null || true' EXIT
# With a description of the stream the receiver needs no first packets to find out what it is.
printf 'v=0\no=- 0 0 IN IP4 127.0.0.1\ns=video\nc=IN IP4 127.0.0.1\nt=0 0\nm=video %s RTP/AVP 33\n' "$received" > "$out/video.sdp"
ffmpeg $quiet -protocol_whitelist file,udp,rtp -buffer_size 4000000 -i "$out/video.sdp" -map 0:v -c copy -f mpegts "$out/received.ts" 2> "$out/receiver.err" &
receiver=$!

# Content may begin half a second after the nodes are there.
sleep 3
ffmpeg $quiet -re -i "$out/sent.ts" -c copy -f rtp_mpegts "rtp://127.0.0.1:$sent?pkt_size=1200"
code=0
wait $lab || code=$?
trap - EXIT
kill -INT $receiver 2> /dev/null || true
wait $receiver || true
if [ $code -ne 0 ] && [ $code -ne 4 ]; then
  cat "$out/lab.err" >&2
  exit $code
fi

frames() { ffmpeg $quiet -i "$1" -map 0:v -f framemd5 - | grep -v '^#' | sed 's/.*, *//'; }
frames "$out/sent.ts" | head -n 250 > "$out/sent.md5"
frames "$out/received.ts" > "$out/received.md5"
echo "frames sent: $(wc -l < "$out/sent.md5"), received: $(wc -l < "$out/received.md5"), as they were sent: $(grep -cFxf "$out/sent.md5" "$out/received.md5")"
cmp -s "$out/sent.md5" "$out/received.md5" || exit 4
