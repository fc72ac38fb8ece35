#!/bin/sh
# Other programs read what rbm-gpu writes, and write what it reads: SciPy, pandas, h5py, Biopython, scikit-learn. Needs Python with
# venv, and the network for the packages; on Debian and Ubuntu it installs python3-venv. Without Python it says so, and is done;
# with RBM_GPU_REQUIRE_PYTHON that is a failure.
#     sh tests/python.sh [target/debug/rbm-gpu]
set -eu
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-target}
program=${1:-$target/debug/rbm-gpu}

without() {
    echo "python.sh: $1: files were not read and written in Python" >&2
    [ -z "${RBM_GPU_REQUIRE_PYTHON:-}" ] || exit 1
    exit 0
}

if ! python3 -c 'import venv, ensurepip' 2>/dev/null; then
    command -v apt-get >/dev/null || without "python3 with venv is missing"
    echo "python.sh: installing python3-venv with apt-get"
    as_root=
    [ "$(id -u)" -eq 0 ] || as_root=sudo
    $as_root apt-get update -qq || without "apt-get cannot update"
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv >/dev/null ||
        without "python3-venv cannot be installed"
fi
python3 -m venv "$target/python"
"$target/python/bin/pip" install --quiet --disable-pip-version-check --requirement tests/python/requirements.txt ||
    without "the packages of tests/python/requirements.txt cannot be installed"
for script in tests/python/*.py; do
    echo "python.sh: $script"
    "$target/python/bin/python" "$script" "$program"
done
