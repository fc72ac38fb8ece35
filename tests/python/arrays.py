"""Arrays as NumPy writes them are read as they are: python3 tests/python/arrays.py target/release/rbm-gpu
Needs numpy and scipy."""

import gzip
import json
import pathlib
import pickle
import subprocess
import sys
import tempfile

import numpy as np
import scipy.io

program = pathlib.Path(sys.argv[1]).resolve()
temporary = tempfile.TemporaryDirectory()
folder = pathlib.Path(temporary.name)


def data(name, *options):
    done = subprocess.run([program, "data", name, *options], cwd=folder, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def summary(name):
    code, text = data(name, "--json")
    assert code == 0, (name, text)
    return json.loads(text)


def transformed(name, expected):
    """The cases, as a model with one hidden unit for each visible one sees them: p(h|v) = σ(8v − 4)."""
    out = folder / "features.npy"
    done = subprocess.run([program, "transform", "model.safetensors", name, "--device", "cpu", "-o", out, "--force"],
                          cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, (name, done.stderr)
    found = np.load(out)
    wanted = 1 / (1 + np.exp(4 - 8 * expected.reshape(len(expected), -1)))
    assert found.shape == wanted.shape and np.abs(found - wanted).max() < 1e-3, name


rng = np.random.default_rng(1)
cases = rng.integers(0, 2, (30, 4, 4)).astype(np.float32)
cases[:, 1] = rng.random((30, 4)).astype(np.float16)
np.savez(folder / "arrays.npz", weights=8 * np.eye(16), hidden_bias=np.full(16, -4.0), visible_bias=np.zeros(16))
done = subprocess.run([program, "import", "arrays.npz"], cwd=folder, capture_output=True, text=True)
assert done.returncode == 0, done.stderr

# Every type and order, and every place of the cases and of the channels.
for kind in ["<f2", ">f2", "<f4", ">f4", "<f8", ">f8"]:
    np.save(folder / "a.npy", cases.astype(kind))
    transformed("a.npy", cases)
bits = (cases > 0.5).astype(np.float32)
for kind in ["?", "u1", "<i2", ">i4", "<u8", ">i8"]:
    np.save(folder / "a.npy", bits.astype(kind))
    transformed("a.npy", bits)
for arranged in [
    np.asfortranarray(cases), cases.reshape(30, 16), np.asfortranarray(cases.reshape(30, 16)), cases[:, None],
    cases[..., None], np.moveaxis(cases, 0, -1), np.asfortranarray(np.moveaxis(cases, 0, -1)), cases[:, :, :, None].repeat(3, 3),
    cases[:, None].repeat(3, 1), np.moveaxis(cases[..., None].repeat(3, 3), 0, -1), cases.copy()[::-1][::-1],
]:
    np.save(folder / "a.npy", arranged)
    transformed("a.npy", cases)
np.savez_compressed(folder / "a.npz", X=cases.reshape(30, 16).T, y=np.arange(30) % 3)
transformed("a.npz", cases)

# Labels of every kind are the classes that Python has.
classes = rng.integers(0, 3, 30)
counts = {name: int(n) for name, n in zip(*np.unique(classes, return_counts=True))}
names = np.array(["bee", "ünï", "a long name"])
for labels, named in [
    (classes, str), (classes.astype(float), str), (np.eye(3)[classes], str), (np.eye(3, dtype=bool)[classes], str),
    (np.asfortranarray(np.eye(3)[classes]), str), (classes[:, None].astype(">i2"), str), (names[classes], names.__getitem__),
    (names[classes].astype(">U20"), names.__getitem__), (classes.astype("S3"), str),
    (classes + 10**12, lambda n: str(n + 10**12)),
]:
    np.savez(folder / "a.npz", x_train=cases, y_train=labels)
    found = dict(summary("a.npz")["parts"][0]["classes"])
    assert found == {str(named(n)): count for n, count in counts.items()}, (labels.dtype, found)
for labels in [rng.random(30), np.array([None] * 30), np.arange(29), np.array([[1, 1]] * 30), np.zeros(30, [("a", "f4")])]:
    np.savez(folder / "a.npz", x_train=cases, y_train=labels)
    told = summary("a.npz")
    assert not told["parts"][0]["classes"] and any(n.startswith("no labels: y_train") for n in told["notes"]), told

# What cannot be read is named, with the line that converts it.
(folder / "a.pkl").write_bytes(pickle.dumps(cases))
(folder / "b.npy").write_bytes(pickle.dumps(cases, protocol=2))
(folder / "mnist.pkl.gz").write_bytes(gzip.compress(pickle.dumps(cases)))
scipy.io.savemat(folder / "a.mat", {"x": cases})
np.save(folder / "objects.npy", np.array([[1, 2], [3]], dtype=object), allow_pickle=True)
np.save(folder / "fields.npy", np.zeros(3, [("a", "f4"), ("b", "f4")]))
np.save(folder / "complex.npy", cases.astype(complex))
np.save(folder / "words.npy", names)
for name, words in [("a.pkl", "a pickle"), ("b.npy", "a pickle"), ("mnist.pkl.gz", "a pickle"), ("a.mat", "loadmat"),
                    ("objects.npy", "Python objects"), ("fields.npy", "structured_to_unstructured"),
                    ("complex.npy", "np.abs"), ("words.npy", "text")]:
    code, text = data(name)
    assert code == 2 and words in text and "np.save" in text, (name, text)
print("arrays of 12 types and 12 arrangements are read alike, labels of 10 kinds are classes, and 8 files are refused in words")
