//! `rbm-gpu train`

use std::process::ExitCode;

use rbm_gpu::{
    Result,
    backend::DeviceInfo,
    config::{Estimator, TrainConfig, Uniforms},
    data::ImageSize,
    doctor::Finding,
    picture,
    run::RunFolder,
    train::{EpochMetrics, Trainer},
};
use serde::Serialize;

use super::progress::{Display, Show};

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

/// What is trained, and how that is shown.
#[derive(clap::Args)]
pub struct Options {
    #[command(flatten)]
    pub config: TrainConfig,
    #[command(flatten)]
    show: Show,
}

pub fn run(options: Options) -> Result<ExitCode> {
    let Options { mut config, show } = options;
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
    let about = format!(
        "{}: {cases} training cases, {visible} visible and {} hidden units, {}-{}, on {device}\n",
        config.data,
        config.hidden,
        match config.estimator {
            Estimator::Cd => "CD",
            Estimator::Pcd => "PCD",
            Estimator::Pt => "PT",
        },
        config.k
    );
    let mut display = Display::begin(show, config.epochs, cases, &about)?;
    let pictured = trainer.dataset().held_out().pictured(PICTURED);
    let originals: Vec<f32> =
        pictured.iter().flat_map(|&case| trainer.dataset().held_out().rows.values(case)).collect();
    let before = trainer.reconstruction_error()?;
    display.before(before);

    let mut findings = warnings(&mut trainer, &mut display);
    let mut last = None;
    for _ in 0..config.epochs {
        let metrics = match trainer.epoch(|progress| display.progress(progress)) {
            Ok(metrics) => metrics,
            Err(error) => {
                findings.extend(warnings(&mut trainer, &mut display));
                let epoch = trainer.epochs_done() + 1;
                folder.add_metrics(&serde_json::json!({ "epoch": epoch, "findings": findings }))?;
                return Err(error);
            }
        };
        findings.extend(warnings(&mut trainer, &mut display));
        let rbm = trainer.rbm()?;
        folder.save_model(&rbm, &config)?;
        folder.add_picture("filters", metrics.epoch, &picture::filters(&rbm, image))?;
        let reconstructed = trainer.reconstruct(&pictured)?;
        let picture = picture::reconstructions(&originals, &reconstructed, image);
        folder.add_picture("reconstructions", metrics.epoch, &picture)?;
        folder.add_metrics(&MetricsLine { metrics: &metrics, findings: &findings })?;
        findings.clear();
        display.epoch(&metrics);
        last = Some(metrics);
    }

    let path = folder.path().display();
    let epoch = config.epochs;
    let what = format!(
        "reconstruction error {before:.2} before, {:.3} after {epoch} epochs, on {}",
        last.map_or(before, |metrics| metrics.reconstruction_error),
        trainer.dataset().held_out_name(),
    );
    let files = [
        ("model", folder.model().display().to_string()),
        ("metrics", format!("{path}/metrics.jsonl")),
        ("configuration", format!("{path}/config.json")),
        ("filters", format!("{path}/filters/epoch-{epoch:04}.png")),
        ("reconstructions", format!("{path}/reconstructions/epoch-{epoch:04}.png")),
    ];
    display.finish(&what, folder.path(), &files);
    Ok(ExitCode::SUCCESS)
}

/// What the doctor found since it was asked last; shown, too.
fn warnings(trainer: &mut Trainer, display: &mut Display) -> Vec<Finding> {
    let found = trainer.doctor().map_or(Vec::new(), |doctor| doctor.take());
    found.iter().for_each(|finding| display.finding(finding));
    found
}
