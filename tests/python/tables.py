"""Tables as pandas writes and reads them: python3 tests/python/tables.py target/debug/rbm-gpu. Needs numpy and pandas."""

import json, pathlib, subprocess, sys, tempfile
import numpy as np
import pandas as pd

PROGRAM = pathlib.Path(sys.argv[1]).resolve()
folder = pathlib.Path(tempfile.mkdtemp())
rng = np.random.default_rng(1)
CASES = 200


def run(*arguments, code=0):
    done = subprocess.run([PROGRAM, *map(str, arguments)], cwd=folder, capture_output=True, text=True)
    assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
    return done.stdout + done.stderr


def read(name, *options):
    return json.loads(run("data", name, *options, "--json"))


table = pd.DataFrame({
    "smokes": rng.random(CASES) < 0.3,
    "answer": rng.choice(["no", "yes"], CASES),
    "likes": rng.integers(0, 2, CASES),
    "city": rng.choice(["Köln", "São Paulo", "Łódź", 'so "called", here'], CASES),
    "age": rng.integers(18, 90, CASES),
    "income": rng.lognormal(10, 1, CASES).round(2),
    "z": rng.normal(size=CASES),
})
types = ["binary", "binary", "binary", "potts:4", "gaussian", "gaussian", "gaussian"]

# Whatever pandas writes has the same columns.
writers = {
    "plain.csv": dict(index=False),
    "index.csv": dict(),
    "tabs.tsv": dict(sep="\t", index=False),
    "german.csv": dict(sep=";", decimal=",", index=False),
    "utf16.csv": dict(encoding="utf-16", index=False),
    "windows.csv": dict(lineterminator="\r\n", index=False),
    "quoted.csv": dict(quoting=1, index=False),
    "packed.csv.gz": dict(index=False),
}
for name, options in writers.items():
    table.to_csv(folder / name, **options)
    columns = read(name)["columns"]
    assert [column["name"] for column in columns] == list(table), (name, columns)
    assert [column["type"] for column in columns] == types, (name, columns)
    counts = dict(map(tuple, columns[3]["words"]))
    assert counts == table.city.value_counts().to_dict(), (name, counts)
    assert np.allclose(columns[5]["range"], [table.income.min(), table.income.max()]), (name, columns)
latin = table.replace({"city": {"Łódź": "Zürich"}})
latin.to_csv(folder / "latin.csv", encoding="latin-1", index=False)
assert {word for word, _ in read("latin.csv")["columns"][3]["words"]} == set(latin.city)

# Samples have the same columns, types and categories.
run("train", "--data", "plain.csv", "--hidden", 5, "--epochs", 3, "--batch", 20, "--device", "cpu", "--out", "run")
run("sample", "run", "--chains", 50, "--steps", 20, "--device", "cpu", "-o", "samples.csv")
samples = pd.read_csv(folder / "samples.csv")
assert list(samples) == list(table) and len(samples) == 50
assert (samples.dtypes[["smokes", "likes", "age", "z"]] == [bool, np.int64, float, float]).all(), samples.dtypes
assert set(samples.answer) <= {"no", "yes"} and set(samples.city) <= set(table.city)
assert abs(samples.age.mean() - table.age.mean()) < table.age.std()
again = read("samples.csv")
assert [column["name"] for column in again["columns"]] == list(table)

# Columns of new data are found by name; what the model does not know is refused by name and line.
features = {}
for name, new in {"same.csv": table, "shuffled.csv": table[["z", "city", "age", "smokes", "income", "likes", "answer"]]}.items():
    new.assign(note="x").to_csv(folder / name, index=False)
    run("transform", "run", name, "-o", "features.csv", "--force", "--device", "cpu")
    features[name] = pd.read_csv(folder / "features.csv")
assert list(features["same.csv"]) == [f"h{i}" for i in range(1, 6)]
assert (features["same.csv"] == features["shuffled.csv"]).all(axis=None)
table.drop(columns="age").to_csv(folder / "lacks.csv", index=False)
assert '"age"' in run("reconstruct", "run", "--data", "lacks.csv", "-o", "r.csv", code=2)
table.replace({"city": {"Köln": "Bonn"}}).to_csv(folder / "new.csv", index=False)
first = 2 + int((table.city == "Köln").idxmax())
message = run("reconstruct", "run", "--data", "new.csv", "-o", "r.csv", code=2)
assert f"line {first}" in message and '"Bonn"' in message, message
run("reconstruct", "run", "--data", "plain.csv", "-o", "r.csv", "--device", "cpu")
assert list(pd.read_csv(folder / "r.csv")) == list(table)

# numpy.savetxt, and one-hot columns of pandas.
bits = rng.integers(0, 2, (30, 6))
np.savetxt(folder / "bits.txt", bits, header="made by numpy")
assert (read("bits.txt")["units"], read("bits.txt")["packing"]) == (6, "bits")
pd.get_dummies(table[["city"]]).to_csv(folder / "dummies.csv", index=False)
assert (read("dummies.csv")["units"], read("dummies.csv")["packing"]) == (4, "bits")
pd.DataFrame(rng.integers(0, 256, (30, 9))).to_csv(folder / "grey.csv", index=False)
grey = read("grey.csv")
assert (grey["units"], grey["packing"], grey["parts"][0]["cases"]) == (9, "bytes", 30)
print(f"{len(writers) + 1} tables of pandas have the same {len(types)} columns here, and samples have them there")
