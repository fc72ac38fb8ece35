#!/bin/sh
# All that is worth knowing about a GPU, in one go: the kernel tests on it, steps at a small and at a large size beside
# its own ceilings, a sweep with its plot, and, on NVIDIA's, PyTorch on the same machine (benches/peers).
#   sh benches/gpu.sh [DEVICE]      DEVICE as for --device; discrete by default
set -eu
cd "$(dirname "$0")/.."
device=${1:-discrete}
cargo build --release
rbm_gpu=target/release/rbm-gpu
$rbm_gpu devices

echo "== every kernel against its twin"
if [ "$device" != discrete ] && [ "$device" != integrated ]; then export RBM_GPU_TEST_ADAPTER="$device"; fi
RBM_GPU_REQUIRE_ADAPTER=1 cargo test --release --test suite -- kernels:: rng::

echo "== a small step, which launches bound, and a large one, which arithmetic bounds"
$rbm_gpu bench --device "$device" --batch 256
$rbm_gpu bench --device "$device" --batch 8192 --hidden 4096

echo "== a sweep"
mkdir -p runs
$rbm_gpu bench --device "$device" --sweep --plot runs/sweep.svg --force
echo "runs/sweep.svg"

if command -v nvidia-smi > /dev/null; then
    echo "== beside PyTorch, eager and as a CUDA graph, in float32"
    python3 -m pip install -r benches/peers/requirements.txt
    python3 benches/peers/peers.py --device cuda --batch 256
    python3 benches/peers/peers.py --device cuda --batch 8192 --hidden 4096 --rows 32768
fi
