"""HDF5 files and models of other programs, by the other side: python3 tests/python/hdf5.py target/debug/rbm-gpu
h5py writes data that the program must read, and reads what it writes; models go in and out, and their free energies, computed here
by NumPy from each format's own definition, must agree. Needs numpy, h5py and safetensors."""

import json, pathlib, subprocess, sys, tempfile
import h5py
import numpy as np
from safetensors.numpy import load_file, save_file

PROGRAM = pathlib.Path(sys.argv[1]).resolve()
folder = pathlib.Path(tempfile.mkdtemp())
rng = np.random.default_rng(5)


def run(*arguments, fails=None):
    done = subprocess.run([PROGRAM, *map(str, arguments)], cwd=folder, capture_output=True, text=True)
    if fails is None:
        assert done.returncode == 0, (arguments, done.stderr)
        return done.stdout
    assert done.returncode == 2 and fails in done.stderr and "panicked" not in done.stderr, (arguments, done)


def summary(data, *more):
    return json.loads(run("data", data, "--json", *more))


# Data: every way that h5py stores an array.
bits = rng.integers(0, 2, (40, 12))
labels = rng.integers(0, 3, 40)
stored = [("earliest", {}), ("earliest", dict(chunks=(7, 5))),
          ("earliest", dict(chunks=(8, 12), compression="gzip", shuffle=True)),
          ("earliest", dict(chunks=(8, 12), compression="lzf", shuffle=True)),
          ("earliest", dict(chunks=(8, 12), fletcher32=True)), ("latest", {}),
          ("latest", dict(chunks=(7, 5), compression="gzip")), ("latest", dict(chunks=(40, 12))),
          ("latest", dict(chunks=(8, 12), maxshape=(None, 12))), ("latest", dict(chunks=(8, 12), maxshape=(None, None)))]
kinds = [np.uint8, np.int8, np.bool_, np.float16, np.float32, np.float64, np.int64, ">i2", ">f8"]
reads = 0
for number, (libver, how) in enumerate(stored):
    for dtype in kinds:
        with h5py.File(folder / "a.h5", "w", libver=libver) as f:
            f.create_dataset("samples", data=bits.astype(dtype), **how)
            f["labels"] = labels
            if number % 2:
                f["variable_type"] = "bernoulli"
            else:
                f["variable_type"] = np.bytes_("bernoulli")
        found = summary("a.h5")
        assert found["visible"] == "12 binary" and found["parts"][0]["cases"] == 40, (libver, how, dtype, found)
        assert abs(found["parts"][0]["density"] - bits.mean()) < 1e-6
        assert [count for _, count in found["parts"][0]["classes"]] == np.bincount(labels).tolist()
        reads += 1
for name, values, kind in [("ising", 2.0 * bits - 1, "12 spin"), ("categorical", rng.integers(0, 4, (40, 12)), "12 potts:4"),
                           ("continuous", rng.normal(size=(40, 12)), "12 gaussian")]:
    with h5py.File(folder / "a.h5", "w") as f:
        f["samples"], f["variable_type"], f["weights"] = values, name, rng.random(40)
        f["labels"] = [f"class {label}" for label in labels]
    found = summary("a.h5")
    assert found["visible"] == kind and len(found["parts"][0]["classes"]) == 3, found
    assert found["parts"][0]["weights"], found
with h5py.File(folder / "two.h5", "w") as f:
    f["group/one"], f["other"] = bits, bits[:7]
    f["notes"] = "text"
run("data", "two.h5", fails="/group/one [40, 12], /other [7, 12]; name one as in two.h5:/group/one")
assert summary("two.h5:/group/one")["parts"][0]["cases"] == 40
assert summary("two.h5:/other")["parts"][0]["cases"] == 7
run("data", "two.h5:/absent", fails="found nothing there")
run("data", "two.h5:/notes", fails="expected numbers")
with h5py.File(folder / "m.mat", "w", userblock_size=512) as f:
    f["x"] = bits[:, :11].T.astype(float)
with open(folder / "m.mat", "r+b") as f:
    f.write(b"MATLAB 7.3 MAT-file")
found = summary("m.mat")
assert found["units"] == 11 and found["parts"][0]["cases"] == 40 and "MATLAB" in str(found["notes"]), found
with h5py.File(folder / "complex.h5", "w") as f:
    f["x"] = bits * 1j
run("data", "complex.h5", fails="expected an array")
with h5py.File(folder / "sparse.h5", "w") as f:
    f.create_dataset("x", (10**7, 10**4), dtype="f4", chunks=(100, 100))
run("data", "sparse.h5", fails="times the file's")
(folder / "torn.h5").write_bytes((folder / "a.h5").read_bytes()[:700])
run("data", "torn.h5", fails="torn.h5")
(folder / "a.pkl").write_bytes(b"\x80\x04.")
run("data", "a.pkl", fails="pickle.load(")
run("import", "a.pkl", fails="python -c")


# Models: free energies by each format's own definition, with its own parameters.
def log_2cosh(x):
    return np.logaddexp(x, -x)


def half_gauss(b, gamma):
    """log of the integral over s >= 0 of e^(bs - gamma s²/2), by quadrature."""
    s, w = np.polynomial.legendre.leggauss(400)
    top = np.maximum(b / gamma, 0) + 12 / np.sqrt(gamma)
    s = (s + 1) / 2 * top[..., None]
    return np.log(np.sum(w * np.exp(b[..., None] * s - gamma[..., None] * s**2 / 2), -1) * top / 2)


def cgf(kind, parameters, inputs):
    theta = parameters[0]
    if kind == "binary":
        return np.logaddexp(0, theta + inputs).sum(-1)
    if kind == "spin":
        return log_2cosh(theta + inputs).sum(-1)
    if kind == "gaussian":
        return ((theta + inputs) ** 2 / 2 / parameters[1] + np.log(2 * np.pi / parameters[1]) / 2).sum(-1)
    if kind == "relu":
        return half_gauss(theta + inputs, np.broadcast_to(parameters[1], inputs.shape)).sum(-1)
    above, below, positive, negative = parameters
    wide = lambda x: np.broadcast_to(x, inputs.shape)
    return np.logaddexp(half_gauss(above + inputs, wide(positive)), half_gauss(-below - inputs, wide(negative))).sum(-1)


def energy(kind, parameters, v):
    if kind in ("binary", "spin", "potts"):
        return -(v * parameters[0]).sum(-1)
    return (parameters[1] * v**2 / 2 - parameters[0] * v).sum(-1)


def free(visible, own, hidden, others, weights, v):
    """weights are visible columns × hidden columns."""
    return energy(visible, own, v) - cgf(hidden, others, v @ weights)


def ours(path):
    """The free energies of a model of ours, of its tensors alone."""
    tensors = {name: tensor.astype(float) for name, tensor in load_file(folder / path).items()}
    def side(name):
        theta = tensors[f"{name}_bias"]
        if f"{name}_asymmetry" in tensors:
            delta = tensors[f"{name}_asymmetry"]
            return [theta + delta, theta - delta, tensors[f"{name}_precision"], tensors[f"{name}_negative_precision"]]
        return [theta] + [tensors[key] for key in [f"{name}_precision"] if key in tensors]
    return side("visible"), side("hidden"), tensors["weights"]


def close(one, other, what):
    one, other = one - one[0], other - other[0]
    error = np.max(np.abs(one - other) / np.maximum(1, np.abs(one)))
    assert error < 1e-6, (what, error)


def parameters(kind, units, states=4):
    theta = rng.normal(size=units * (states if kind == "potts" else 1)).astype("f4").astype(float)
    gamma = lambda: (0.7 + rng.random(units)).astype("f4").astype(float)
    return {"gaussian": lambda: [theta, gamma()], "relu": lambda: [theta, gamma()],
            "drelu": lambda: [theta, rng.normal(size=units).astype("f4").astype(float), gamma(), gamma()]}.get(kind, lambda: [theta])()


def states(kind, units):
    if kind == "potts":
        return np.eye(4)[rng.integers(0, 4, (20, units))].reshape(20, -1)
    return {"binary": rng.integers(0, 2, (20, units)), "spin": 2 * rng.integers(0, 2, (20, units)) - 1}.get(
        kind, rng.normal(size=(20, units))).astype(float)


JULIA = dict(binary="Binary", spin="Spin", potts="Potts", gaussian="Gaussian", relu="ReLU", drelu="dReLU")
PGM = dict(binary="Bernoulli", spin="Spin", potts="Potts", gaussian="Gaussian", relu="ReLU+", drelu="dReLU")
models = 0
for visible in ("binary", "spin", "potts", "gaussian"):
    for hidden in ("binary", "spin", "gaussian", "relu", "drelu"):
        own, others, v = parameters(visible, 6), parameters(hidden, 3), states(visible, 6)
        weights = (0.3 * rng.normal(size=(len(own[0]), 3))).astype("f4").astype(float)
        expected = free(visible, own, hidden, others, weights, v)
        stacked = lambda kind, rows: np.stack(rows, -1).reshape((6, 4, 1) if kind == "potts" else (-1, len(rows)))
        with h5py.File(folder / "julia.h5", "w") as f:
            f["rbm_hdf5_file_format_version"], f["rbm_type"] = "1.0.0", "RBM"
            f["weights"] = weights.T.reshape((3, 6, 4) if visible == "potts" else (3, 6))
            f["visible_type"], f["hidden_type"] = JULIA[visible], JULIA[hidden]
            f["visible_par"], f["hidden_par"] = stacked(visible, own), stacked(hidden, others)
        def fields(f, letter, kind, rows):
            if kind == "drelu":
                names = dict(theta_plus=-rows[0], theta_minus=rows[1], gamma_plus=rows[2], gamma_minus=rows[3])
            elif kind in ("gaussian", "relu"):
                names = dict(theta=-rows[0], gamma=rows[1])
            else:
                names = dict(fields=rows[0].reshape((6, 4) if kind == "potts" else -1))
            for name, value in names.items():
                f[f"{letter}_{name}"] = value
        with h5py.File(folder / "pgm.h5", "w") as f:
            f["visible"], f["hidden"] = PGM[visible], PGM[hidden]
            f["weights"] = weights.T.reshape((3, 6, 4) if visible == "potts" else (3, 6))
            fields(f, "v", visible, own)
            fields(f, "h", hidden, others)
        # A standardised variant of the same model, with other offsets and scales.
        with h5py.File(folder / "standard.h5", "w") as f:
            ov, oh, sv, sh = rng.normal(size=len(own[0])), rng.normal(size=3), 0.5 + rng.random(len(own[0])), 0.5 + rng.random(3)
            f["rbm_hdf5_file_format_version"], f["rbm_type"] = "1.0.0", "StandardizedRBM"
            f["weights"] = (weights * np.outer(sv, sh)).T.reshape((3, 6, 4) if visible == "potts" else (3, 6))
            f["visible_type"], f["hidden_type"] = JULIA[visible], JULIA[hidden]
            shifted = lambda rows, shift, kind: [row + shift if at < (2 if kind == "drelu" else 1) else row for at, row in enumerate(rows)]
            f["visible_par"] = stacked(visible, shifted(own, weights @ oh, visible))
            f["hidden_par"] = stacked(hidden, shifted(others, ov @ weights, hidden))
            shape = (6, 4) if visible == "potts" else (6,)
            f["offset_v"], f["scale_v"], f["offset_h"], f["scale_h"] = ov.reshape(shape), sv.reshape(shape), oh, sh
        for source in ("julia.h5", "pgm.h5", "standard.h5"):
            run("import", source, "-o", "m.safetensors", "--force")
            seen, unseen, found = ours("m.safetensors")
            close(expected, free(visible, seen, hidden, unseen, found, v), (source, visible, hidden))
            models += 1
        for to in ("rbms-jl", "pgm"):
            run("export", "m.safetensors", "--to", to, "-o", "out.h5", "--force")
            with h5py.File(folder / "out.h5") as f:
                back = f["weights"][()].reshape(3, -1).T
                if to == "rbms-jl":
                    assert f["visible_type"][()].decode() == JULIA[visible] and f["rbm_type"][()].decode() == "RBM"
                    rows = [list(np.moveaxis(f[f"{side}_par"][()], -1, 0).reshape(f[f"{side}_par"].shape[-1], -1))
                            for side in ("visible", "hidden")]
                else:
                    assert f["hidden"][()].decode() == PGM[hidden]
                    def of(letter, kind):
                        if kind == "drelu":
                            return [-f[f"{letter}_theta_plus"][()], f[f"{letter}_theta_minus"][()], f[f"{letter}_gamma_plus"][()],
                                    f[f"{letter}_gamma_minus"][()]]
                        if kind in ("gaussian", "relu"):
                            return [-f[f"{letter}_theta"][()], f[f"{letter}_gamma"][()]]
                        return [f[f"{letter}_fields"][()].reshape(-1)]
                    rows = [of("v", visible), of("h", hidden)]
            close(expected, free(visible, rows[0], hidden, rows[1], back, v), (to, visible, hidden))
            models += 1

# rbms 0.5 and 0.6, with hard links, and several updates.
for kind, hidden, visible in [("BBRBM", "binary", "binary"), ("PBRBM", "binary", "potts"), ("IIRBM", "spin", "spin"),
                              ("BGRBM", "gaussian", "binary"), ("IGRBM", "gaussian", "spin")]:
    own, theta, v = parameters(visible, 6), rng.normal(size=3), states(visible, 6)
    weights = 0.3 * rng.normal(size=(len(own[0]), 3))
    others = [theta, np.full(3, 6.0)] if hidden == "gaussian" else [theta]
    shape = (6, 4, 3) if visible == "potts" else (6, 3)
    expected = free(visible, own, hidden, others, weights, v)
    with h5py.File(folder / "rbms.h5", "w") as f:
        f["model_type"], f["parallel_chains"] = kind, np.zeros((2, 6))
        for update, scale in [(2, 0.0), (100, 1.0), (20, 0.0)]:
            params = f.create_group(f"update_{update}/params")
            for name, value in [("weight_matrix", scale * weights.reshape(shape)), ("hbias", theta),
                                ("vbias", own[0].reshape(shape[:-1]))]:
                params[name] = value
                f[f"update_{update}"][name] = params[name]
    assert "update 100 of 3" in run("import", "rbms.h5", "-o", "m.safetensors", "--force")
    seen, unseen, found = ours("m.safetensors")
    close(expected, free(visible, seen, hidden, unseen, found, v), kind)
    run("import", "rbms.h5", "--update", "20", "-o", "zero.safetensors", "--force")
    assert not ours("zero.safetensors")[2].any()
    run("import", "rbms.h5", "--update", "3", "-o", "x.safetensors", fails="has 2, 20, 100")
    run("export", "m.safetensors", "--to", "rbms", "-o", "out.h5", "--force")
    with h5py.File(folder / "out.h5") as f:
        assert f["model_type"][()].decode() == kind and f["parallel_chains"].shape == (1, 6)
        params = {name: f["update_1/params"][name][()] for name in f["update_1/params"]}
        assert sorted(params) == ["hbias", "vbias", "weight_matrix"] and params["weight_matrix"].shape == shape
        assert (f["update_1/weight_matrix"][()] == params["weight_matrix"]).all()
    again = free(visible, [params["vbias"].reshape(-1)], hidden, [params["hbias"]] + others[1:],
                 params["weight_matrix"].reshape(-1, 3), v)
    close(expected, again, ("rbms out", kind))
    models += 2

# Letters: the gap is rbms' first state and PGM's last.
weights = rng.normal(size=(6, 21, 3))
with h5py.File(folder / "rbms.h5", "w") as f:
    f["model_type"] = "PBRBM"
    params = f.create_group("update_1/params")
    params["weight_matrix"], params["vbias"], params["hbias"] = weights, np.zeros((6, 21)), np.zeros(3)
assert "-ACDEFGHIKLMNPQRSTVWY" in run("import", "rbms.h5", "-o", "m.safetensors", "--force")
assert "PGM's order" in run("export", "m.safetensors", "--to", "pgm", "-o", "out.h5", "--force")
with h5py.File(folder / "out.h5") as f:
    assert f["alphabet"][()] == b"ACDEFGHIKLMNPQRSTVWY-"
    assert np.allclose(f["weights"][()], np.roll(weights, -1, 1).transpose(2, 0, 1))
run("import", "out.h5", "-o", "m.safetensors", "--force")
run("export", "m.safetensors", "--to", "rbms", "-o", "out.h5", "--force")
with h5py.File(folder / "out.h5") as f:
    assert np.allclose(f["update_1/params/weight_matrix"][()], weights)
models += 3

# A spin glass, NetKet's wave function, and zeros and ones as spins.
own, theta, weights, v = rng.normal(size=5), rng.normal(size=3), rng.normal(size=(5, 3)), states("spin", 5)
np.savez(folder / "psi.npz", **{"Dense/kernel": weights, "Dense/bias": theta, "visible_bias": own})
run("import", "psi.npz", "-o", "m.safetensors", "--force")
seen, unseen, found = ours("m.safetensors")
psi = 2 * (v @ own + np.log(np.cosh(v @ weights + theta)).sum(-1))
close(-psi, free("spin", seen, "spin", unseen, found, v), "netket")
run("export", "m.safetensors", "--to", "netket", "-o", "back.npz", "--force")
with np.load(folder / "back.npz") as back:
    assert np.allclose(back["Dense/kernel"], weights) and np.allclose(back["visible_bias"], own)
glass = {"h": {str(i): -x for i, x in enumerate(np.concatenate([own, theta]))},
         "J": [[i, 5 + j, -weights[i, j]] for i in range(5) for j in range(3)], "visible": list(range(5))}
(folder / "glass.json").write_text(json.dumps(glass))
run("import", "glass.json", "-o", "m.safetensors", "--force")
seen, unseen, found = ours("m.safetensors")
close(-(v @ own) - log_2cosh(v @ weights + theta).sum(-1), free("spin", seen, "spin", unseen, found, v), "ising")
run("export", "m.safetensors", "--to", "ising", "-o", "out.json", "--force")
out = json.loads((folder / "out.json").read_text())
assert all(abs(out["h"][spin] - glass["h"][spin]) < 1e-6 for spin in glass["h"]) and len(out["J"]) == 15
run("export", "m.safetensors", "--to", "npz", "--as", "binary", "-o", "bits.npz", "--force")
with np.load(folder / "bits.npz") as arrays:
    as_bits = free("binary", [arrays["intercept_visible_"]], "binary", [arrays["intercept_hidden_"]], arrays["components_"].T, (v + 1) / 2)
    close(free("spin", seen, "spin", unseen, found, v), as_bits, "as binary")
models += 4

# Foreign names, either way round, in every precision.
own, theta, weights, v = rng.normal(size=5), rng.normal(size=3), rng.normal(size=(5, 3)), states("binary", 5)
for dtype, tolerance in ((np.float64, 1e-6), (np.float32, 1e-6), (np.float16, 1e-2)):
    for names in (("W", "a", "b"), ("W", "b", "c"), ("W", "vbias", "hbias"), ("W", "bv", "bh"), ("fc.weight", "v_bias", "fc.bias"),
                  ("weights", "visible_bias", "hidden_bias"), ("rbm.W", "rbm.v_bias", "rbm.h_bias")):
        for turned in (False, True):
            arrays = {names[0]: (weights.T if turned else weights).astype(dtype).copy(), names[1]: own.astype(dtype), names[2]: theta.astype(dtype)}
            if turned and names[0] == "weights":
                continue
            np.savez(folder / "f.npz", **arrays)
            save_file(arrays, folder / "f.safetensors")
            with h5py.File(folder / "f.h5", "w") as f:
                for name, value in arrays.items():
                    f[name] = value
            for file in ("f.npz", "f.safetensors", "f.h5"):
                run("import", file, "-o", "m.safetensors", "--force")
                seen, unseen, found = ours("m.safetensors")
                one, other = free("binary", [own], "binary", [theta], weights, v), free("binary", seen, "binary", unseen, found, v)
                assert np.abs(one - other - one[0] + other[0]).max() < tolerance * 20, (dtype, names, turned, file)
                models += 1
np.savez(folder / "square.npz", W=np.ones((4, 4)), vbias=np.zeros(4), hbias=np.zeros(4))
run("import", "square.npz", "-o", "x.safetensors", fails="is square")

# Samples and features come back as data.
run("train", "--data", "bars-and-stripes:3", "--hidden", "4", "--epochs", "2", "--batch", "7", "--device", "cpu", "--out", "run")
run("sample", "run", "--chains", "30", "--steps", "5", "--show", "state", "--device", "cpu", "-o", "s.h5")
with h5py.File(folder / "s.h5") as f:
    assert f["samples"].shape == (30, 9) and f["samples"].dtype == np.uint8 and f["variable_type"][()] == b"bernoulli"
assert summary("s.h5")["parts"][0]["cases"] == 30
run("transform", "run", "-o", "t.h5", "--device", "cpu")
with h5py.File(folder / "t.h5") as f:
    assert f["samples"].shape == (16, 4) and f["samples"].dtype == np.float32
assert summary("t.h5")["units"] == 4
print(f"hdf5: {reads} ways to store data are read, {models} models come in or go out with their free energies, to 1e-6")
