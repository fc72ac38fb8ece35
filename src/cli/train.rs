//! `rbm-gpu train`

use std::{io::IsTerminal, process::ExitCode, time::Instant};

use indicatif::{ProgressBar, ProgressStyle};
use rbm_gpu::{
    Result,
    backend::DeviceInfo,
    config::{Estimator, TrainConfig, Uniforms},
    data::ImageSize,
    doctor::Finding,
    estimator::tempering::Swaps,
    likelihood::Look,
    picture,
    run::RunFolder,
    train::{EpochMetrics, Progress, Trainer},
};
use serde::Serialize;

use super::{doctor, print};

/// Test cases in a picture of reconstructions.
const PICTURED: usize = 40;

/// `config.json`: the options, and what they led to on this machine.
#[derive(Serialize)]
struct RunConfig<'a> {
    version: &'static str,
    #[serde(flatten)]
    config: &'a TrainConfig,
    device_used: &'a DeviceInfo,
    visible: usize,
}

/// A line of `metrics.jsonl`: an epoch, and what the doctor found since the one before.
#[derive(Serialize)]
struct MetricsLine<'a> {
    #[serde(flatten)]
    metrics: &'a EpochMetrics,
    #[serde(skip_serializing_if = "<[Finding]>::is_empty")]
    findings: &'a [Finding],
}

pub fn run(mut config: TrainConfig) -> Result<ExitCode> {
    let start = Instant::now();
    config.check()?;
    config = config.settled();
    let out = RunFolder::choose(&config)?;
    let mut trainer = Trainer::new(&config, config.selection.load(&config.data)?)?;
    config.out = Some(out.clone());
    // Drawing in the kernel saves the way through memory. Through llvmpipe it is a quarter faster; on the native path
    // the difference is below the noise.
    config.uniforms.get_or_insert(Uniforms::Device);
    // What was taken, not what was asked for: auto and cpu, where they are the same, give the same model file.
    let device = trainer.device().clone();
    config.device = device.choice();
    let image = trainer.dataset().image;
    let visible = image.0 * image.1;
    config.selection.image = Some(ImageSize(image.0, image.1));
    let run_config =
        RunConfig { version: env!("CARGO_PKG_VERSION"), config: &config, device_used: &device, visible };
    let mut folder = RunFolder::create(out, &run_config)?;

    let cases = trainer.dataset().train.rows.len();
    print(&format!(
        "{}: {cases} training cases, {visible} visible and {} hidden units, {}-{}, on {device}\n",
        config.data,
        config.hidden,
        match config.estimator {
            Estimator::Cd => "CD",
            Estimator::Pcd => "PCD",
            Estimator::Pt => "PT",
        },
        config.k
    ));
    let pictured = trainer.dataset().held_out().pictured(PICTURED);
    let originals: Vec<f32> =
        pictured.iter().flat_map(|&case| trainer.dataset().held_out().rows.values(case)).collect();
    let before = trainer.reconstruction_error()?;
    print(&format!("before training: reconstruction error {before:.2}\n"));

    let mut findings = warnings(&mut trainer);
    let mut last = None;
    for _ in 0..config.epochs {
        let metrics = match epoch(&mut trainer, config.epochs, cases) {
            Ok(metrics) => metrics,
            Err(error) => {
                findings.extend(warnings(&mut trainer));
                let epoch = trainer.epochs_done() + 1;
                folder.add_metrics(&serde_json::json!({ "epoch": epoch, "findings": findings }))?;
                return Err(error);
            }
        };
        findings.extend(warnings(&mut trainer));
        let rbm = trainer.rbm()?;
        folder.save_model(&rbm, &config)?;
        folder.add_picture("filters", metrics.epoch, &picture::filters(&rbm, image))?;
        let reconstructed = trainer.reconstruct(&pictured)?;
        let picture = picture::reconstructions(&originals, &reconstructed, image);
        folder.add_picture("reconstructions", metrics.epoch, &picture)?;
        folder.add_metrics(&MetricsLine { metrics: &metrics, findings: &findings })?;
        findings.clear();
        print(&format!(
            "epoch {:>3}: reconstruction error {:.3}, {:.0} samples/s, {:.2} s{}\n",
            metrics.epoch,
            metrics.reconstruction_error,
            metrics.samples_per_second,
            metrics.seconds,
            metrics.swaps.as_ref().map_or(String::new(), moves)
        ));
        if let Some(look) = &metrics.eval {
            print(&figures(look));
        }
        last = Some(metrics);
    }

    let path = folder.path().display();
    let epoch = config.epochs;
    print(&format!(
        "\ndone in {:.1} s; reconstruction error {before:.2} before, {:.3} after {epoch} epochs, on {}\n  \
         model            {}\n  \
         metrics          {path}/metrics.jsonl\n  \
         configuration    {path}/config.json\n  \
         filters          {path}/filters/epoch-{epoch:04}.png\n  \
         reconstructions  {path}/reconstructions/epoch-{epoch:04}.png\n",
        start.elapsed().as_secs_f64(),
        last.map_or(before, |metrics| metrics.reconstruction_error),
        trainer.dataset().held_out_name(),
        folder.model().display(),
    ));
    Ok(ExitCode::SUCCESS)
}

/// What the doctor found since it was asked last; printed, too.
fn warnings(trainer: &mut Trainer) -> Vec<Finding> {
    let found = trainer.doctor().map_or(Vec::new(), |doctor| doctor.take());
    found.iter().for_each(|finding| print(&doctor::finding(finding)));
    found
}

/// How well replicas moved, in a few words.
fn moves(swaps: &Swaps) -> String {
    let least = swaps.acceptance.iter().copied().fold(f64::INFINITY, f64::min);
    let most = swaps.acceptance.iter().copied().fold(0.0, f64::max);
    format!(", swaps {:.0}–{:.0} %, {} round trips", 100.0 * least, 100.0 * most, swaps.round_trips)
}

/// What a look at the model found, in a line.
fn figures(look: &Look) -> String {
    let found = &look.likelihood;
    let (what, figure, low, high) =
        match (found.test_log_likelihood, found.test_log_likelihood_low, found.test_log_likelihood_high) {
            (Some(figure), Some(low), Some(high)) => ("test", figure, low, high),
            _ => (
                "training",
                found.train_log_likelihood,
                found.train_log_likelihood_low,
                found.train_log_likelihood_high,
            ),
        };
    let certainty = match found.log_z.ais {
        None => "exact".to_string(),
        Some(_) => format!("{low:.2} to {high:.2}"),
    };
    let gap = found.free_energy_gap.map_or(String::new(), |gap| format!(", free-energy gap {gap:.2}"));
    format!(
        "           log-likelihood {figure:.2} ({certainty}) on {what} cases, pseudo {:.4} a unit{gap}; {:.2} s\n",
        found.pseudo_log_likelihood_per_unit, look.seconds
    )
}

/// One epoch behind a progress bar, which shows where standard error is a terminal.
fn epoch(trainer: &mut Trainer, epochs: usize, cases: usize) -> Result<EpochMetrics> {
    let done = trainer.epochs_done() * cases;
    let bar = if std::io::stderr().is_terminal() {
        ProgressBar::new((epochs * cases) as u64).with_position(done as u64)
    } else {
        ProgressBar::hidden()
    };
    if let Ok(style) = ProgressStyle::with_template("epoch {prefix} {bar:30} {msg}") {
        bar.set_style(style);
    }
    bar.set_prefix(format!("{}/{epochs}", trainer.epochs_done() + 1));
    let metrics = trainer.epoch(|progress| {
        let Progress { cost, samples_per_second, .. } = progress;
        let left = (epochs * cases - done - progress.cases) as f64 / samples_per_second;
        let cost = cost.map_or(String::new(), |cost| format!("cost {cost:.2}, "));
        bar.set_message(format!("{cost}{samples_per_second:.0} samples/s, {left:.0} s left"));
        bar.set_position((done + progress.cases) as u64);
    });
    bar.finish_and_clear();
    metrics
}
