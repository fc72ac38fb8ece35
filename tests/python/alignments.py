"""Alignments go to Biopython and come back: python3 tests/python/alignments.py target/release/rbm-gpu
Needs numpy, biopython and safetensors."""

import gzip
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from Bio import AlignIO
from Bio.Align import MultipleSeqAlignment
from Bio.Seq import Seq
from Bio.SeqRecord import SeqRecord
from safetensors.numpy import load_file

program = pathlib.Path(sys.argv[1]).resolve()
temporary = tempfile.TemporaryDirectory()
folder = pathlib.Path(temporary.name)
cpu = ("--device", "cpu")


def run(*arguments):
    done = subprocess.run([program, *arguments], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, (arguments, done.stderr)
    return done.stdout


rng = np.random.default_rng(1)
ancestors = rng.integers(0, 21, (5, 24))
numbers = np.where(rng.random((60, 24)) < 0.8, ancestors[rng.integers(0, 5, 60)], rng.integers(0, 21, (60, 24)))
letters = np.array(list("ACDEFGHIKLMNPQRSTVWY-"))
sequences = ["".join(row) for row in letters[numbers]]
records = [SeqRecord(Seq(s), id=f"Q{i}/1-24", description="a WW domain") for i, s in enumerate(sequences)]
alignment = MultipleSeqAlignment(records)

# What Biopython writes, we read: as states, by a model without weights that copies its cases.
AlignIO.write(alignment, folder / "ours.fasta", "fasta")
AlignIO.write(alignment, folder / "ours.sto", "stockholm")
with gzip.open(folder / "packed.sto.gz", "wt") as packed:
    AlignIO.write(alignment, packed, "stockholm")
summaries = [json.loads(run("data", name, "--reweight", "0.8", "--json"))
             for name in ("ours.fasta", "ours.sto", "packed.sto.gz")]
assert summaries[0]["parts"] == summaries[1]["parts"] == summaries[2]["parts"], summaries
assert summaries[0]["units"] == 24 and summaries[0]["parts"][0]["cases"] == 60
same = (numbers[:, None] == numbers[None]).mean(2)
weights = 1 / (same >= 0.8).sum(1)
total, effective = summaries[0]["parts"][0]["weights"]
assert abs(total - weights.sum()) < 1e-4 and abs(effective - weights.sum() ** 2 / (weights**2).sum()) < 1e-3

# Cases that a mask leaves known come back as they were.
train = ("train", "--data", "ours.sto", "--hidden", "4", "--epochs", "1", "--batch", "10", "--quiet", *cpu)
run(*train, "--out", "run")
np.save(folder / "mask.npy", np.zeros((1, 24)) + (np.arange(24) == 23))
run("inpaint", "run", "--mask", "mask.npy", "--steps", "2", "--chains", "1", "--count", "60", "-o", "back.fasta", *cpu)
back = AlignIO.read(folder / "back.fasta", "fasta")
assert [str(r.seq)[:23] for r in back] == [s[:23] for s in sequences], "the letters of Biopython's Stockholm file"

# What we write, Biopython reads.
run("sample", "run", "--chains", "50", "--steps", "20", "-o", "samples.fasta", *cpu)
samples = AlignIO.read(folder / "samples.fasta", "fasta")
assert (len(samples), samples.get_alignment_length()) == (50, 24)
assert set("".join(str(r.seq) for r in samples)) <= set(letters)

# Effective couplings, from the arrays of the model: binary hidden units, second order in the weights.
run("contacts", "run", "--measure", "variances", "--with-gap", "-o", "contacts.npy", "-o", "contacts.csv")
arrays = load_file(folder / "run" / "model.safetensors")
w, c = arrays["weights"].astype(float).T, arrays["hidden_bias"].astype(float)
v = np.eye(21)[numbers].reshape(60, -1)
h = 1 / (1 + np.exp(-(v @ w.T + c)))
w = w.reshape(-1, 24, 21)
w = w - w.mean(2, keepdims=True)
f = np.sqrt((np.einsum("m,mia,mjb->ijab", (h * (1 - h)).mean(0), w, w) ** 2).sum((2, 3)))
np.fill_diagonal(f, 0)
f_site = f.sum(1) / 23
expected = f - np.outer(f_site, f_site) / f_site.mean()
np.fill_diagonal(expected, 0)
found = np.load(folder / "contacts.npy")
assert np.abs(found - expected).max() < 1e-6 * f.max(), np.abs(found - expected).max()
table = np.genfromtxt(folder / "contacts.csv", delimiter=",", names=True)
assert len(table) == 24 * 23 // 2 and (np.diff(table["corrected"]) <= 0).all()
print(f"alignments: FASTA and Stockholm of Biopython, 50 samples, weights, contacts within {np.abs(found - expected).max() / f.max():.0e}")
