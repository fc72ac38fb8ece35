"""Code shared by peers.py and quality.py."""

import gzip
import importlib.util
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
BINARY = REPOSITORY / 'target' / 'release' / 'rbm-gpu'
MNIST = REPOSITORY / 'assets' / 'mnist'
MNIST_PIXELS = 784

# What has to be importable, and the package that it is in.
MODULES = {
    'rbm-gpu': {},
    'numpy': {'numpy': 'numpy'},
    'torch': {'numpy': 'numpy', 'torch': 'torch'},
    'torch-graph': {'numpy': 'numpy', 'torch': 'torch'},
    'scikit-learn': {'numpy': 'numpy', 'sklearn': 'scikit-learn'},
    'rbms': {'numpy': 'numpy', 'torch': 'torch', 'rbms': 'rbms'},
}
THREAD_VARIABLES = ('OMP_NUM_THREADS', 'MKL_NUM_THREADS',
                    'OPENBLAS_NUM_THREADS', 'RAYON_NUM_THREADS')


class Failed(Exception):
    """A peer that could not be measured."""


# ---------------------------------------------------------------------------
# The command line


def positive(text):
    value = int(text)
    if value < 1:
        raise ValueError
    return value


def cpus():
    """How many CPUs this process may use."""
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def installed(args):
    """The peers that are there, and those missing that were asked for."""
    peers, failed = [], set()
    for peer in args.peers:
        if peer == 'rbm-gpu':
            missing = not args.binary.is_file()
            message = (f'{args.binary} does not exist; build it first: '
                       'cargo build --release')
        else:
            missing = [package for module, package in MODULES[peer].items()
                       if importlib.util.find_spec(module) is None]
            pins = os.path.relpath(HERE / 'requirements.txt')
            message = ('not installed: python3 -m pip install '
                       f'-c {pins} {" ".join(missing)}')
        if not missing:
            peers.append(peer)
            continue
        print(f'{peer} is left out: {message}', file=sys.stderr)
        # There is nothing to compare the others with.
        if args.by_name or peer == 'rbm-gpu':
            failed.add(peer)
    return peers, failed


# ---------------------------------------------------------------------------
# Processes


def call(command, args):
    """What a command prints, and its peak memory in MB."""
    threads = dict.fromkeys(THREAD_VARIABLES, str(args.threads))
    with tempfile.TemporaryFile('w+') as errors:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True,
            stdin=subprocess.DEVNULL, env={**os.environ, **threads})
        with process.stdout as stdout:
            output = stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            errors.seek(0)
            reason = errors.read().strip() or f'exit {process.returncode}'
            raise Failed(reason)
    return output, megabytes(usage)


def take_turns(peers, failed, rounds, measure, tell):
    """Measures every peer once a round, in an order that turns.

    measure(peer, round) gives a result, of which tell(result) says the
    figures. Peers that fail are added to `failed` and left out from then on.
    """
    measurements = {peer: [] for peer in peers}
    for round_ in range(rounds):
        turn = round_ % len(peers)
        for peer in peers[turn:] + peers[:turn]:
            if peer in failed:
                continue
            try:
                result = measure(peer, round_)
            except Failed as error:
                print(f'{peer} failed: {error}', file=sys.stderr)
                failed.add(peer)
                continue
            measurements[peer].append(result)
            print(f'round {round_ + 1} of {rounds}: {peer}, {tell(result)}',
                  file=sys.stderr, flush=True)
    return {peer: results for peer, results in measurements.items() if results}


def megabytes(usage):
    """Peak resident memory, in units of 10^6 bytes."""
    unit = 1 if sys.platform == 'darwin' else 1024
    return usage.ru_maxrss * unit / 1e6


def rbm_gpu_version(args):
    return call([str(args.binary), '--version'], args)[0].split()[-1]


# ---------------------------------------------------------------------------
# Data and libraries


def mnist(name, rows, grey=False):
    """The first rows of one of MNIST's files of images, as booleans: which
    pixels are above 127. Or, grey, as float32 from 0 to 1."""
    import numpy as np

    with gzip.open(MNIST / name) as file:
        file.read(16)
        pixels = file.read(rows * MNIST_PIXELS)
    pixels = np.frombuffer(pixels, np.uint8).reshape(rows, MNIST_PIXELS)
    return pixels / np.float32(255) if grey else pixels > 127


def open_torch(device, seed):
    import torch

    if device == 'cuda' and not torch.cuda.is_available():
        sys.exit('PyTorch finds no CUDA device')
    torch.manual_seed(seed)
    return torch, torch.device(device)


def synchronize(torch, device):
    if device.type == 'cuda':
        torch.cuda.synchronize()


def device_name(torch, device):
    return torch.cuda.get_device_name() if device.type == 'cuda' else 'cpu'


def capture(torch, step):
    """A CUDA graph of a step, warmed up on a stream aside as PyTorch asks."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph


# ---------------------------------------------------------------------------
# The report


def describe(measurements, args):
    """The machine."""
    machine = {'cpu': cpu_model(), 'threads': args.threads,
               'system': f'{platform.system()} {platform.machine()}'}
    if args.device == 'cuda':
        names = {m['device'] for results in measurements.values()
                 for m in results}
        machine['gpu'] = ' and '.join(sorted(names))
    return machine


def cpu_model():
    try:
        if sys.platform == 'darwin':
            return subprocess.check_output(
                ['sysctl', '-n', 'machdep.cpu.brand_string'],
                text=True).strip()
        for line in Path('/proc/cpuinfo').read_text().splitlines():
            if line.startswith('model name'):
                return line.split(':', 1)[1].strip()
    except (OSError, subprocess.CalledProcessError):
        pass
    return platform.processor() or platform.machine()


def print_machine(machine, measurements):
    """The machine, and the peers' versions."""
    print(f'\n{machine["cpu"]}, CPUs used: {machine["threads"]}'
          + (f'; {machine["gpu"]}' if 'gpu' in machine else ''))
    versions = [f'{peer} {m[-1]["version"]}'
                for peer, m in measurements.items()]
    print(', '.join(versions + [f'Python {platform.python_version()}']))
