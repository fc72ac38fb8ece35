#!/bin/sh
# Runs every test, including the kernels'. Needs Rust; on Debian and Ubuntu it installs what else is missing: a linker, and, if
# there is no adapter, Mesa's software Vulkan. A skipped test is a failure here: RBM_GPU_REQUIRE_ADAPTER.
set -eu
cd "$(dirname "$0")/.."

install() {
    if ! command -v apt-get >/dev/null; then
        echo "run.sh: $1 is missing; install it and run this again" >&2
        exit 1
    fi
    echo "run.sh: installing $1 with apt-get"
    as_root=
    [ "$(id -u)" -eq 0 ] || as_root=sudo
    $as_root apt-get update -qq
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $1 >/dev/null
}

command -v cc >/dev/null || install "gcc libc6-dev"

# The first build takes minutes, and shows its progress.
cargo test --no-run
# `cargo run` would rebuild half of it: without the tests' dependencies, other crates have other features.
program=${CARGO_TARGET_DIR:-target}/debug/rbm-gpu
if ! "$program" devices | grep -Eq '^  backend  (vulkan|metal|dx12)$'; then
    echo "run.sh: no GPU and no software adapter was found"
    install mesa-vulkan-drivers
fi
"$program" devices

RBM_GPU_REQUIRE_ADAPTER=1 cargo test
