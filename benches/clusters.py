#!/usr/bin/env python3
"""Compares estimators of the negative phase on data whose modes lie far apart.

The data are four patterns of 120 random pixels, in shares of 60, 25, 10 and
5 per cent. Each pixel flips with probability 0.02. No Gibbs chain crosses from
one pattern to another, so the task is to learn each pattern's share of the
mass. Persistent chains (pcd), parallel tempering (pt) and trajectory tempering
(tt) train on 4000 cases, with several seeds each, and are tested on 4000
others. Likelihoods are exact. The true distribution has -12.80 nats on average.

    cargo build --release
    python3 benches/clusters.py
"""

import argparse
import csv
import json
import random
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

BINARY = Path(__file__).resolve().parent.parent / 'target' / 'release' / 'rbm-gpu'
PIXELS, CASES, FLIPS = 120, 4000, 0.02
SHARES = [0.6, 0.25, 0.1, 0.05]
RECIPE = '--preset density --hidden 20 --temperatures 10 --epochs 200 --device cpu --no-doctor'


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n', 1)[0])
    parser.add_argument('--seeds', type=int, default=5, metavar='N', help='models of each (default: 5)')
    parser.add_argument('--binary', type=Path, default=BINARY, metavar='PATH', help='rbm-gpu')
    args = parser.parse_args()
    if not args.binary.is_file():
        parser.error(f'{args.binary} does not exist; build it first: cargo build --release')

    seeds = range(1, args.seeds + 1)
    print(f'rbm-gpu train {RECIPE} --estimator E --seed S\n\n'
          f'| E | {" | ".join(f"S = {seed}" for seed in seeds)} | median |\n'
          f'| --- |{" --- |" * (args.seeds + 1)}', flush=True)
    with tempfile.TemporaryDirectory() as folder:
        train, test = (Path(folder) / f'{name}.csv' for name in ['train', 'test'])
        write(train, test)
        for estimator in ['pcd', 'pt', 'tt']:
            found = [trained(args.binary, train, test, estimator, seed) for seed in seeds]
            cells = [f'{nats:.2f}' for nats in [*found, statistics.median(found)]]
            print(f'| {estimator} | {" | ".join(cells)} |', flush=True)
    return 0


def write(*paths):
    """Draws the cases: the same ones each time."""
    random.seed(4)
    patterns = [[random.random() < 0.5 for _ in range(PIXELS)] for _ in SHARES]
    for path in paths:
        with open(path, 'w', newline='') as file:
            rows = csv.writer(file)
            for _ in range(CASES):
                pattern = random.choices(patterns, SHARES)[0]
                rows.writerow([int(bit ^ (random.random() < FLIPS)) for bit in pattern])


def trained(binary, train, test, estimator, seed):
    """The exact log-likelihood of the test cases after a run."""
    run = train.parent / f'{estimator}-{seed}'
    command = [binary, 'train', '--data', train, *RECIPE.split(),
               '--estimator', estimator, '--seed', str(seed), '--out', run]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    command = [binary, 'eval', run, '--data', test, '--device', 'cpu', '--json']
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    return json.loads(answer.stdout)['train_log_likelihood']


if __name__ == '__main__':
    sys.exit(main())
