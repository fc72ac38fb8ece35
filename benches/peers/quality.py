#!/usr/bin/env python3
"""Time to quality: how soon rbm-gpu, numpy and PyTorch have a good model.

Each trains one RBM by one recipe on MNIST, binarised above 127, or, with
--binarize sample, with pixels sampled anew in each epoch. Time runs from the
start of the process until the model is on disk. Quality is the mean of
log p(v) over the 10,000 test images (sampled once), in nats; its evaluation
is not timed. Up to 20 hidden units log Z is exact, by enumeration in this
file. Above that, and for sampled pixels, `rbm-gpu eval` evaluates. All models
are evaluated by the same code.

The recipe is persistent contrastive divergence with centred gradients, PCD-1
(Melchior, Fischer and Wiskott 2016): all 60,000 images, shuffled anew in each
epoch, in minibatches of 100, and 100 chains. A step:

    h  = p(h | v)                      v: a minibatch of the data
    v' ~ p(v | s'),  h' = p(h | v'),  s' ~ h'           v', s': the chains
    λ += max(1/100, 1/(step + 1)) · (mean of h - λ),    step from 0
    ΔW = rate/100 · ((v - μ)ᵀ(h - λ) - (v' - μ)ᵀ(h' - λ))
    Δb = rate · (mean of v - mean of v') - ΔW λ
    Δc = rate · (mean of h - mean of h') - ΔWᵀμ

μ is the data's mean. The rate falls linearly from 0.05 to 0. There is no
momentum and no decay. W starts as N(0, 0.01²); b as the logit of the data's
mean, clipped to 0.001 … 0.999; c at 0; the chains at independent pixels with
the data's base rates. The model is the average of the parameters after every
eighth step of the last 40 %.

All arithmetic is float32. A round trains each peer once, one after another,
with its number as the seed; times are compared within rounds. Each peer is
written as its best user would write it without leaving the library:

rbm-gpu       The unmodified `train` command, until it exits. It also checks
              MNIST's SHA-256 sums. After each epoch it measures test errors,
              draws two pictures and saves the model.
numpy         Every array is allocated once. One product computes the hidden
              units of the data and of the chains; another, the whole gradient
              of W. The terms of centring, -μ and -λ times the gradients of
              the biases, are two more rows of that product. Draws take one
              thread. Sampled pixels are kept as float32, so nothing is
              converted.
torch         As numpy. On the CPU, uniforms are compared with the means:
              torch.bernoulli is several times slower there. On a GPU it is
              one kernel, and is used. Products are float32, not TF32
              (PyTorch's default).
torch-graph   torch, with the step captured as a CUDA graph and replayed.

The time of an epoch excludes start, loading and saving, and rbm-gpu's test
errors and pictures.
"""

import argparse
import json
import math
import statistics
import struct
import sys
import tempfile
import time
from pathlib import Path

from common import (BINARY, HERE, MNIST_PIXELS, MODULES, Failed, call, capture,
                    cpus, describe, device_name, installed, mnist, open_torch,
                    positive, print_machine, rbm_gpu_version,
                    take_turns)

TRAIN, TRAIN_ROWS = 'train-images-idx3-ubyte.gz', 60_000
TEST, TEST_ROWS = 't10k-images-idx3-ubyte.gz', 10_000

BATCH = 100
RATE = 0.05
# The share of the run, at its end, over which parameters are averaged, and at
# every how many steps.
AVERAGE = 0.4
AVERAGE_EVERY = 8
# λ follows the hidden means at this rate, and faster at first.
TRACK = 0.01
DEVIATION = 0.01
CLIP = 0.001

# Hidden units of which all states are enumerated here, and how many at a time.
MOST_ENUMERATED = 20
STATES_AT_ONCE = 1 << 10

DEFAULT_PEERS = {
    'cpu': ['rbm-gpu', 'numpy', 'torch'],
    'cuda': ['rbm-gpu', 'torch', 'torch-graph'],
}


def main():
    args = parse_args()
    if args.worker:
        print(json.dumps(work(args)))
        return 0

    peers, failed = installed(args)
    if not peers:
        return 1
    judge = find_judge(args)
    measurements = take_turns(
        peers, failed, args.rounds,
        lambda peer, round_: measure(peer, round_ + 1, judge, args),
        lambda result: f'{result["seconds"]:.2f} s, {nats(result)}')
    if not measurements:
        return 1
    rows = summary(measurements)
    machine = describe(measurements, args)
    print_report(rows, measurements, machine, args)
    if args.json:
        write_json(args, machine, rows, measurements)
    return 1 if failed else 0


def parse_args():
    peers = list(dict.fromkeys(sum(DEFAULT_PEERS.values(), [])))
    parser = argparse.ArgumentParser(
        description=__doc__.split('\n', 1)[0],
        epilog='The recipe, and what each peer does, are written at the top '
        'of this file.')
    parser.add_argument('--peers', nargs='+', choices=peers, metavar='PEER',
                        help=', '.join(peers) + ' (default: those that make '
                        'sense on the device)')
    parser.add_argument('--device', choices=DEFAULT_PEERS, default='cpu')
    for option, default, text in (
            ('--hidden', 16, 'hidden units'),
            ('--epochs', 20, 'passes over the training images'),
            ('--rounds', 3, 'models that each peer trains'),
            ('--threads', cpus(), 'threads of each peer; the default is '
             'every CPU that this process may use')):
        parser.add_argument(option, type=positive, default=default,
                            metavar='N', help=text + ' (default: %(default)s)')
    parser.add_argument('--binarize', choices=('threshold', 'sample'),
                        default='threshold', help='pixels above 127, or drawn '
                        'anew in each epoch (default: %(default)s)')
    parser.add_argument('--no-nats', action='store_true', help='only times: '
                        'above 20 hidden units an evaluation takes longer '
                        'than a training')
    parser.add_argument('--json', type=Path, metavar='FILE',
                        help='write every measurement to this file too')
    parser.add_argument('--binary', type=Path, default=BINARY, metavar='PATH',
                        help='rbm-gpu (default: target/release/rbm-gpu)')
    parser.add_argument('--worker', choices=MODULES, help=argparse.SUPPRESS)
    parser.add_argument('--seed', type=int, help=argparse.SUPPRESS)
    parser.add_argument('--model', type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()

    args.binary = args.binary.resolve()
    args.by_name = args.peers is not None
    args.peers = list(dict.fromkeys(args.peers or DEFAULT_PEERS[args.device]))
    if args.device == 'cpu' and 'torch-graph' in args.peers:
        parser.error('torch-graph needs --device cuda')
    if args.device == 'cuda' and 'numpy' in args.peers:
        parser.error('numpy runs on no GPU: use --device cpu')
    return args


# ---------------------------------------------------------------------------
# One measurement, seen from outside


def measure(peer, seed, judge, args):
    """Trains a model in a process of its own; how long it took, and how good
    the model is."""
    with tempfile.TemporaryDirectory() as folder:
        train = train_rbm_gpu if peer == 'rbm-gpu' else train_peer
        model, result = train(peer, seed, Path(folder) / 'run', args)
        return {'seed': seed, **result, **judge(model)}


def train_peer(peer, seed, folder, args):
    model = folder.with_suffix('.safetensors')
    command = [sys.executable, str(HERE / 'quality.py'), '--worker', peer,
               '--seed', str(seed), '--model', str(model)]
    for option in ('device', 'hidden', 'epochs', 'binarize'):
        command += [f'--{option}', str(getattr(args, option))]
    # This clock is the same in all processes.
    start = time.monotonic()
    result = json.loads(call(command, args)[0])
    return model, {'seconds': result.pop('saved_at') - start, **result}


def train_rbm_gpu(_, seed, folder, args):
    device = 'cpu' if args.device == 'cpu' else 'discrete'
    options = {
        'device': device, 'data': 'mnist', 'binarize': args.binarize,
        'hidden': args.hidden, 'epochs': args.epochs, 'batch': BATCH,
        'estimator': 'pcd', 'k': 1, 'chains': BATCH, 'centred': 'on',
        'lr': RATE, 'lr-schedule': 'linear', 'momentum': 0, 'weight-decay': 0,
        'average': AVERAGE, 'seed': seed, 'out': folder}
    command = [str(args.binary), 'train']
    for option, value in options.items():
        command += [f'--{option}', str(value)]
    start = time.monotonic()
    call(command, args)
    seconds = time.monotonic() - start
    lines = (folder / 'metrics.jsonl').read_text().splitlines()
    epochs = [epoch['seconds'] for epoch in map(json.loads, lines)
              if epoch['epoch'] > 0]
    config = json.loads((folder / 'config.json').read_text())
    return folder / 'model.safetensors', {
        'seconds': seconds,
        'epoch_seconds': sum(epochs) / args.epochs,
        'version': rbm_gpu_version(args),
        'device': config['device_used']['name'],
    }


# ---------------------------------------------------------------------------
# How good a model is


def find_judge(args):
    """What turns a model's file into its log-likelihood, as rbm-gpu's JSON
    has it."""
    def nothing(_):
        return {'test_log_likelihood': None}

    if args.no_nats:
        return nothing
    if args.hidden <= MOST_ENUMERATED and args.binarize == 'threshold':
        try:
            import numpy  # noqa: F401
        except ImportError:
            print('no log-likelihoods: numpy is not installed',
                  file=sys.stderr)
            return nothing
        return enumerate_states
    try:
        call([str(args.binary), 'eval', '--help'], args)
    except (Failed, OSError):
        print(f'no log-likelihoods: above {MOST_ENUMERATED} hidden units, and '
              f'for drawn pixels, they need `rbm-gpu eval`, which '
              f'{args.binary} does not have',
              file=sys.stderr)
        return nothing
    return lambda model: estimate(model, args)


def estimate(model, args):
    """By rbm-gpu."""
    keys = ('log_z_low', 'log_z_high', 'log_z_method', 'reliable', 'reason',
            'test_log_likelihood', 'test_log_likelihood_low',
            'test_log_likelihood_high')
    device = 'cpu' if args.device == 'cpu' else 'discrete'
    output, _ = call([str(args.binary), 'eval', str(model), '--data', 'mnist',
                      '--device', device, '--binarize', args.binarize,
                      '--json'], args)
    report = json.loads(output)
    return {key: report.get(key) for key in keys}


def enumerate_states(model):
    """Exactly, in float64."""
    import numpy as np

    tensors = read_safetensors(model)
    weights, visible_bias, hidden_bias = (
        tensors[name].astype(np.float64)
        for name in ('weights', 'visible_bias', 'hidden_bias'))
    hidden = len(hidden_bias)

    def softplus_sums(x):
        # The products of all 1 + e^-|x| ≤ 2 in a row are finite: there are
        # fewer than 1024.
        products = np.prod(1 + np.exp(-np.abs(x)), axis=1)
        return np.maximum(x, 0).sum(axis=1) + np.log(products)

    # Z = Σ_h e^(c·h) Π_i (1 + e^(b_i + W_i·h))
    parts = []
    bits = np.arange(hidden)
    for first in range(0, 1 << hidden, STATES_AT_ONCE):
        numbers = np.arange(first, min(first + STATES_AT_ONCE, 1 << hidden))
        states = (numbers[:, np.newaxis] >> bits & 1).astype(np.float64)
        sums = softplus_sums(states @ weights.T + visible_bias)
        parts.append(np.logaddexp.reduce(states @ hidden_bias + sums))
    log_z = float(np.logaddexp.reduce(parts))

    rows = mnist(TEST, TEST_ROWS).astype(np.float64)
    sums = softplus_sums(rows @ weights + hidden_bias)
    likelihood = float(np.mean(rows @ visible_bias + sums)) - log_z
    return {'log_z_low': log_z, 'log_z_high': log_z,
            'log_z_method': 'enumeration', 'reliable': math.isfinite(log_z),
            'test_log_likelihood': likelihood}


def read_safetensors(path):
    """Tensors of float32 by name."""
    import numpy as np

    data = path.read_bytes()
    start = 8 + struct.unpack_from('<Q', data)[0]
    header = json.loads(data[8:start])
    header.pop('__metadata__', None)
    tensors = {}
    for name, tensor in header.items():
        begin, end = tensor['data_offsets']
        values = np.frombuffer(data[start + begin:start + end], '<f4')
        tensors[name] = values.reshape(tensor['shape'])
    return tensors


def write_safetensors(path, tensors):
    header, end = {}, 0
    for name, tensor in tensors.items():
        begin, end = end, end + tensor.nbytes
        header[name] = {'dtype': 'F32', 'shape': tensor.shape,
                        'data_offsets': [begin, end]}
    text = json.dumps(header).encode()
    # The tensors begin at a multiple of eight bytes.
    text += b' ' * (-len(text) % 8)
    with path.open('wb') as file:
        file.write(struct.pack('<Q', len(text)) + text)
        for tensor in tensors.values():
            file.write(tensor.astype('<f4').tobytes())


# ---------------------------------------------------------------------------
# One measurement, in its own process


def work(args):
    """Trains and saves the model of the peer --worker names."""
    import numpy as np

    rows = mnist(TRAIN, TRAIN_ROWS, grey=args.binarize == 'sample')
    density = rows.mean(axis=0, dtype=np.float64)
    parameters, seconds, version, device = WORKERS[args.worker](
        args, rows, density)
    names = ('weights', 'visible_bias', 'hidden_bias')
    write_safetensors(args.model, dict(zip(names, parameters)))
    return {
        'saved_at': time.monotonic(),
        'epoch_seconds': seconds / args.epochs,
        'version': version,
        'device': device,
    }


def initial_visible_bias(np, density):
    clipped = np.clip(density, CLIP, 1 - CLIP)
    return np.log(clipped / (1 - clipped)).astype(np.float32)


def train(args, minibatches, step, average):
    """The recipe. minibatches() are an epoch's, shuffled; step(minibatch,
    rate, track) learns from one, and average() adds the parameters to their
    sum. Returns how many are in the sum."""
    steps = args.epochs * (TRAIN_ROWS // BATCH)
    first_averaged = math.floor(steps * (1 - AVERAGE))
    done = averaged = 0
    for _ in range(args.epochs):
        for minibatch in minibatches():
            step(minibatch, RATE * (1 - done / steps),
                 max(TRACK, 1 / (done + 1)))
            if done >= first_averaged and done % AVERAGE_EVERY == 0:
                average()
                averaged += 1
            done += 1
    return averaged


def numpy_worker(args, rows, density):
    import numpy as np

    visible, hidden = MNIST_PIXELS, args.hidden
    rng = np.random.default_rng(args.seed)

    def empty(*shape):
        return np.empty(shape, np.float32)

    weights = rng.standard_normal((visible, hidden), np.float32)
    weights *= DEVIATION
    visible_bias = initial_visible_bias(np, density)
    hidden_bias = np.zeros(hidden, np.float32)
    parameters = [weights, visible_bias, hidden_bias]
    sums = [np.zeros_like(parameter) for parameter in parameters]
    visible_offset = density.astype(np.float32)
    hidden_offset = np.full(hidden, 0.5, np.float32)

    # The data, the chains, and two rows for what centring takes off.
    left, right = empty(2 * BATCH + 2, visible), empty(2 * BATCH + 2, hidden)
    v, h = left[:-2], right[:-2]
    (data, chains), (h_data, h_chains) = np.split(v, 2), np.split(h, 2)
    np.negative(visible_offset, out=left[-2])
    hidden_gradient = right[-2]
    visible_gradient = left[-1]
    chosen_rows = np.empty((BATCH, visible), rows.dtype)
    means, states = empty(BATCH, visible), empty(BATCH, hidden)
    visible_uniforms = empty(BATCH, visible)
    hidden_uniforms = empty(BATCH, hidden)
    gradient = empty(visible, hidden)
    # The data's half counts as it is, the model's half is taken off.
    signs = np.repeat(np.float32([1 / BATCH, -1 / BATCH]), BATCH)
    scale = empty(2 * BATCH)

    def layer(x, factor, bias, out):
        np.matmul(x, factor, out=out)
        # sigmoid(x) = (tanh(x / 2) + 1) / 2
        out += bias
        out *= 0.5
        np.tanh(out, out=out)
        out += 1
        out *= 0.5

    def draw(means, uniforms, out):
        rng.random(out=uniforms, dtype=np.float32)
        np.less(uniforms, means, out=out)

    def step(chosen, rate, track):
        # mode='clip' writes to the array at once; 'raise' would go through a
        # copy.
        np.take(rows, chosen, axis=0, out=chosen_rows, mode='clip')
        if rows.dtype == bool:
            np.copyto(data, chosen_rows)
        else:
            draw(chosen_rows, visible_uniforms, out=data)
        layer(states, weights.T, visible_bias, out=means)
        draw(means, visible_uniforms, out=chains)
        layer(v, weights, hidden_bias, out=h)
        draw(h_chains, hidden_uniforms, out=states)

        np.add(hidden_offset, track * (h_data.mean(axis=0) - hidden_offset),
               out=hidden_offset)
        np.negative(hidden_offset, out=right[-1])
        np.multiply(signs, rate, out=scale)
        np.multiply(h, scale[:, np.newaxis], out=h)
        np.sum(h, axis=0, out=hidden_gradient)
        np.matmul(scale, v, out=visible_gradient)
        np.matmul(left.T, right, out=gradient)
        np.add(weights, gradient, out=weights)
        np.add(visible_bias, visible_gradient - gradient @ hidden_offset,
               out=visible_bias)
        np.add(hidden_bias, hidden_gradient - visible_offset @ gradient,
               out=hidden_bias)

    def minibatches():
        return rng.permutation(len(rows)).reshape(-1, BATCH)

    def average():
        for total, parameter in zip(sums, parameters):
            np.add(total, parameter, out=total)

    start = time.perf_counter()
    draw(visible_offset, visible_uniforms, out=chains)
    layer(chains, weights, hidden_bias, out=h_chains)
    draw(h_chains, hidden_uniforms, out=states)
    averaged = train(args, minibatches, step, average)
    model = [total / averaged for total in sums]
    return model, time.perf_counter() - start, np.__version__, 'cpu'


def torch_worker(args, rows, density):
    torch, device = open_torch(args.device, args.seed)
    import numpy as np

    torch.set_grad_enabled(False)
    visible, hidden = MNIST_PIXELS, args.hidden

    def empty(*shape):
        return torch.empty(shape, device=device)

    grey = rows.dtype != bool
    rows = torch.from_numpy(rows if grey else rows.view(np.uint8)).to(device)
    if device.type == 'cuda':
        rows = rows.float()
    weights = torch.randn(visible, hidden, device=device).mul_(DEVIATION)
    visible_bias = torch.from_numpy(
        initial_visible_bias(np, density)).to(device)
    hidden_bias = torch.zeros(hidden, device=device)
    parameters = [weights, visible_bias, hidden_bias]
    sums = [torch.zeros_like(parameter) for parameter in parameters]
    visible_offset = torch.from_numpy(density).float().to(device)
    hidden_offset = torch.full((hidden,), 0.5, device=device)

    # The data, the chains, and two rows for what centring takes off.
    left, right = empty(2 * BATCH + 2, visible), empty(2 * BATCH + 2, hidden)
    v, h = left[:-2], right[:-2]
    (data, chains), (h_data, h_chains) = v.split(BATCH), h.split(BATCH)
    torch.neg(visible_offset, out=left[-2])
    hidden_gradient = right[-2]
    visible_gradient = left[-1]
    chosen_rows = torch.empty(BATCH, visible, dtype=rows.dtype, device=device)
    means, states = empty(BATCH, visible), empty(BATCH, hidden)
    visible_uniforms = empty(BATCH, visible)
    hidden_uniforms = empty(BATCH, hidden)
    gradient = empty(visible, hidden)
    # The data's half counts as it is, the model's half is taken off.
    signs = torch.full((2 * BATCH,), 1 / BATCH, device=device)
    signs[BATCH:].neg_()
    scale = empty(2 * BATCH)

    def draw(means, uniforms, out):
        if device.type == 'cuda':
            torch.bernoulli(means, out=out)
        else:
            torch.lt(uniforms.uniform_(), means, out=out)

    def step(chosen, rate, track):
        if device.type == 'cuda' and not grey:
            torch.index_select(rows, 0, chosen, out=data)
        else:
            torch.index_select(rows, 0, chosen, out=chosen_rows)
            if grey:
                draw(chosen_rows, visible_uniforms, out=data)
            else:
                data.copy_(chosen_rows)
        torch.addmm(visible_bias, states, weights.T, out=means).sigmoid_()
        draw(means, visible_uniforms, out=chains)
        torch.addmm(hidden_bias, v, weights, out=h).sigmoid_()
        draw(h_chains, hidden_uniforms, out=states)

        hidden_offset.lerp_(h_data.mean(0), track)
        torch.neg(hidden_offset, out=right[-1])
        torch.mul(signs, rate, out=scale)
        h.mul_(scale[:, None])
        torch.sum(h, 0, out=hidden_gradient)
        torch.mv(v.T, scale, out=visible_gradient)
        torch.mm(left.T, right, out=gradient)
        weights.add_(gradient)
        visible_bias.add_(visible_gradient)
        visible_bias.addmv_(gradient, hidden_offset, alpha=-1)
        hidden_bias.add_(hidden_gradient)
        hidden_bias.addmv_(gradient.T, visible_offset, alpha=-1)

    def minibatches():
        return torch.randperm(len(rows), device=device).split(BATCH)

    def average():
        for total, parameter in zip(sums, parameters):
            total.add_(parameter)

    def start_chains():
        draw(visible_offset.expand(BATCH, -1), visible_uniforms, out=chains)
        torch.addmm(hidden_bias, chains, weights, out=h_chains).sigmoid_()
        draw(h_chains, hidden_uniforms, out=states)

    if args.worker == 'torch-graph':
        # A graph reads and writes where it was captured: what it uses has to
        # stay alive, here as this function's variables, and what changes from
        # step to step is written to the same places.
        graph_chosen = torch.arange(BATCH, device=device)
        graph_rate = torch.zeros((), device=device)
        graph_track = torch.zeros((), device=device)
        # Warming up changes nothing that lasts: the rate is 0, and the first
        # step overwrites λ.
        start_chains()
        graph = capture(
            torch, lambda: step(graph_chosen, graph_rate, graph_track))

    def learn(chosen, rate, track):
        if args.worker == 'torch-graph':
            graph_chosen.copy_(chosen)
            graph_rate.fill_(rate)
            graph_track.fill_(track)
            graph.replay()
        else:
            step(chosen, rate, track)

    start = time.perf_counter()
    start_chains()
    averaged = train(args, minibatches, learn, average)
    # This waits for the device.
    model = [total.div_(averaged).cpu().numpy() for total in sums]
    seconds = time.perf_counter() - start
    return model, seconds, torch.__version__, device_name(torch, device)


WORKERS = {
    'numpy': numpy_worker,
    'torch': torch_worker,
    'torch-graph': torch_worker,
}


# ---------------------------------------------------------------------------
# The report


def summary(measurements):
    """A row of the table for each peer."""
    def seconds(peer):
        return [m['seconds'] for m in measurements.get(peer, [])]

    rows = {}
    for peer, results in measurements.items():
        # A peer that fails is not tried again: the nth result is round n's.
        ratios = [theirs / ours
                  for ours, theirs in zip(seconds('rbm-gpu'), seconds(peer))]
        found = [m['test_log_likelihood'] for m in results]
        rows[peer] = {
            'seconds': statistics.median(seconds(peer)),
            'min': min(seconds(peer)),
            'max': max(seconds(peer)),
            'epoch_seconds':
                statistics.median(m['epoch_seconds'] for m in results),
            'test_log_likelihood':
                None if None in found else statistics.fmean(found),
            'rbm_gpu_is_times_as_fast':
                statistics.median(ratios) if ratios else None,
        }
    return rows


def nats(result):
    """The log-likelihood of one model, marked if it is not to be relied on."""
    if result['test_log_likelihood'] is None:
        return '-'
    mark = '' if result['reliable'] else '?'
    return f'{result["test_log_likelihood"]:.2f}{mark}'


def print_report(rows, measurements, machine, args):
    pixels = {'threshold': 'above 127', 'sample': 'drawn anew'}[args.binarize]
    print(f'centred PCD-1 on MNIST, pixels {pixels}, {args.hidden} hidden '
          f'units, epochs: {args.epochs}, {args.device}; rounds: '
          f'{args.rounds}\n')
    print(f'{"":12}{"seconds":>9}{"min … max":>19}{"an epoch":>11}'
          f'{"nats":>10}   {"rbm-gpu is":16}each model\'s nats')
    for peer, row in rows.items():
        ratio = row['rbm_gpu_is_times_as_fast']
        ratio = ('' if peer == 'rbm-gpu' or ratio is None
                 else f'{ratio:.2f}× as fast')
        spread = f'{row["min"]:.2f} … {row["max"]:.2f}'
        mean = row['test_log_likelihood']
        mean = '-' if mean is None else f'{mean:.2f}'
        each = '  '.join(map(nats, measurements[peer]))
        print(f'{peer:12}{row["seconds"]:9.2f}{spread:>19}'
              f'{row["epoch_seconds"]:9.3f} s{mean:>10}   {ratio:16}{each}')
    results = sum(measurements.values(), [])
    doubts = {m['reason'] for m in results if m.get('reason')}
    if doubts:
        print('\n? not reliable: ' + '; '.join(sorted(doubts)))
    print_machine(machine, measurements)


def write_json(args, machine, rows, measurements):
    settings = ('device', 'hidden', 'epochs', 'binarize', 'rounds',
                'threads')
    report = {
        'settings': {name: getattr(args, name) for name in settings},
        'machine': machine,
        'summary': rows,
        'measurements': measurements,
    }
    args.json.write_text(json.dumps(report, indent=2) + '\n')


if __name__ == '__main__':
    sys.exit(main())
