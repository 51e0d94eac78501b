#!/bin/sh
# The paper's model with random weights on one GPU: probe, answers, decoding, SAM2, training, seconds and memory.
#   scripts/gpu_check.sh --out gpu.jsonl                                        # one card, at most 8 minutes
#   scripts/gpu_check.sh --out try.jsonl --device cpu --layers 2 --small         # tries it anywhere, a minute
# A JSON line is appended for each section as soon as it ends. Needs no download and no installed geomag.
set -eu
cd "$(dirname "$0")/.."
PYTHONPATH=".${PYTHONPATH:+:$PYTHONPATH}" HF_HUB_OFFLINE=1 exec "${PYTHON:-python3}" -m geomag.bench.gpu "$@"
