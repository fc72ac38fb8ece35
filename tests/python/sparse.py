"""Sparse rows that SciPy and scikit-learn write are read as the same rows in a dense file, and train the same model:
python3 tests/python/sparse.py PATH-OF-RBM-GPU"""

import gzip, json, pathlib, subprocess, sys, tempfile
import numpy as np
import scipy.sparse as sparse
from sklearn.datasets import dump_svmlight_file, load_svmlight_file

program = pathlib.Path(sys.argv[1]).resolve()
folder = pathlib.Path(tempfile.mkdtemp())
random = np.random.default_rng(1)
cases, units = 120, 401
matrix = sparse.random(cases, units, 0.02, format="csr", random_state=1)
labels = random.integers(0, 3, cases)
kinds = {
    "ones": np.ones(matrix.nnz),
    "bytes": random.integers(1, 256, matrix.nnz).astype(np.uint8),
    "grey": random.random(matrix.nnz, dtype=np.float32),
    "negative": random.normal(size=matrix.nnz).astype(np.float32),
}
checked = 0


def run(*arguments):
    done = subprocess.run([program, *arguments], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, (arguments, done.stderr)
    return done.stdout


def refused(name, expected):
    done = subprocess.run([program, "data", name], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 2 and expected in done.stderr, (name, done.stderr)


def summary(name, *options):
    found = json.loads(run("data", name, "--json", *options))
    found.pop("sparse", None)
    found.pop("notes", None)
    for part in found["parts"]:
        part.pop("classes")
    return found


def parameters(name, *options):
    """The parameters of a trained model, as bytes."""
    out = tempfile.mkdtemp(dir=folder) + "/run"
    run("train", "--data", name, "--hidden", "7", "--epochs", "2", "--batch", "16", "--device", "cpu",
        "--out", out, *options)
    written = (folder / out / "model.safetensors").read_bytes()
    return written[8 + int.from_bytes(written[:8], "little"):]


for kind, numbers in kinds.items():
    matrix.data = numbers
    options = ["--visible", "gaussian"] if kind == "negative" else []
    np.save(folder / "dense.npy", matrix.toarray())
    expected, model = summary("dense.npy", *options), parameters("dense.npy", *options)
    written = []
    for form in ["csr", "csc", "coo", "bsr"]:
        for made in [sparse.csr_matrix, sparse.csr_array]:
            written.append(f"{form}-{made.__name__}.npz")
            sparse.save_npz(folder / written[-1], made(matrix).asformat(form), compressed=form != "csc")
    if kind != "bytes":  # a text has no bytes, whose scale is 255
        dump_svmlight_file(matrix, labels, str(folder / "zero.svmlight"))
        dump_svmlight_file(matrix, labels, str(folder / "one.libsvm"), zero_based=False, comment="from one")
        (folder / "packed.svm.gz").write_bytes(gzip.compress((folder / "zero.svmlight").read_bytes()))
        again = load_svmlight_file(str(folder / "zero.svmlight"), n_features=units, zero_based=True)[0]
        if (again.toarray().astype(np.float32) == matrix.toarray().astype(np.float32)).all():
            written += ["zero.svmlight", "one.libsvm", "packed.svm.gz"]
    for name in written:
        assert kind == "negative" or "sparse" in json.loads(run("data", name, "--json")), (kind, name)
        assert summary(name, *options) == expected, (kind, name, summary(name, *options), expected)
        checked += 1
    for name in written if kind == "ones" else written[:1]:
        assert parameters(name, *options) == model, (kind, name)

# Unsorted columns are put in order; a number that comes twice is refused.
turned = sparse.csr_matrix((np.ones(4), [300, 0, 39, 1], [0, 2, 2, 4]), shape=(3, 400))
sparse.save_npz(folder / "turned.npz", turned)
assert summary("turned.npz")["parts"][0]["density"] == 4 / 1200
sparse.save_npz(folder / "twice.npz", sparse.coo_matrix((np.ones(2), ([0, 0], [1, 1])), shape=(3, 4)))
refused("twice.npz", "case 0, value 1: expected one number, found more")
sparse.save_npz(folder / "dia.npz", sparse.eye(5, format="dia"))
refused("dia.npz", 'found "dia"; convert it with .tocsr()')
sparse.save_npz(folder / "huge.npz", sparse.coo_matrix((10**9, 10**9)))
refused("huge.npz", "expected at most 4194304 columns, found 1000000000")
print(f"sparse: {checked} files of SciPy and scikit-learn are read as dense ones, and train the same model")
