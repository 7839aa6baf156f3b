#!/bin/sh
# Runs the command given and prints its pid on the first line. The command is killed when standard input closes, that
# is when whoever started this script ends, however it ends: no broker outlives its tests.
exec 3<&0
"$@" </dev/null 3<&- &
pid=$!
echo "$pid"
(cat <&3 >/dev/null; kill -9 "$pid" 2>/dev/null) 3<&3 >/dev/null 2>&1 &
wait "$pid"
