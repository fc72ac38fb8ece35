#!/usr/bin/env python3
"""rbm-gpu beside numpy, PyTorch, scikit-learn and rbms, on the same work.

The work is training a Bernoulli RBM by CD-1: equal numbers of binary rows and
units, float32, whole minibatches only, no momentum, no decay. A step is five
matrix products and two draws:

    h0 = p(h | v0)             v0: a minibatch of the data
    s0 ~ h0                    hidden states are sampled,
    v1 ~ p(v | s0)             and so is the reconstruction
    h1 = p(h | v1)
    W += rate * (v0'h0 - v1'h1) / batch, and the biases likewise

Each measurement has a process of its own, so thread pools and allocators do
not interfere. It warms up for one epoch, then trains for about one and a half
seconds and takes the median epoch. A round measures each peer once, in an
order that rotates between rounds, so that other load on the machine may hit
any of them. Speeds are compared within each round; the table shows the median
of these ratios.

Each peer is written as its best user would write it without leaving the
library. Remaining differences:

rbm-gpu       `rbm-gpu bench` repeats one minibatch. It checks a step first,
              and times its kernels separately afterwards. Its memory includes
              all this, but no other rows. Its step always has momentum and
              decay, both zero.
numpy         Every array is allocated once. The two halves of the update are
              one product over twice the rows. Draws take one thread.
torch         As numpy. On the CPU, uniforms are compared with the means:
              torch.bernoulli is several times slower there. On a GPU it is
              one kernel, and is used. Products are float32, not TF32
              (PyTorch's default).
torch-graph   torch, with the step captured as a CUDA graph and replayed.
scikit-learn  BernoulliRBM has only PCD-1: its chains resume from the last step
              instead of starting at the data, at equal cost. fit is measured,
              as partial_fit converts float32 rows and parameters to float64.
              The time of fit before its first epoch (n_iter=0) is subtracted.
              Rows are not shuffled.
rbms          Its own chains and gradient (not centred: plain CD), with
              PyTorch's SGD. The library also samples states of h1, and
              allocates new arrays.

With --device cuda, memory still means host memory.
"""

import argparse
import json
import resource
import statistics
import sys
import time
from pathlib import Path

from common import (BINARY, HERE, MNIST_PIXELS, MODULES, call, capture,
                    cpus, describe, device_name, installed, megabytes, mnist,
                    open_torch, positive, print_machine, rbm_gpu_version,
                    synchronize, take_turns)

MNIST_ROWS = 60_000

RATE = 0.1
TIMED_SECONDS = 1.5
LEAST_TIMES = 3
# Short epochs are timed several at once.
LEAST_SECONDS = 0.1

DEFAULT_PEERS = {
    'cpu': ['rbm-gpu', 'numpy', 'torch', 'scikit-learn', 'rbms'],
    'cuda': ['rbm-gpu', 'torch', 'torch-graph', 'rbms'],
}


def main():
    args = parse_args()
    if args.worker:
        print(json.dumps(work(args)))
        return 0

    peers, failed = installed(args)
    if not peers:
        return 1
    measurements = take_turns(
        peers, failed, args.rounds, lambda peer, _: measure(peer, args),
        lambda result: f'{result["samples_per_second"]:,.0f} samples/s')
    if not measurements:
        return 1
    rows = summary(measurements, args.batch)
    machine = describe(measurements, args)
    print_report(rows, measurements, machine, args)
    if args.json:
        write_json(args, machine, rows, measurements)
    return 1 if failed else 0


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__.split('\n', 1)[0],
        epilog='What each peer does is written at the top of this file.')
    parser.add_argument('--peers', nargs='+', choices=MODULES, metavar='PEER',
                        help=', '.join(MODULES) + ' (default: those that '
                        'make sense on the device)')
    parser.add_argument('--device', choices=DEFAULT_PEERS, default='cpu')
    parser.add_argument('--data', choices=('random', 'mnist'),
                        default='random',
                        help='rows of which half of the bits are on, or '
                        "MNIST's pixels above 127 (default: %(default)s)")
    for option, default, text in (
            ('--batch', 256, 'rows in a minibatch'),
            ('--visible', 784, 'visible units'),
            ('--hidden', 500, 'hidden units'),
            ('--rows', 10_000, "rows of an epoch, less what doesn't fill a "
             'minibatch; rbm-gpu bench has one minibatch'),
            ('--rounds', 5, 'measurements of each peer'),
            ('--threads', cpus(), 'threads of each peer; the default is '
             'every CPU that this process may use')):
        parser.add_argument(option, type=positive, default=default,
                            metavar='N', help=text + ' (default: %(default)s)')
    parser.add_argument('--json', type=Path, metavar='FILE',
                        help='write every measurement to this file too')
    parser.add_argument('--binary', type=Path, default=BINARY, metavar='PATH',
                        help='rbm-gpu (default: target/release/rbm-gpu)')
    parser.add_argument('--worker', choices=MODULES, help=argparse.SUPPRESS)
    args = parser.parse_args()

    args.binary = args.binary.resolve()
    args.by_name = args.peers is not None
    args.peers = list(dict.fromkeys(args.peers or DEFAULT_PEERS[args.device]))
    if args.device == 'cpu' and 'torch-graph' in args.peers:
        parser.error('torch-graph needs --device cuda')
    for peer in ('numpy', 'scikit-learn'):
        if args.device == 'cuda' and peer in args.peers:
            parser.error(f'{peer} runs on no GPU: use --device cpu')
    if args.data == 'mnist' and args.visible != MNIST_PIXELS:
        parser.error(f'MNIST has {MNIST_PIXELS} pixels: leave out --visible')
    if args.data == 'mnist' and args.rows > MNIST_ROWS:
        parser.error(f'MNIST has {MNIST_ROWS} rows: --rows is too large')
    if args.rows < args.batch:
        parser.error('--rows must be at least --batch')
    return args


# ---------------------------------------------------------------------------
# One measurement, seen from outside


def measure(peer, args):
    """Starts the process that measures a peer; what it found."""
    if peer != 'rbm-gpu':
        command = [sys.executable, str(HERE / 'peers.py'), '--worker', peer]
        for option in ('device', 'data', 'batch', 'visible', 'hidden', 'rows'):
            command += [f'--{option}', str(getattr(args, option))]
        return json.loads(call(command, args)[0])

    device = 'cpu' if args.device == 'cpu' else 'discrete'
    command = [str(args.binary), 'bench', '--device', device, '--json']
    for option in ('batch', 'hidden'):
        command += [f'--{option}', str(getattr(args, option))]
    if args.data == 'mnist':
        command += ['--data', 'mnist']
    else:
        command += ['--visible', str(args.visible)]
    output, peak_mb = call(command, args)
    report = json.loads(output)
    return {
        'samples_per_second': report['samples_per_second'],
        'version': rbm_gpu_version(args),
        'device': report['device'],
        'peak_mb': peak_mb,
    }


# ---------------------------------------------------------------------------
# One measurement, in its own process


def work(args):
    """Measures the peer --worker names."""
    rows = load_rows(args)
    seconds, version, device = WORKERS[args.worker](args, rows)
    return {
        'samples_per_second': len(rows) / seconds,
        'version': version,
        'device': device,
        'peak_mb': megabytes(resource.getrusage(resource.RUSAGE_SELF)),
    }


def load_rows(args):
    """Whole minibatches of binary rows, as float32."""
    import numpy as np

    shape = (args.rows // args.batch * args.batch, args.visible)
    if args.data == 'mnist':
        bits = mnist('train-images-idx3-ubyte.gz', shape[0])
    else:
        rng = np.random.default_rng(0)
        bits = rng.integers(0, 2, shape, np.uint8)
    return bits.astype(np.float32)


def epoch_seconds(epochs):
    """The time that an epoch takes, where epochs(n) trains for n of them and
    waits until they are done."""
    def clock(count):
        start = time.perf_counter()
        epochs(count)
        return time.perf_counter() - start

    epochs(1)
    startup = min(clock(0) for _ in range(3))
    count = 1
    while clock(count) - startup < LEAST_SECONDS:
        count *= 2
    seconds = []
    start = time.perf_counter()
    while (len(seconds) < LEAST_TIMES
           or time.perf_counter() - start < TIMED_SECONDS):
        seconds.append((clock(count) - startup) / count)
    return statistics.median(seconds)


def numpy_worker(args, rows):
    import numpy as np

    batch, visible, hidden = args.batch, args.visible, args.hidden
    rng = np.random.default_rng(1)

    def empty(*shape):
        return np.empty(shape, np.float32)

    weights = rng.standard_normal((visible, hidden), np.float32)
    weights *= np.float32(0.01)
    visible_bias = np.zeros(visible, np.float32)
    hidden_bias = np.zeros(hidden, np.float32)
    # The data's half counts as it is, the model's half is taken off.
    scale = np.repeat(np.float32([RATE / batch, -RATE / batch]), batch)
    v, h = empty(2 * batch, visible), empty(2 * batch, hidden)
    (v0, v1), (h0, h1) = np.split(v, 2), np.split(h, 2)
    means, states = empty(batch, visible), empty(batch, hidden)
    visible_uniforms = empty(batch, visible)
    hidden_uniforms = empty(batch, hidden)
    gradient = empty(visible, hidden)
    half = np.float32(0.5)

    def layer(x, factor, bias, out):
        np.matmul(x, factor, out=out)
        # sigmoid(x) = (tanh(x / 2) + 1) / 2
        out += bias
        out *= half
        np.tanh(out, out=out)
        out += 1
        out *= half

    def draw(means, uniforms, out):
        rng.random(out=uniforms, dtype=np.float32)
        np.less(uniforms, means, out=out)

    def step(chosen):
        # mode='clip' writes to v0 at once; 'raise' would go through a copy.
        np.take(rows, chosen, axis=0, out=v0, mode='clip')
        layer(v0, weights, hidden_bias, out=h0)
        draw(h0, hidden_uniforms, out=states)
        layer(states, weights.T, visible_bias, out=means)
        draw(means, visible_uniforms, out=v1)
        layer(v1, weights, hidden_bias, out=h1)
        np.multiply(h, scale[:, np.newaxis], out=h)
        np.matmul(v.T, h, out=gradient)
        np.add(weights, gradient, out=weights)
        np.add(visible_bias, scale @ v, out=visible_bias)
        np.add(hidden_bias, h.sum(axis=0), out=hidden_bias)

    def epochs(count):
        for _ in range(count):
            for chosen in rng.permutation(len(rows)).reshape(-1, batch):
                step(chosen)

    return epoch_seconds(epochs), np.__version__, 'cpu'


def torch_worker(args, rows):
    torch, device = open_torch(args.device, 1)
    torch.set_grad_enabled(False)
    batch, visible, hidden = args.batch, args.visible, args.hidden
    rate = RATE / batch

    def empty(*shape):
        return torch.empty(shape, device=device)

    rows = torch.from_numpy(rows).to(device)
    weights = torch.randn(visible, hidden, device=device).mul_(0.01)
    visible_bias = torch.zeros(visible, device=device)
    hidden_bias = torch.zeros(hidden, device=device)
    # The data's half counts as it is, the model's half is taken off.
    signs = torch.ones(2 * batch, device=device)
    signs[batch:] = -1
    v, h = empty(2 * batch, visible), empty(2 * batch, hidden)
    (v0, v1), (h0, h1) = v.split(batch), h.split(batch)
    means, states = empty(batch, visible), empty(batch, hidden)
    visible_uniforms = empty(batch, visible)
    hidden_uniforms = empty(batch, hidden)

    def draw(means, uniforms, out):
        if device.type == 'cuda':
            torch.bernoulli(means, out=out)
        else:
            torch.lt(uniforms.uniform_(), means, out=out)

    def step(chosen):
        torch.index_select(rows, 0, chosen, out=v0)
        torch.addmm(hidden_bias, v0, weights, out=h0).sigmoid_()
        draw(h0, hidden_uniforms, out=states)
        torch.addmm(visible_bias, states, weights.T, out=means).sigmoid_()
        draw(means, visible_uniforms, out=v1)
        torch.addmm(hidden_bias, v1, weights, out=h1).sigmoid_()
        h1.neg_()
        weights.addmm_(v.T, h, alpha=rate)
        visible_bias.addmv_(v.T, signs, alpha=rate)
        hidden_bias.add_(h.sum(0), alpha=rate)

    if args.worker == 'torch-graph':
        # A graph reads and writes where it was captured: what it uses has to
        # stay alive, here as this function's variables, and each minibatch is
        # chosen by writing to the same indices.
        graph_chosen = torch.arange(batch, device=device)
        graph = capture(torch, lambda: step(graph_chosen))

    def train(chosen):
        if args.worker == 'torch-graph':
            graph_chosen.copy_(chosen)
            graph.replay()
        else:
            step(chosen)

    def epochs(count):
        for _ in range(count):
            order = torch.randperm(len(rows), device=device)
            for chosen in order.split(batch):
                train(chosen)
        synchronize(torch, device)

    seconds = epoch_seconds(epochs)
    return seconds, torch.__version__, device_name(torch, device)


def scikit_learn_worker(args, rows):
    import sklearn
    from sklearn.neural_network import BernoulliRBM

    model = BernoulliRBM(n_components=args.hidden, learning_rate=RATE,
                         batch_size=args.batch, random_state=1)

    def epochs(count):
        model.set_params(n_iter=count).fit(rows)

    return epoch_seconds(epochs), sklearn.__version__, 'cpu'


def rbms_worker(args, rows):
    torch, device = open_torch(args.device, 1)
    import numpy as np
    from importlib.metadata import version
    from rbms.bernoulli_bernoulli.classes import BBRBM
    from rbms.dataset.dataset_class import RBMDataset

    torch.set_grad_enabled(False)
    count_rows = len(rows)
    dataset = RBMDataset(
        data=rows, labels=np.zeros(count_rows), weights=np.ones(count_rows),
        names=np.arange(count_rows), dataset_name='peers', is_binary=True,
        device=device, dtype=torch.float32)
    model = BBRBM.init_parameters(num_hiddens=args.hidden, dataset=dataset,
                                  device=device, dtype=torch.float32)
    model.init_grad()
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE, maximize=True)

    def step(chosen):
        data = model.init_chains(
            num_samples=args.batch, weights=dataset.weights[chosen],
            start_v=dataset.data[chosen])
        # sample_state would compute p(h | v0) once more.
        chains = model.sample_hiddens(model.sample_visibles(dict(data)))
        model.compute_gradient(data, chains, centered=False)
        optimizer.step()

    def epochs(count):
        for _ in range(count):
            order = torch.randperm(count_rows, device=device)
            for chosen in order.split(args.batch):
                step(chosen)
        synchronize(torch, device)

    seconds = epoch_seconds(epochs)
    return seconds, version('rbms'), device_name(torch, device)


WORKERS = {
    'numpy': numpy_worker,
    'torch': torch_worker,
    'torch-graph': torch_worker,
    'scikit-learn': scikit_learn_worker,
    'rbms': rbms_worker,
}


# ---------------------------------------------------------------------------
# The report


def summary(measurements, batch):
    """A row of the table for each peer."""
    def speeds(peer):
        return [m['samples_per_second'] for m in measurements.get(peer, [])]

    rows = {}
    for peer, results in measurements.items():
        # A peer that fails is not tried again: the nth result is round n's.
        ratios = [ours / theirs
                  for ours, theirs in zip(speeds('rbm-gpu'), speeds(peer))]
        median = statistics.median(speeds(peer))
        rows[peer] = {
            'samples_per_second': median,
            'min': min(speeds(peer)),
            'max': max(speeds(peer)),
            'step_us': batch / median * 1e6,
            'peak_mb': statistics.median(m['peak_mb'] for m in results),
            'rbm_gpu_is_times_as_fast':
                statistics.median(ratios) if ratios else None,
        }
    return rows


def print_report(rows, measurements, machine, args):
    print(f'CD-1, {args.visible} visible and {args.hidden} hidden units, '
          f'batch {args.batch}, {args.data} data, {args.device}; '
          f'rounds: {args.rounds}\n')
    print(f'{"":12}{"samples/s":>12}{"min … max":>26}{"µs a step":>12}'
          f'{"memory":>11}   rbm-gpu is')
    for peer, row in rows.items():
        ratio = row['rbm_gpu_is_times_as_fast']
        ratio = ('' if peer == 'rbm-gpu' or ratio is None
                 else f'   {ratio:.2f}× as fast')
        spread = f'{row["min"]:,.0f} … {row["max"]:,.0f}'
        print(f'{peer:12}{row["samples_per_second"]:12,.0f}{spread:>26}'
              f'{row["step_us"]:12,.0f}{row["peak_mb"]:8,.0f} MB{ratio}')
    print_machine(machine, measurements)


def write_json(args, machine, rows, measurements):
    settings = ('device', 'data', 'batch', 'visible', 'hidden', 'rows',
                'rounds', 'threads')
    report = {
        'settings': {name: getattr(args, name) for name in settings},
        'machine': machine,
        'summary': rows,
        'measurements': measurements,
    }
    args.json.write_text(json.dumps(report, indent=2) + '\n')


if __name__ == '__main__':
    sys.exit(main())
