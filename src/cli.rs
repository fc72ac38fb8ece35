//! The command line: one function for each command, no mathematics.

mod bench;
mod devices;
mod doctor;
mod eval;
mod train;
mod verify;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand, parser::ValueSource};
use rbm_gpu::{
    Result, bench::BenchOptions, config::TrainConfig, doctor::DoctorOptions, likelihood::EvalOptions,
    verify::VerifyOptions,
};

/// Trains Restricted Boltzmann Machines on any vendor's GPU, or on none
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Train a model; without options, on MNIST with the best device found
    #[command(
        allow_negative_numbers = true,
        after_help = "Examples:\n  \
        rbm-gpu train\n  \
        rbm-gpu train --preset density --epochs 50\n  \
        rbm-gpu train --device discrete --hidden 1000 --epochs 30 --out runs/wide\n  \
        rbm-gpu train --data bars-and-stripes:4 --hidden 16 --batch 32 --epochs 2000 --lr 0.05\n  \
        rbm-gpu train --data path/to/idx-folder --binarize threshold --cd 5"
    )]
    Train(Box<TrainConfig>),
    /// List the devices, their limits, and which one auto takes
    Devices,
    /// Say how good a model is: its likelihood, exactly or between two estimates, and more
    #[command(after_help = "Examples:\n  \
        rbm-gpu eval runs/mnist-1\n  \
        rbm-gpu eval runs/mnist-1 --json\n  \
        rbm-gpu eval runs/wide --temperatures 30000 --chains 200 --device discrete\n  \
        rbm-gpu eval model.safetensors --data path/to/idx-folder --binarize sample\n\n\
        Likelihoods are in nats a case, and only to be compared for data made binary in the same way. An estimate whose \
        bracket is wider than 1 nat is called unreliable, with the reason.")]
    Eval(EvalOptions),
    /// Say why a run does not learn, from its data, its folder, its model, or a log of its costs
    #[command(after_help = "Examples:\n  \
        rbm-gpu doctor mnist\n  \
        rbm-gpu doctor costs.txt\n  \
        rbm-gpu doctor mnist costs.txt --rows 41933..44933 --scale 256\n\n\
        Exit code 0: healthy, with notes at most; 1: warnings or errors; 2: bad input.")]
    Doctor(DoctorOptions),
    /// Hold a device and its driver against the mathematics: random words, every kernel, a step, chains, log Z
    #[command(after_help = "Examples:\n  \
        rbm-gpu verify\n  \
        rbm-gpu verify --device discrete --json\n\n\
        Exit code 0: passed; 1: an error beyond its tolerance; 2: no such device.")]
    Verify(VerifyOptions),
    /// Check one step against the reference, then time steps and kernels
    #[command(after_help = "Examples:\n  \
        rbm-gpu bench --batch 256\n  \
        rbm-gpu bench --device discrete --batch 8192 --hidden 4096 --json\n  \
        rbm-gpu bench --data mnist --device cpu\n  \
        rbm-gpu bench --sweep --plot sweep.svg")]
    Bench(BenchOptions),
}

impl Cli {
    /// Reads the command line; a preset and an optimizer that it names set what was not given.
    pub fn read() -> Self {
        let matches = Self::command().get_matches();
        let mut cli = Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
        if let (Command::Train(config), Some(options)) =
            (&mut cli.command, matches.subcommand_matches("train"))
        {
            let given = |option: &str| options.value_source(option) == Some(ValueSource::CommandLine);
            if let Some(preset) = config.preset {
                config.apply(preset, given);
            }
            config.suit_optimizer(given);
        }
        cli
    }
}

/// Runs what was asked for.
pub fn run(cli: Cli) -> Result<ExitCode> {
    match cli.command {
        Command::Train(config) => train::run(*config),
        Command::Eval(options) => eval::run(&options),
        Command::Doctor(options) => doctor::run(&options),
        Command::Devices => devices::run(),
        Command::Verify(options) => verify::run(&options),
        Command::Bench(options) => bench::run(&options),
    }
}

/// Prints to standard output. A reader that has gone away, as `head` does, is no error of ours.
fn print(text: &str) {
    let _ = io::stdout().lock().write_all(text.as_bytes());
}
