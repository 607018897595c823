#!/usr/bin/env bash
# Train on several GPUs (or CPU processes) of one or more machines:
#   tools/dist_train.sh CONFIG GPUS [arguments of tools/train.py]
# Environment: NNODES, NODE_RANK, MASTER_ADDR, PORT.
set -euo pipefail
if [ $# -lt 2 ]; then
    echo "usage: $0 CONFIG GPUS [arguments of tools/train.py]" >&2
    exit 2
fi
TOOLS="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"

# what a training that is stopped tells to go on with
ENVIRONMENT=""
for NAME in NNODES NODE_RANK MASTER_ADDR PORT; do
    ENVIRONMENT+="${!NAME:+$NAME=${!NAME} }"
done
WSL_PLUGINS_COMMAND="$ENVIRONMENT$(printf '%q ' "$0" "$@")"
export WSL_PLUGINS_COMMAND

PYTHONPATH="$TOOLS/..${PYTHONPATH:+:$PYTHONPATH}" \
exec python "$TOOLS/launch.py" \
    --nnodes="${NNODES:-1}" \
    --node-rank="${NODE_RANK:-0}" \
    --master-addr="${MASTER_ADDR:-127.0.0.1}" \
    --nproc-per-node="$2" \
    --master-port="${PORT:-29500}" \
    "$TOOLS/train.py" \
    "$1" \
    --launcher pytorch "${@:3}"
