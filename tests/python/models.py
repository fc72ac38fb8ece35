"""Models and features go to Python and come back: python3 tests/python/models.py target/release/rbm-gpu
Needs numpy; skips, with a message, the checks of safetensors and scikit-learn if they are not installed."""

import pathlib
import subprocess
import sys
import tempfile

import numpy as np

program = pathlib.Path(sys.argv[1]).resolve()
temporary = tempfile.TemporaryDirectory()
folder = pathlib.Path(temporary.name)


def run(*arguments):
    subprocess.run([program, *arguments], cwd=folder, check=True, stdout=subprocess.DEVNULL)


def transform(model):
    """p(h|v) of the data, computed by the program."""
    run("transform", model, "data.npz", "--binarize", "none", "-o", "h.npy", "--force", "--device", "cpu")
    return np.load(folder / "h.npy")


def features(w, c):
    """p(h|v) of the data, in 64 bits; w is hidden × visible."""
    return 1 / (1 + np.exp(-(values @ w.T.astype(np.float64) + c.astype(np.float64))))


def agree(what, ours, theirs, tolerance):
    difference = np.abs(ours.astype(np.float64) - theirs).max()
    assert ours.shape == theirs.shape and difference <= tolerance, f"{what}: {difference}"
    print(f"{what}: within {difference:.1e}")


rng = np.random.default_rng(1)
digits = (rng.random((2000, 784)) < 0.2) * rng.integers(0, 256, (2000, 784))
values = digits / 255
np.savez(folder / "data.npz", x_train=digits.astype(np.uint8))

run("train", "--data", "data.npz", "--hidden", "200", "--epochs", "20", "--out", "run", "--device", "cpu")
run("export", "run", "-o", "model.npz")
model = np.load(folder / "model.npz")
w, c, b = (model[name] for name in ["components_", "intercept_hidden_", "intercept_visible_"])
agree("features, against NumPy in 64 bits", transform("run"), features(w, c), 1e-6)

run("import", "model.npz", "-o", "back.safetensors")
run("export", "back.safetensors", "-o", "again.npz")
again = np.load(folder / "again.npz")
for name in model.files:
    agree(f"{name}, out and back", model[name], again[name], 0)

np.savez(folder / "rbms.npz", weight_matrix=w.T.copy(), hbias=c, vbias=b)
run("import", "rbms.npz", "-o", "rbms.safetensors")
agree("features of the arrays of rbms", transform("rbms.safetensors"), features(w, c), 1e-6)

try:
    from safetensors.numpy import load_file
except ImportError:
    print("safetensors is not installed: model.safetensors was not read in Python")
else:
    ours = load_file(folder / "run/model.safetensors")
    agree("model.safetensors, in Python", ours["weights"], w.T, 0)
    agree("its hidden biases", ours["hidden_bias"], c, 0)

try:
    from sklearn.neural_network import BernoulliRBM
except ImportError:
    print("scikit-learn is not installed: none of its models was imported")
else:
    theirs = BernoulliRBM(50, learning_rate=0.05, n_iter=3, random_state=1).fit(values)
    names = ["components_", "intercept_hidden_", "intercept_visible_"]
    np.savez(folder / "sklearn.npz", **{name: getattr(theirs, name) for name in names})
    run("import", "sklearn.npz", "-o", "sklearn.safetensors")
    agree("features of scikit-learn's model", transform("sklearn.safetensors"), theirs.transform(values), 1e-6)
