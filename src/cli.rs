//! The command line: a function for each command, no mathematics.

mod bench;
mod contacts;
mod data;
mod devices;
mod doctor;
mod eval;
mod exchange;
mod filters;
mod impute;
mod inpaint;
mod manual;
mod outputs;
mod probe;
mod progress;
mod reconstruct;
mod report;
mod sample;
mod score;
mod screen;
mod sparkline;
pub mod terminal;
mod train;
mod transform;
mod verify;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand, error::ErrorKind, parser::ValueSource};
use rbm_gpu::{
    Result, bench::BenchOptions, doctor::DoctorOptions, likelihood::EvalOptions, verify::VerifyOptions,
};
use terminal::{Text, print, print_json};

/// Trains Restricted Boltzmann Machines on any vendor's GPU, or on none
#[derive(Parser)]
#[command(version, bin_name = "rbm-gpu", arg_required_else_help = true)]
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
        rbm-gpu train --data path/to/idx-folder --binarize threshold --cd 5\n  \
        rbm-gpu train --resume runs/wide\n  \
        rbm-gpu train --resume runs/wide --epochs 60"
    )]
    Train(Box<train::Options>),
    /// Describe a data set, and show some of it
    #[command(after_help = "Examples:\n  \
        rbm-gpu data mnist\n  \
        rbm-gpu data fashion-mnist --classes sneaker,bag -o samples.png\n  \
        rbm-gpu data digits.csv --label-column digit --divide-by 16\n  \
        rbm-gpu data folder-of-pngs\n  \
        rbm-gpu data family.sto.gz --reweight 0.8\n  \
        rbm-gpu data arrays.npz --json\n\n\
        A data set is mnist, fashion-mnist, bars-and-stripes:N, shifter, a folder of IDX files, a folder of images (with \
        folders train and test, and one for each class, if there are any), an .npy file (cases × values, or cases × \
        height × width), an .npz file (x_train, y_train, x_test, y_test), a .csv file (a case a line), or an alignment of sequences: .fasta, .a2m \
        or .sto (Stockholm), also with .gz.")]
    Data(data::Options),
    /// List the devices, their limits, and which one auto takes
    #[command(after_help = "Example:\n  rbm-gpu devices")]
    Devices,
    /// Evaluate a model: its likelihood, exact or between two estimates, and more
    #[command(after_help = "Examples:\n  \
        rbm-gpu eval runs/mnist-1\n  \
        rbm-gpu eval runs/mnist-1 --json\n  \
        rbm-gpu eval runs/wide --temperatures 30000 --annealed 1000 --device discrete\n  \
        rbm-gpu eval model.safetensors --data path/to/idx-folder --binarize sample\n\n\
        Likelihoods are in nats a case; compare them only for data made binary in the same way. An estimate whose \
        bracket is wider than 1 nat is called unreliable, with the reason.")]
    Eval(EvalOptions),
    /// Draw fantasy particles: samples of the model
    #[command(after_help = "Examples:\n  \
        rbm-gpu sample runs/mnist-1\n  \
        rbm-gpu sample runs/mnist-1 --start data --steps 200 -o samples.png -o chain.gif --strip strip.png\n  \
        rbm-gpu sample runs/mnist-1 --tempered 30 --chains 500 --show state -o samples.npy")]
    Sample(Box<sample::Options>),
    /// Reconstruct test cases
    #[command(after_help = "Examples:\n  \
        rbm-gpu reconstruct runs/mnist-1\n  \
        rbm-gpu reconstruct runs/mnist-1 --classes 4,9 --count 20 -o fours-and-nines.png\n  \
        rbm-gpu reconstruct runs/mnist-1 -o reconstructions.npy")]
    Reconstruct(Box<reconstruct::Options>),
    /// Fill in missing parts of test cases, and measure the error
    #[command(after_help = "Examples:\n  \
        rbm-gpu inpaint runs/mnist-1\n  \
        rbm-gpu inpaint runs/mnist-1 --mask random:0.5 --steps 500 -o noise.png\n  \
        rbm-gpu inpaint runs/mnist-1 --mask hole.png --count 10000 -o inpainted.npy")]
    Inpaint(Box<inpaint::Options>),
    /// Fill in the missing values of a data set, with what the model expects given the others
    #[command(after_help = "Examples:\n  \
        rbm-gpu impute runs/table-1 new.csv -o filled.csv\n  \
        rbm-gpu impute runs/table-1 new.csv -o filled.npz\n  \
        rbm-gpu impute runs/table-1 new.csv --draws 20 -o draws.npy\n\n\
        A number becomes its mean, a state the likeliest one. An .npz file also has the spread (the standard deviation of a \
        number, the probability of another state) and which values were missing.")]
    Impute(Box<impute::Options>),
    /// Write the features p(h|v) of a data set
    #[command(after_help = "Examples:\n  \
        rbm-gpu transform runs/mnist-1 -o features.npz\n  \
        rbm-gpu transform runs/mnist-1 digits.csv --set train -o features.npy\n\n\
        An .npz file has x_train, y_train, x_test and y_test, and can be trained on: --data features.npz.")]
    Transform(Box<transform::Options>),
    /// Score cases: F(v), log p(v) with its bracket, and how unusual each is among held-out cases
    #[command(after_help = "Examples:\n  \
        rbm-gpu score runs/mnist-1 new.npy -o scores.csv\n  \
        rbm-gpu score runs/mnist-1 new.npy --no-log-z -o scores.npy\n\n\
        A quantile is the share of the model's held-out cases (test or validation cases; the training cases, if there are none) \
        that are less likely than a case: a threshold of 0.01 flags one ordinary case in a hundred.")]
    Score(Box<score::Options>),
    /// Draw each hidden unit's weights as an image
    #[command(after_help = "Examples:\n  \
        rbm-gpu filters runs/mnist-1\n  \
        rbm-gpu filters model.safetensors --image 16x8 -o filters.png")]
    Filters(filters::Options),
    /// Rank pairs of sites by their effective couplings: the contacts of an alignment, or the couplings of spins
    #[command(after_help = "Examples:\n  \
        rbm-gpu contacts runs/family-1\n  \
        rbm-gpu contacts runs/family-1 --separation 5 -o contacts.csv -o contacts.png\n  \
        rbm-gpu contacts runs/hsp70-1 --measure variances -o contacts.npy\n\n\
        A site is a visible unit with states: binary, spin or potts. Its couplings are in the zero-sum gauge; the score of a \
        pair is their Frobenius norm, after the average product correction unless --score norm is given.")]
    Contacts(Box<contacts::Options>),
    /// Write a model for NumPy, scikit-learn, PyTorch, rbms, RBMs.jl, PGM, D-Wave's tools, NetKet or a spreadsheet
    #[command(after_help = "Examples:\n  \
        rbm-gpu export runs/mnist-1 -o model.npz\n  \
        rbm-gpu export runs/mnist-1 --to safetensors --names rbms -o rbms.safetensors\n  \
        rbm-gpu export runs/mnist-1 --to csv -o model-csv\n  \
        rbm-gpu export runs/rna-1 --to rbms-jl -o model.h5\n  \
        rbm-gpu export runs/mnist-1 --to ising --as spin -o glass.json\n\n\
        In Python: arrays = numpy.load(\"model.npz\"); rbm.components_ = arrays[\"components_\"], and so for \
        intercept_hidden_ and intercept_visible_.")]
    Export(exchange::ExportOptions),
    /// Make a model from the file of another program: scikit-learn, PyTorch, rbms, RBMs.jl, PGM, D-Wave's tools, NetKet
    #[command(after_help = "Examples:\n  \
        rbm-gpu import arrays.npz -o model.safetensors\n  \
        rbm-gpu import rbms.h5 --update 10000\n  \
        rbm-gpu import torch.safetensors --data digits.npz\n  \
        rbm-gpu eval model.safetensors --data mnist\n\n\
        In Python: numpy.savez(\"arrays.npz\", components_=rbm.components_, intercept_hidden_=rbm.intercept_hidden_, \
        intercept_visible_=rbm.intercept_visible_)")]
    Import(exchange::ImportOptions),
    /// Measure how well the features tell the classes apart: the test error of a logistic regression on them
    #[command(after_help = "Examples:\n  \
        rbm-gpu probe runs/mnist-1\n  \
        rbm-gpu probe runs/iris-1 --data iris.csv --label-column species --validation 0.2\n  \
        rbm-gpu probe runs/mnist-1 --limit 10000 --json")]
    Probe(Box<probe::Options>),
    /// Find out why a run does not learn, from its data, its folder, its model, or a log of its costs
    #[command(after_help = "Examples:\n  \
        rbm-gpu doctor mnist\n  \
        rbm-gpu doctor costs.txt\n  \
        rbm-gpu doctor mnist costs.txt --rows 41933..44933 --scale 256\n\n\
        Exit code 0: healthy, with notes at most; 1: warnings or errors; 2: bad input.")]
    Doctor(DoctorOptions),
    /// Make the report of a run again, or one report of several runs side by side
    #[command(after_help = "Examples:\n  \
        rbm-gpu report runs/mnist-1\n  \
        rbm-gpu report runs/mnist-1 runs/mnist-2 runs/wide -o comparison.html\n\n\
        The report is one file, which opens in a browser and needs no network. rbm-gpu train writes a run's own \
        report, and updates it now and then.")]
    Report(report::Options),
    /// Check a device and its driver against the mathematics: random words, every kernel, a step, chains, log Z
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
        rbm-gpu bench --visible 53 --visible-units potts:21 --hidden 100 --hidden-units drelu\n  \
        rbm-gpu bench --sweep --plot sweep.svg")]
    Bench(BenchOptions),
    /// Print a script that completes this program's options
    #[command(after_help = "Examples:\n  \
        rbm-gpu completions bash > ~/.local/share/bash-completion/completions/rbm-gpu\n  \
        rbm-gpu completions zsh > ~/.zfunc/_rbm-gpu\n  \
        rbm-gpu completions fish > ~/.config/fish/completions/rbm-gpu.fish")]
    Completions(manual::CompletionOptions),
    /// Print the manual page, or write one for each command
    #[command(after_help = "Examples:\n  \
        rbm-gpu man | man -l -\n  \
        rbm-gpu man -o man1")]
    Man(manual::ManOptions),
}

impl Cli {
    /// Reads the command line. A preset or an optimizer in it sets the options that were not given. Returns an exit
    /// code if there is nothing to run: help or an error has been printed.
    pub fn read() -> std::result::Result<Self, ExitCode> {
        let matches = Self::command().try_get_matches().map_err(answer)?;
        let mut cli = Self::from_arg_matches(&matches).map_err(answer)?;
        if let (Command::Train(train), Some(options)) =
            (&mut cli.command, matches.subcommand_matches("train"))
        {
            let config = &mut train.config;
            let given = |option: &str| options.value_source(option) == Some(ValueSource::CommandLine);
            if let Some(preset) = config.preset {
                config.apply(preset, given);
            }
            config.suit_optimizer(given);
            let ids = options.ids().map(|id| id.as_str()).filter(|id| given(id));
            train.given = ids.map(str::to_string).collect();
        }
        Ok(cli)
    }
}

/// Prints help, or an error in the arguments; returns the exit code.
fn answer(error: clap::Error) -> ExitCode {
    let message = error.render();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => print(Text::own(message.ansi().to_string())),
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            terminal::note(Text::own(message.ansi().to_string()));
        }
        // The message repeats the arguments, so it is printed without colours.
        _ => {
            let message = message.to_string();
            terminal::error(message.strip_prefix("error: ").unwrap_or(&message).trim_end());
        }
    }
    ExitCode::from(error.exit_code() as u8)
}

/// Runs the command.
pub fn run(cli: Cli) -> Result<ExitCode> {
    match cli.command {
        Command::Train(options) => train::run(*options),
        Command::Data(options) => data::run(&options),
        Command::Eval(options) => eval::run(&options),
        Command::Sample(options) => sample::run(&options),
        Command::Report(options) => report::run(&options),
        Command::Reconstruct(options) => reconstruct::run(&options),
        Command::Inpaint(options) => inpaint::run(&options),
        Command::Impute(options) => impute::run(&options),
        Command::Score(options) => score::run(&options),
        Command::Transform(options) => transform::run(&options),
        Command::Filters(options) => filters::run(&options),
        Command::Contacts(options) => contacts::run(&options),
        Command::Export(options) => exchange::export(&options),
        Command::Import(options) => exchange::import(&options),
        Command::Probe(options) => probe::run(&options),
        Command::Completions(options) => manual::completions(&options),
        Command::Man(options) => manual::man(&options),
        Command::Doctor(options) => doctor::run(&options),
        Command::Devices => devices::run(),
        Command::Verify(options) => verify::run(&options),
        Command::Bench(options) => bench::run(&options),
    }
}
