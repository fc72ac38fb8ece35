#!/usr/bin/env bash
# Kills each of many runs at random moments and resumes it until it is done: each must end with the same bytes, its report, and
# no temporary file. Then one run of 1000 epochs, whose memory must not grow. Not part of the tests, as it takes minutes.
#
#   cargo build --release && bash tests/soak.sh [RUNS] [DEVICE]       200 runs on cpu
set -euo pipefail
runs=${1:-200} device=${2:-cpu}
program=$(cd "$(dirname "$0")/.." && pwd)/target/release/rbm-gpu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

options=(--data bars-and-stripes:4 --hidden 12 --batch 3 --epochs 60 --checkpoint-every 0 --device "$device")
kinds=(
    "--cd 1"
    "--estimator pcd --centred on --average 0.4 --lr-schedule linear"
    "--estimator pt --temperatures 4 --k 2"
    "--estimator tt --temperatures 5 --k 2 --chains 40 --lr 0.5 --uniforms host"
    "--optimizer adam --lr 0.01 --uniforms host"
    "--estimator pcd --fast-weights 0.1 --momentum 0"
)
epochs() { grep -o '"epoch":[0-9]*,"reconstruction_error":[^,]*' "$1/metrics.jsonl"; }
for kind in "${!kinds[@]}"; do
    # shellcheck disable=SC2086
    "$program" train "${options[@]}" ${kinds[$kind]} --out "whole-$kind" >/dev/null
done
# Kills come within the time of a run, or a little later.
start=$(date +%s%N)
"$program" train "${options[@]}" --out timed >/dev/null
milliseconds=$((($(date +%s%N) - start) / 1000000))
hit=0 kills=0 different=0
for run in $(seq "$runs"); do
    kind=$((run % ${#kinds[@]}))
    # shellcheck disable=SC2086
    anew=("$program" train "${options[@]}" ${kinds[$kind]} --out "run-$run")
    command=("${anew[@]}") killed=0
    for attempt in $(seq 100); do
        "${command[@]}" >/dev/null 2>>errors &
        process=$!
        if [ "$attempt" -lt 20 ]; then
            sleep "$(awk -v most="$milliseconds" -v seed="$run$attempt" 'BEGIN { srand(seed); print rand() * most * 0.9 / 1000 }')"
            kill -KILL $process 2>/dev/null || true
        fi
        code=0
        wait $process 2>/dev/null || code=$?
        [ $code -eq 137 ] && kills=$((kills + 1))
        [ $code -eq 0 ] && { [ $killed -eq 1 ] || [ "$attempt" -ge 20 ]; } && break
        # A run that ended before it was killed shows nothing; one killed before it began is begun by the same command.
        if [ $code -eq 0 ]; then
            rm -rf "run-$run"
            command=("${anew[@]}")
        elif [ -f "run-$run/config.json" ]; then
            killed=1
            command=("$program" train --resume "run-$run")
        fi
    done
    if ! cmp -s "run-$run/model.safetensors" "whole-$kind/model.safetensors" ||
        ! diff -q <(epochs "run-$run") <(epochs "whole-$kind") >/dev/null ||
        ! [ -f "run-$run/report.html" ] || [ -n "$(find "run-$run" -name '.rbm-gpu-*')" ]; then
        echo "run $run (${kinds[$kind]}) ended differently" >&2
        different=$((different + 1))
    fi
    hit=$((hit + killed))
    rm -rf "run-$run"
done
echo "$runs runs on $device, $hit of them killed before their end, $kills kills: $different ended with other bytes"

resident() { awk '/^VmRSS/ { print $2 }' "/proc/$1/status"; }
"$program" train --data bars-and-stripes:4 --hidden 12 --batch 4 --epochs 1000 --checkpoint-every 1 --device "$device" \
    --out memory >/dev/null &
process=$!
first='' last=''
while kill -0 $process 2>/dev/null; do
    done=$(wc -l 2>/dev/null <memory/metrics.jsonl || echo 0)
    now=$(resident $process 2>/dev/null || true)
    if [ -n "$now" ]; then
        [ "$done" -ge 100 ] && first=${first:-$now}
        # The report after the last epoch takes a megabyte, once.
        [ "$done" -lt 1000 ] && last=$now
    fi
    sleep 0.02
done
wait $process
echo "memory: $first kB after 100 epochs, $last kB at the end of 1000"
awk -v first="$first" -v last="$last" 'BEGIN { exit !(first > 0 && last <= 1.05 * first) }'
[ "$different" -eq 0 ]
