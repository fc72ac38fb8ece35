"""Writes the examples that fuzzing starts from, as other programs write such files: python3 fuzz/seeds.py
Needs numpy, scipy, scikit-learn, h5py, pillow and safetensors; the files are committed, so this is run again only to add
one."""

import gzip, hashlib, io, json, pathlib, struct, zipfile, zlib
import h5py
import numpy as np
import scipy.sparse as sparse
from PIL import Image
from safetensors.numpy import save
from sklearn.datasets import dump_svmlight_file

SEEDS = pathlib.Path(__file__).parent / "seeds"
rng = np.random.default_rng(1)


def write(parser, name, data):
    (SEEDS / parser).mkdir(parents=True, exist_ok=True)
    (SEEDS / parser / name).write_bytes(data)


def npy(array):
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def npz(save_archive, **arrays):
    out = io.BytesIO()
    save_archive(out, **arrays)
    return out.getvalue()


def zipped(name):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(zipfile.ZipInfo(name), b"1")
    return out.getvalue()


def idx(shape, data):
    return struct.pack(">BBBB", 0, 0, 8, len(shape)) + b"".join(struct.pack(">I", n) for n in shape) + data


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, depth, color, rows, more=b""):
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + more + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


images = rng.integers(0, 256, (3, 2, 3), dtype=np.uint8)
bits = rng.integers(0, 2, (4, 6))
for name, array in [("images", images), ("flat", images.reshape(3, 6))]:
    write("npy", name, npy(array))
write("npy", "fortran", npy(np.asfortranarray(rng.random((3, 5), dtype=np.float32))))
write("npy", "doubles", npy(rng.random((2, 4))))
write("npy", "bools", npy(bits == 1))
write("npy", "big-endian", npy(bits.astype(">i2")))
write("idx", "images", idx((3, 2, 3), images.tobytes()))
write("idx", "labels", idx((3,), b"\1\0\2"))
write("gzip", "images", gzip.compress(idx((3, 2, 3), images.tobytes()), mtime=0))
write("gzip", "two-members", gzip.compress(idx((3, 2, 3), b"")[:9], mtime=0)
      + gzip.compress(idx((3, 2, 3), images.tobytes())[9:], mtime=0))
labels = np.array([3, 1, 3, 0])
write("npz", "keras", npz(np.savez, x_train=bits, y_train=labels, x_test=bits[:2], y_test=labels[:2]))
write("npz", "packed", npz(np.savez_compressed, data=rng.random((4, 6)), target=labels))
write("npz", "one", npz(np.savez, arr_0=images))
write("csv", "plain", b"0,1,1\n1,0,1\n")
write("csv", "types", b"size,yes,age,n\nL,True,31.5,1\nS,False,4,0\nM,True,-2,1\n")
write("csv", "spaces", b"# p q\n1.0e+00 0.0e+00\n0.0e+00 2.5e-01\n")
write("csv", "decimal-commas", b"\xef\xbb\xbfa;b\r\n0,5;1\r\n0,25;0\r\n")
write("csv", "utf16", "k\u00e4,b\n\u00fc,0\n\U0001f600,1\n".encode("utf-16"))
write("csv", "latin1", "k,b\nM\u00fcller,0\nMeier,1\n".encode("latin-1"))
write("csv", "index", b",a,b\n" + b"".join(b"%d,%d,%d\n" % (i, i % 2, i % 3 // 2) for i in range(9)))
write("csv", "header", b"label,a,b\ncat,0,0.25\ndog,1,0.5\n")
write("csv", "quoted", b'\xef\xbb\xbf"x";"y";"label"\r\n0;255;"a ""b"""\r\n\r\n128;3;c\r\n')
write("csv", "tabs", b"1\t2\t7\n0\t255\t9\n")
write("png", "grey", png(3, 2, 8, 0, b"\0abc\0xyz"))
write("png", "bits", png(9, 2, 1, 0, b"\0\xaa\x80\0\x55\x00"))
write("png", "colours", png(2, 2, 8, 6, b"\1abcdefgh\2ABCDEFGH"))
write("png", "sixteen", png(2, 1, 16, 2, b"\0abcdefghijkl"))
write("png", "palette", png(2, 1, 4, 3, b"\0\x01", chunk(b"PLTE", b"abcdef") + chunk(b"tEXt", b"a\0b")))
white = np.array([[0, 1, 0], [1, 1, 0]], np.uint8)
write("mask", "array", npy(white))
write("mask", "picture", png(3, 2, 8, 0, b"\0\x00\xff\x00\0\xff\xff\x00"))

w, b, c = (rng.normal(size=shape).astype(np.float32) for shape in [(3, 2), (3,), (2,)])
ours = {"weights": w, "visible_bias": b, "hidden_bias": c}
options = {"data": "bars-and-stripes:3", "hidden": 2, "momentum": "0.5@0,0.9@5", "image": "3x1", "limit": 9}
write("model", "ours", save(ours, {"rbm_gpu_config": json.dumps(options)}))
write("model", "foreign", save({"rbm.W": w.T.copy(), "rbm.v_bias": b, "rbm.h_bias": c}))
write("model", "doubles", save({"w": w.astype(np.float64), "bv": b.astype(np.float64), "bh": c.astype(np.float64)}))
sklearn = {"components_": w.T.copy(), "intercept_hidden_": c, "intercept_visible_": b}
write("arrays", "ours", save(ours))
write("arrays", "sklearn", npz(np.savez, **{name: a.astype(np.float64) for name, a in sklearn.items()}))
write("arrays", "sklearn-safetensors", save(sklearn))
write("arrays", "rbms", npz(np.savez_compressed, weight_matrix=w, hbias=c, vbias=b))
position = {"epoch": 1, "steps": 2, "steps_an_epoch": 5, "cases": 20, "cost_cases": 10, "seconds": 0.5, "tries": [4, 3],
            "ladder": [[0, 0], [2, 7], [1, 0]],
            "doctor": {"said": ["dead-hidden"], "errors": [9.5], "largest_shift": 0.25}}
state = ours | {"velocity_" + name: 0 * a for name, a in ours.items()} | {"inverse_temperatures": np.float32([1, 0])}
state = save(state, {"rbm_gpu_position": json.dumps(position), "sha256": 64 * "0"})
write("checkpoint", "run", state.replace(64 * b"0", hashlib.sha256(state).hexdigest().encode()))
write("table", "matrix", b"0.5,-1e-3\n1,2\n")
write("table", "column", b"1\r\n-2.5e1\r\n")

config = {"version": "0.1.0", "data": "mnist", "validation": 0.1, "classes": ["3", "5"], "divide_by": 255.0,
          "invert": "on", "hidden": 500, "epochs": 10, "batch": 100, "learning_rate": 0.1, "momentum": 0.5,
          "optimizer": "adam", "weight_decay": 0.0001, "max_norm": None, "estimator": "pcd", "k": "1@0,5@20",
          "chains": 10, "lr_schedule": "linear", "centred": "on", "average": 0.4, "binarize": "sample",
          "device": "cpu", "seed": 1, "out": "runs/x", "device_used": {"name": "cpu"}, "visible": 784}
write("config", "run", json.dumps(config).encode())
write("config", "defaults", b"{}")
line = {"epoch": 1, "reconstruction_error": 9.5, "seconds": 1.0,
        "findings": [{"severity": "error", "name": "non-finite", "seen": "a", "why": "b", "fix": "c"}]}
write("metrics", "run", (json.dumps(line) + "\n" + json.dumps({"epoch": 2, "reconstruction_error": 7}) + "\n").encode())
line |= {"training_reconstruction_error": 9, "samples_per_second": 1e4, "swaps": {"acceptance": [0.5, 0.25], "round_trips": 3},
         "eval": {"log_z_method": "ais", "reliable": True, "train_log_likelihood": -3.5, "test_log_likelihood": -4,
                  "test_log_likelihood_low": -4.5, "test_log_likelihood_high": -3.5, "free_energy_gap": 0.1,
                  "pseudo_log_likelihood_per_unit": -0.2}}
two = json.dumps(line) + "\n" + json.dumps(line | {"epoch": 2, "reconstruction_error": 7, "findings": []}) + "\n"
write("report", "run", (json.dumps(config) + "\n" + two).encode())
write("report", "failed", b'{"epochs": 3}\n{"epoch": 1, "reconstruction_error": 1e-9}\n{"epoch": 2, "error": "diverged"}\n{"ep')
# Two rows of two tiles of 2x3 pixels, 7 times enlarged, with 2 pixels between them.
grey = np.full((34, 48), 48, np.uint8)
grey[2:16, 2:23], grey[18:32, 25:46] = 200, 90
write("picture", "tiles", png(48, 34, 8, 0, b"".join(b"\0" + row.tobytes() for row in grey)))
write("log", "tensorboard", b"Wall time,Step,Value\n1600000000.5,1,5.5\n1600000001.5,2,4.5\n")
write("log", "sklearn", b"[BernoulliRBM] Iteration 1, pseudo-likelihood = -201.33, time = 1.12s\n"
      b"[BernoulliRBM] Iteration 2, pseudo-likelihood = -150.07, time = 1.10s\n")
write("log", "text", b"Epoch: 0\ncost =  [ 969572.5]\nEpoch: 1\ncost =  [ 2.5e3]\nepoch 2 loss: nan\n")
write("log", "json", b'{"epoch": 1, "loss": 3.5}\n{"epoch": 2, "loss": NaN}\n{"loss": -Infinity}\n')
write("log", "columns", b"1, 5.5\n2, 4.5\n\n3, 4.25\n4, 4.25\n5, 4.25\n6, 1\n")
write("plot", "falling", np.array([9.0, 4.5, 3.0, 2.5]).tobytes())
write("plot", "wild", np.array([1e-300, -1e300, np.inf, np.nan, 0.0]).tobytes())
write("fasta", "rna", b">one\nACGU-\n>two, of two lines\nGG\n.cn\n")
write(
    "stockholm",
    "rna",
    b"# STOCKHOLM 1.0\n#=GF ID x\n\na/1-6 ACg\nb -C.\n#=GR b PP 99.\n#=GC RF xx.\n\na/1-6 GUC\nb GU~\n#=GC RF xxx\n//\n",
)
write("stockholm", "protein", b"# STOCKHOLM 1.0\nQ9/2-9  LPg.EWX\n\nP1 LP.kDW-\n//\n")
write("fasta", "protein", b">>a/1-9 more\r\nLPGEWX-*Y\r\n\r\n>b\r\nACDEFGHIK\r\n")


def picture(mode, size, kind, **options):
    out = io.BytesIO()
    pixels = bytes(range(0, 240, 5)) * 99
    Image.frombytes(mode, size, pixels[:size[0] * size[1] * len(mode)]).save(out, kind, **options)
    return out.getvalue()


write("jpeg", "grey", picture("L", (9, 8), "jpeg"))
write("jpeg", "colours", picture("RGB", (17, 9), "jpeg"))
write("jpeg", "progressive", picture("RGB", (8, 8), "jpeg", progressive=True))
write("jpeg", "bmp", picture("RGB", (5, 3), "bmp"))
write("jpeg", "pgm", picture("L", (5, 3), "ppm"))
write("jpeg", "text-pgm", b"P2\n# a comment\n3 2\n15\n0 1 2\n3 4 15\n")
write("labels", "names", npy(np.array(["cat", "dog", "cat", ""])))
write("labels", "bytes", npy(np.array([b"a", b"bc", b"a", b"d"])))
write("labels", "one-hot", npy(np.asfortranarray(np.eye(4)[[1, 0, 3, 3]])))
write("labels", "large", npy(np.array([2**62, -1, 3, 2**62])))
write("labels", "floats", npy(np.array([1, 2, 300, 1], ">f4")))
write("idx", "qmnist", b"\0\0\x0c\x02" + np.array([3, 2, 7, 1, 4, 1, 7, 1], ">u4").tobytes())
write("kind", "pickle", b"\x80\x04\x95\x05\0\0\0\0\0\0\0]\x94.")
write("kind", "torch", zipped("archive/data.pkl"))
write("kind", "sheet", zipped("xl/workbook.xml"))
write("kind", "folder", zipped("a/b.csv"))


def save_sparse(matrix):
    out = io.BytesIO()
    sparse.save_npz(out, matrix)
    return out.getvalue()


def svmlight(matrix, labels, **options):
    out = io.BytesIO()
    dump_svmlight_file(matrix.astype(float), labels, out, **options)
    return out.getvalue()


few = (np.arange(5 * 70).reshape(5, 70) % 41 == 0).astype(np.uint8)
for form in ["csr", "csc", "coo", "bsr"]:
    write("sparse", form, save_sparse(sparse.csr_matrix(few).asformat(form)))
write("sparse", "array", save_sparse(sparse.csr_array(few * 0.25)))
write("sparse", "blocks", save_sparse(sparse.bsr_matrix(few * 255, blocksize=(5, 7))))
write("svmlight", "from-zero", svmlight(few, np.arange(5) % 2))
write("svmlight", "from-one", svmlight(few * 0.5, np.arange(5) % 2, zero_based=False, comment="one", query_id=[1, 1, 2, 2, 2]))
write("svmlight", "plain", b"+1 3:1 9:1\n-1\n\n# none\n+1 1:0.25 9:1e-1 # more\r\n")
write("svmlight", "unlabelled", b"3:1 9:1\n1:1\n")


def hdf5(contents, libver="earliest", **how):
    """An HDF5 file as h5py writes it; arrays of numbers are stored as `how` says."""
    out = io.BytesIO()
    with h5py.File(out, "w", libver=libver, track_order=False) as file:
        for path, value in contents.items():
            is_large = isinstance(value, np.ndarray) and value.ndim == 2
            file.create_dataset(path, data=value, track_times=False, **(how if is_large else {}))
    return out.getvalue()


samples = {"samples": bits.astype(np.uint8), "labels": np.array([3, 1, 3, 0]), "variable_type": "bernoulli"}
write("hdf5", "rbms", hdf5(samples))
write("hdf5", "gzip", hdf5(samples, chunks=(3, 4), compression="gzip", shuffle=True))
write("hdf5", "lzf", hdf5(samples | {"labels": [b"a", b"b", b"a", b"b"]}, chunks=(2, 6), compression="lzf"))
write("hdf5", "latest", hdf5({"x": 2.0 * bits - 1}, "latest", chunks=(3, 4), maxshape=(None, None), fletcher32=True))
update = {"weight_matrix": rng.random((4, 3)), "vbias": np.zeros(4), "hbias": np.zeros(3)}
write("hdf5", "updates", hdf5({"model_type": "BBRBM"} | {f"update_2/params/{name}": value for name, value in update.items()}))
write("hdf5", "julia", hdf5({"rbm_hdf5_file_format_version": "1.0.0", "rbm_type": "RBM", "weights": rng.random((3, 2, 4)),
                             "visible_type": "Potts", "hidden_type": "dReLU", "visible_par": np.zeros((2, 4, 1)),
                             "hidden_par": np.ones((3, 4))}))
write("hdf5", "pgm", hdf5({"weights": rng.random((3, 4)), "v_fields": np.zeros(4), "h_theta_plus": np.zeros(3),
                           "h_theta_minus": np.zeros(3), "h_gamma_plus": np.ones(3), "h_gamma_minus": np.ones(3)}, "latest"))
write("ising", "pairs", b'{"h": {"0": 0.5, "a": -1, "b": 2e-1}, "J": [[0, "a", 1], [0, "b", -2.5]], "visible": [0]}')
write("ising", "keys", b'{"h": [0, 1, 2], "J": {"0,2": -1, "(\'1\', 2)": 0.5}, "hidden": [2]}')
