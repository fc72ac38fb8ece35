//! `rbm-gpu bench`

use std::process::ExitCode;

use rbm_gpu::{
    Result,
    bench::{BenchOptions, BenchReport, Times, run as measure},
    check,
};

use super::print;

/// A measurement this many times longer than the median makes a warning.
const NOISY: f64 = 1.5;

pub fn run(options: &BenchOptions) -> Result<ExitCode> {
    let report = measure(options)?;
    if options.json {
        print(&format!("{}\n", serde_json::json!(report)));
    } else {
        print(&table(&report));
    }
    if !report.check.passes() {
        eprintln!(
            "error: the step differs from the reference by more than {:e}, or a state from its own draw: \
             the figures above are of wrong results; please report this device and its driver",
            check::TOLERANCE
        );
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

fn table(report: &BenchReport) -> String {
    let BenchReport { check, step_seconds: step, .. } = report;
    let mut text = format!(
        "{} ({}, {}, {})\n{} visible and {} hidden units, batch {}, CD-{}\n",
        report.device,
        report.backend,
        report.kind,
        report.driver,
        report.visible,
        report.hidden,
        report.batch,
        report.cd
    );
    text += &format!(
        "check: {} cases; largest difference from the reference {:.1e} in means, {:.1e} in parameters; \
         {} wrong states: {}\n\n",
        check.rows,
        check.mean_error,
        check.parameter_error,
        check.wrong_states,
        if check.passes() { "passed" } else { "FAILED" }
    );
    text += &format!("{:16}{:>6}{:>12}{:>12}{:>12}{:>10}\n", "", "calls", "median", "min", "max", "GFLOP/s");
    let mut row = |name: &str, calls: String, times: &Times, gflops: Option<f64>| {
        let gflops = gflops.map_or(String::new(), |gflops| format!("{gflops:.1}"));
        text += &format!("{name:16}{calls:>6}");
        for seconds in [times.median, times.min, times.max] {
            text += &format!("{:>9.3} ms", seconds * 1e3);
        }
        text += &format!("{gflops:>10}\n");
    };
    row("step", String::new(), step, Some(report.gflops));
    for kernel in &report.kernels {
        row(kernel.name, kernel.calls_a_step.to_string(), &kernel.seconds, kernel.gflops);
    }
    text += &format!("\n{:.0} samples a second\n", report.samples_per_second);
    if step.max > NOISY * step.median {
        text +=
            "the slowest step took much longer than the median: something else was running; repeat this\n";
    }
    text
}
