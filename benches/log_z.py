#!/usr/bin/env python3
"""Checks whether a bracket that `eval` calls reliable contains the exact log Z.

The models are built to deceive: modes far apart, a deep narrow mode beside a
broad state, weights that cancel, mass far from all data. All have so few
hidden units that enumeration gives log Z exactly. `eval --log-z ais` must find
it, or say that it did not. Each model is evaluated with several seeds. The
table gives, for each model: the number of answers called reliable, how many of
those exclude the exact value, the largest error, and the median width of the
brackets. Where the data have seen every mode with 1 per cent of the mass, no
reliable answer may exclude log Z. No answer for a healthy model should be
called unreliable.

    cargo build --release
    pip install numpy
    python3 benches/log_z.py
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

BINARY = Path(__file__).resolve().parent.parent / 'target' / 'release' / 'rbm-gpu'
# A quarter of what is usual for small models.
QUICK = '--rounds 1200 --temperatures 2500'


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n', 1)[0])
    parser.add_argument('--seeds', type=int, default=5, metavar='N', help='answers for each model (default: 5)')
    parser.add_argument('--draw', type=int, default=7, metavar='N', help='other models of these kinds (default: 7)')
    parser.add_argument('--only', default='', metavar='PART', help='models whose name has this in it')
    parser.add_argument('--full', action='store_true', help="eval's own options, which take four times as long")
    parser.add_argument('--binary', type=Path, default=BINARY, metavar='PATH', help='rbm-gpu')
    args = parser.parse_args()
    if not args.binary.is_file():
        parser.error(f'{args.binary} does not exist; build it first: cargo build --release')

    options = [] if args.full else QUICK.split()
    print(f'rbm-gpu eval MODEL --log-z ais {" ".join(options)} --seed S\n\n'
          '| model | the data have seen | log Z | reliable | of those without log Z | off by | width |\n'
          '| --- | --- | --- | --- | --- | --- | --- |', flush=True)
    totals = {}
    for name, seen, rbm, data in models(args.draw):
        if args.only not in name:
            continue
        with tempfile.TemporaryDirectory() as folder:
            exact, answers = answers_to(args.binary, Path(folder), rbm, data, options, args.seeds)
        reliable = [answer for answer in answers if answer['reliable']]
        # What an f32 leaves of log Z is no contradiction.
        off = [distance(answer, exact) for answer in reliable]
        wrong = sum(nats > 1e-6 * abs(exact) for nats in off)
        width = statistics.median(answer['log_z_high'] - answer['log_z_low'] for answer in answers)
        print(f'| {name} | {seen} | {exact:.3f} | {len(reliable)} of {len(answers)} | {wrong} | '
              f'{max(off, default=0):.3f} | {width:.3f} |', flush=True)
        total = totals.setdefault(seen, [0, 0, 0])
        for place, count in enumerate([len(answers), len(reliable), wrong]):
            total[place] += count
    print()
    for seen, (answers, reliable, wrong) in totals.items():
        print(f'data have seen {seen}: {answers} answers, {reliable} reliable, {wrong} of those without log Z')
    must = [total for seen, total in totals.items() if seen != SOME]
    return 1 if any(wrong for _, _, wrong in must) else 0


def distance(answer, exact):
    """How far the bracket is from log Z, in nats."""
    return max(answer['log_z_low'] - exact, exact - answer['log_z_high'], 0.0)


def answers_to(binary, folder, rbm, data, options, seeds):
    save(folder / 'model.safetensors', rbm)
    np.save(folder / 'data.npy', data.astype(np.uint8))
    command = [binary, 'eval', folder / 'model.safetensors', '--data', folder / 'data.npy',
               '--device', 'cpu', '--json']

    def answer(*more):
        return json.loads(subprocess.run([*command, *more], check=True, stdout=subprocess.PIPE).stdout)

    exact = answer('--log-z', 'enumeration')['log_z']
    return exact, [answer('--log-z', 'ais', *options, '--seed', str(seed)) for seed in range(1, seeds + 1)]


def save(path, rbm):
    """A safetensors file."""
    header, start = {}, 0
    names = ['weights', 'visible_bias', 'hidden_bias']
    for name, tensor in zip(names, rbm):
        end = start + 4 * tensor.size
        header[name] = {'dtype': 'F32', 'shape': list(tensor.shape), 'data_offsets': [start, end]}
        start = end
    text = json.dumps(header).encode()
    text += b' ' * (-len(text) % 8)
    body = b''.join(np.ascontiguousarray(tensor, '<f4').tobytes() for tensor in rbm)
    path.write_bytes(len(text).to_bytes(8, 'little') + text + body)


# Models: weights, visible biases, hidden biases.

def patterns_model(patterns, strength, masses, broad=-np.inf):
    """Modes around patterns of +1 and -1, each with a hidden unit of its own, of these log masses; beside them a broad
    state of independent visible units, of which the log mass is `broad` where that is not far below."""
    units = patterns.shape[1]
    strength = np.broadcast_to(np.asarray(strength, float), len(patterns))
    theta = np.asarray(masses) - units * np.log(2 * np.cosh(strength)) + units * np.log(2)
    if np.isfinite(broad):
        theta -= broad
    else:
        theta += 12
    weights = 2 * strength * patterns.T
    return weights, np.zeros(units), theta - strength * patterns.sum(1)


def nested_model(coarse, fine):
    """Two modes, each of which has two within, on the units that are free in it."""
    (coarse_weights, coarse_bias, hidden_bias), (weights, bias, fine_bias) = (
        patterns_model(coarse, 1.5, np.log([.7, .3])), symmetric(0.5 * fine[:, None]))
    return (np.block([[coarse_weights, np.zeros((len(coarse_bias), 1))], [np.zeros((len(bias), 2)), weights]]),
            np.concatenate([coarse_bias, bias]), np.concatenate([hidden_bias, fine_bias]))


def symmetric(couplings, field=0.0):
    """A model of spins +1 and -1 with these couplings, and a field on the visible ones."""
    return 4 * couplings, 2 * (field - couplings.sum(1)), -2 * couplings.sum(0)


def hidden_states(count):
    return (np.arange(1 << count)[:, None] >> np.arange(count)) & 1


def shares(rbm):
    """The probability of each hidden state."""
    weights, visible_bias, hidden_bias = rbm
    states = hidden_states(len(hidden_bias))
    logs = states @ hidden_bias + np.concatenate(
        [np.logaddexp(0, visible_bias + part @ weights.T).sum(1) for part in np.array_split(states, 64)])
    logs = np.exp(logs - logs.max())
    return logs / logs.sum()


def exact_samples(rng, rbm, count, where=None):
    """Draws visible states from the model, or from the part of it with some hidden states."""
    weights, visible_bias, hidden_bias = rbm
    p = shares(rbm)
    if where is not None:
        p = p * where(hidden_states(len(hidden_bias)))
    states = hidden_states(len(hidden_bias))[rng.choice(len(p), count, p=p / p.sum())]
    inputs = visible_bias + states @ weights.T
    return rng.random(inputs.shape) < 1 / (1 + np.exp(-np.clip(inputs, -500, 500)))


ALL, SOME, HEALTHY = 'all modes', 'not all', 'all modes (healthy)'


def models(draw):
    """Name, what the data have seen, parameters, data."""
    rng = np.random.default_rng(draw)

    def spins(*shape):
        return rng.choice([-1.0, 1.0], shape)

    def logs(*parts):
        return np.log(np.asarray(parts))

    def drawn(name, rbm, count=500, seen=ALL):
        return name, seen, rbm, exact_samples(rng, rbm, count)

    # Modes far apart.
    for strength in [0.8, 1.5, 3.0]:
        yield drawn(f'two equal modes, J = {strength}', patterns_model(spins(2, 100), strength, logs(.5, .5)))
    yield drawn('modes of 90 and 10 %', patterns_model(spins(2, 100), 1.0, logs(.9, .1)))
    yield drawn('modes of 99 and 1 %', patterns_model(spins(2, 100), 1.0, logs(.99, .01)), 1500)
    yield drawn('modes of 97 and 3 %, J = 3', patterns_model(spins(2, 60), 3.0, logs(.97, .03)), 1000)
    yield drawn('eight equal modes', patterns_model(spins(8, 100), 1.0, logs(*[1 / 8] * 8)))
    yield drawn('modes of 60, 25, 10 and 5 %', patterns_model(spins(4, 120), 2.0, logs(.6, .25, .1, .05)), 1000)
    # Modes of unequal width: the base rates lead to the broad one.
    yield drawn('a broad and a narrow mode', patterns_model(spins(2, 80), [0.9, 3.0], logs(.5, .5)))
    yield drawn('a broad mode of 20 %, a narrow one', patterns_model(spins(2, 80), [0.9, 3.0], logs(.2, .8)))
    # Modes within modes.
    yield drawn('nested modes', nested_model(spins(2, 80), spins(20)))
    # First-order transitions: a cold mode beside independent units.
    for mode in [.5, .1]:
        yield drawn(f'a mode of {100 * mode:.0f} % and a broad state',
                    patterns_model(spins(1, 120), 1.5, logs(mode), np.log(1 - mode)))
    yield drawn('a golf hole of 50 %', patterns_model(spins(1, 60), 5.0, logs(.5), np.log(.5)))
    yield drawn('two golf holes', patterns_model(spins(2, 60), 6.0, logs(.3, .2), np.log(.5)))
    # Couplings of either sign, patterns, magnets.
    yield drawn('±J, J = 0.5', symmetric(0.5 * spins(40, 14)))
    yield drawn('weights of 40 that cancel', symmetric(10.0 * spins(120, 12)), 300)
    yield drawn('more weights of 40', symmetric(10.0 * spins(200, 12)), 300)
    yield drawn('Hopfield patterns', symmetric(0.3 * spins(100, 3)))
    gauge = spins(60, 1) * spins(1, 10)
    yield drawn('a magnet', symmetric(0.1 * np.ones((60, 10))))
    yield drawn('a planted magnet in a field', symmetric(0.15 * gauge, 0.01 * gauge[:, 0]))
    # Few cases.
    few = patterns_model(spins(2, 60), 1.2, logs(.7, .3))
    yield drawn('six cases', few, 6, ALL)
    name, seen, rbm, data = drawn('six cases, a hundred times each', patterns_model(spins(2, 60), 2.0, logs(.6, .4)), 6)
    yield name, seen, rbm, np.repeat(data, 100, axis=0)
    # Data that are in the lighter mode for the most part.
    rbm = patterns_model(spins(2, 80), 1.2, logs(.05, .95))
    light, heavy = (exact_samples(rng, rbm, count, lambda h, mode=mode: h[:, mode] == 1)
                    for count, mode in [(480, 0), (20, 1)])
    yield 'data in the light mode, some in the other', ALL, rbm, np.concatenate([light, heavy])
    # Mass where no data are.
    yield 'no data where 95 % are', SOME, rbm, light
    for there in [.5, .2]:
        rbm = patterns_model(spins(2, 80), 1.2, logs(1 - there, there))
        data = exact_samples(rng, rbm, 500, lambda h: h[:, 0] == 1)
        yield f'no data where {100 * there:.0f} % are', SOME, rbm, data
    rbm = symmetric(0.12 * np.ones((60, 10)), 0.01)
    yield 'a magnet, data of one sign', SOME, rbm, exact_samples(rng, rbm, 500, lambda h: h.sum(1) < 5)
    rbm = patterns_model(spins(1, 60), 4.0, logs(.5), np.log(.5))
    yield 'no data in a golf hole', SOME, rbm, exact_samples(rng, rbm, 500, lambda h: h[:, 0] == 0)
    # Nothing to doubt.
    yield drawn('independent units', (np.zeros((40, 10)), rng.normal(size=40), rng.normal(size=10)), seen=HEALTHY)
    for size, deviation in [((60, 16), 0.3), ((30, 12), 1.0), ((200, 14), 0.2)]:
        rbm = rng.normal(0, deviation, size), rng.normal(size=size[0]), rng.normal(size=size[1])
        yield drawn(f'normal weights, {size[0]} × {size[1]}', rbm, seen=HEALTHY)
    yield drawn('modes that overlap', patterns_model(spins(4, 40), 0.5, logs(.4, .3, .2, .1)), seen=HEALTHY)


if __name__ == '__main__':
    sys.exit(main())
