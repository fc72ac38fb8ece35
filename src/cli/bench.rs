//! `rbm-gpu bench`

use std::process::ExitCode;

use rbm_gpu::{
    Result,
    bench::{BenchOptions, BenchReport, SweepReport, Times, plot, run as measure, sweep},
    check,
    output::Target,
};

use super::{print, print_json, terminal};

pub fn run(options: &BenchOptions) -> Result<ExitCode> {
    if options.sweep {
        return run_sweep(options);
    }
    let report = measure(options)?;
    if options.json {
        print_json(&report);
    } else {
        print(table(&report));
    }
    if !report.check.passes() {
        terminal::error(format!(
            "the step differs from the reference by more than {:e}, or a state from its own draw: \
             the figures above belong to wrong results; please report this device and its driver",
            check::TOLERANCE
        ));
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

fn table(report: &BenchReport) -> String {
    let BenchReport { device, check, ceilings, step_seconds: step, repeatability, .. } = report;
    let mut text = format!(
        "{} ({}, {}, {})\n{} visible and {} hidden units, batch {}, CD-{}, {} rows of {}\n",
        device.name,
        device.backend,
        device.kind,
        device.driver,
        report.visible_units.layer(report.visible).counted(),
        report.hidden_units.layer(report.hidden).counted(),
        report.batch,
        report.cd,
        report.rows,
        report.data
    );
    text += &format!(
        "check: {} cases; largest difference from the reference {:.1e} in means, {:.1e} in parameters; \
         {} wrong states: {}\n",
        check.rows,
        check.mean_error,
        check.parameter_error,
        check.wrong_states,
        if check.passes() { "passed" } else { "FAILED" }
    );
    text += &format!(
        "ceilings: {:.0} GFLOP/s of multiplying and adding, {:.1} GB/s of copying\n\n",
        ceilings.gflops, ceilings.gbytes_per_second
    );
    text += &format!(
        "{:16}{:>6}{:>12}{:>12}{:>12}{:>10}{:>9}{:>12}\n",
        "", "calls", "median", "min", "max", "GFLOP/s", "GB/s", "of ceiling"
    );
    let times =
        |times: &Times| [times.median, times.min, times.max].map(|s| format!("{:>9.3} ms", s * 1e3)).concat();
    let gflops = |gflops: f64| if gflops > 0.0 { format!("{gflops:.1}") } else { String::new() };
    for kernel in &report.kernels {
        text += &format!(
            "{:16}{:>6}{}{:>10}{:>9.1}{:>10.0} %\n",
            kernel.name,
            kernel.calls_a_step,
            times(&kernel.seconds),
            gflops(kernel.gflops),
            kernel.work.bytes / kernel.seconds.median * 1e-9,
            kernel.share_of_ceiling * 1e2
        );
    }
    text += &format!("{:22}{:>9.3} ms\n", "these together", report.kernels_seconds * 1e3);
    text += &format!("{:22}{}\n", "these in order", times(&report.kernels_in_order));
    text += &format!("{:22}{}{:>10}\n", "step", times(step), gflops(report.gflops));
    text += &format!(
        "\n{:.0} samples a second; a step takes {:.2} times what its kernels take in order\n",
        report.samples_per_second, report.step_over_kernels
    );
    let (spread, drift) = (repeatability.spread * 1e2, repeatability.drift * 1e2);
    text += &if repeatability.repeatable {
        format!("repeatable: half of the steps are within {spread:.1} %, and they drifted by {drift:.1} %\n")
    } else {
        format!(
            "NOT repeatable: half of the steps are within {spread:.1} %, and they drifted by {drift:.1} % while this \
             ran (5 % is the limit): something else was running; repeat this\n"
        )
    };
    text
}

fn run_sweep(options: &BenchOptions) -> Result<ExitCode> {
    let target = options.plot.as_ref().map(|path| Target::new(path, options.force)).transpose()?;
    if !options.json {
        print(format!(
            "{:>8}{:>8}{:>14}{:>10}{:>14}{:>10}\n",
            "hidden", "batch", "step", "GFLOP/s", "samples/s", "spread"
        ));
    }
    let report = sweep(options, |point| {
        if !options.json {
            print(format!(
                "{:>8}{:>8}{:>11.3} ms{:>10.1}{:>14.0}{:>8.1} %\n",
                point.hidden,
                point.batch,
                point.step_seconds.median * 1e3,
                point.gflops,
                point.batch as f64 / point.step_seconds.median,
                point.step_seconds.spread * 1e2
            ));
        }
    })?;
    if let Some(target) = &target {
        plot(&report, target)?;
    }
    if options.json {
        print_json(&report);
    } else {
        print(verdict(&report));
    }
    Ok(ExitCode::SUCCESS)
}

fn verdict(report: &SweepReport) -> String {
    let visible = report.visible_units.layer(report.visible).counted();
    let mut text = format!("\n{}; {visible} visible units, ", report.device);
    if !report.hidden_units.are_binary() {
        text += &format!("{} hidden units, ", report.hidden_units);
    }
    text += &format!("CD-{}\n", report.cd);
    if report.cliffs.is_empty() {
        text += "no cliffs: twice the work always takes from 0.9 to 4 times as long\n";
    }
    for cliff in &report.cliffs {
        let ((hidden, batch), (more_hidden, more_batch)) = (cliff.from, cliff.to);
        text += &format!(
            "cliff: {more_hidden} hidden units at batch {more_batch} take {:.2} times as long as {hidden} at {batch}\n",
            cliff.ratio
        );
    }
    text
}
