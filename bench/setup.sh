#!/bin/sh
# Installs the libraries that the benchmark compares with, in this folder only: PyTorch in .venv, the JavaScript peers
# in peers/node_modules. Variables: PYTHON (default python3), TORCH (the requirement, default "torch").
set -eu
cd "$(dirname "$0")"

if [ ! -x .venv/bin/python ]; then "${PYTHON:-python3}" -m venv .venv; fi
.venv/bin/python -c 'import torch' 2>/dev/null || .venv/bin/pip install --quiet "${TORCH:-torch}" numpy
(cd peers && npm ci --ignore-scripts --no-audit --no-fund)

echo "PyTorch $(.venv/bin/python -c 'import torch; print(torch.__version__)')"
# jax-js needs iterator helpers (Node 22); with an older Node its own comes from the npm package node-<system>.
new=$(ls peers/node_modules/node-*/bin/node 2>/dev/null | head -1)
echo "jax-js runs on Node $("${new:-node}" --version)"
