"""How well scores tell a class that was never learnt from those that were: the area under the ROC curve (AUC) of
rbm-gpu's quantiles beside scikit-learn's IsolationForest and OneClassSVM, on MNIST with one class left out.

    python3 benches/anomaly.py [--program target/release/rbm-gpu] [--left-out 0,4,9] [--cases 10000]

Needs numpy and scikit-learn.
"""

import argparse
import gzip
import pathlib
import subprocess
import tempfile
import time

import numpy as np
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.svm import OneClassSVM

ROOT = pathlib.Path(__file__).parent.parent
TRAIN = "--hidden 200 --epochs 30 --estimator pcd --centred on --lr 0.05 --lr-schedule linear --momentum 0 --average 0.4 \
--binarize threshold --batch 100 --no-doctor"


def read(name, offset):
    data = gzip.open(ROOT / "assets" / "mnist" / name).read()
    return np.frombuffer(data, np.uint8, offset=offset)


def mnist(part):
    labels = read(f"{part}-labels-idx1-ubyte.gz", 8)
    images = read(f"{part}-images-idx3-ubyte.gz", 16).reshape(len(labels), 784)
    return (images > 127).astype(np.uint8), labels


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", default=ROOT / "target/release/rbm-gpu")
    parser.add_argument("--left-out", default="0,1,2,3,4,5,6,7,8,9")
    parser.add_argument("--cases", type=int, default=10_000)
    options = parser.parse_args()
    (x, y), (test, test_y) = mnist("train"), mnist("t10k")
    print("left out   rbm-gpu        IsolationForest   OneClassSVM   (AUC, seconds)")
    all_auc = []
    for left_out in map(int, options.left_out.split(",")):
        train = x[y != left_out][: options.cases]
        is_new = test_y == left_out
        row = []
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            np.save(folder / "train.npy", train)
            np.save(folder / "test.npy", test)

            def run(*words):
                subprocess.run([pathlib.Path(options.program).resolve(), *words], cwd=folder, check=True, stdout=subprocess.DEVNULL)

            start = time.time()
            run("train", "--data", "train.npy", "--validation", "0.1", "--out", "run", *TRAIN.split())
            run("score", "run", "test.npy", "--no-log-z", "-o", "scores.npy")
            row.append((np.load(folder / "scores.npy")[:, 0], time.time() - start))
        for model in [IsolationForest(random_state=0), OneClassSVM(gamma="scale", nu=0.1)]:
            start = time.time()
            scores = -model.fit(train.astype(np.float32)).score_samples(test.astype(np.float32))
            row.append((scores, time.time() - start))
        row = [(roc_auc_score(is_new, scores), seconds) for scores, seconds in row]
        all_auc.append([auc for auc, _ in row])
        print(f"{left_out:8}   " + "   ".join(f"{auc:.3f} {seconds:5.1f} s" for auc, seconds in row), flush=True)
    print("    mean   " + "           ".join(f"{auc:.3f}" for auc in np.mean(all_auc, axis=0)))


main()
