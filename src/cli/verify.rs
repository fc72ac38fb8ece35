//! `rbm-gpu verify`

use std::process::ExitCode;

use rbm_gpu::{
    Result,
    verify::{Check, VerifyOptions, verify},
};

use super::{print, print_json};

pub fn run(options: &VerifyOptions) -> Result<ExitCode> {
    if !options.json {
        print(format!("{:22}{:>9}{:>12}{:>12}\n", "", "cases", "error", "tolerance"));
    }
    let report = verify(options, |check| {
        if !options.json {
            print(line(check));
        }
    })?;
    if options.json {
        print_json(&report);
    } else {
        let verdict = match report.passed {
            true => "passed: this device computes what the mathematics says",
            false => {
                "FAILED: this device or its driver computes something else; choose another --device, and please report \
                 this one"
            }
        };
        print(format!("\n{}, {:.1} s\n{verdict}\n", report.device, report.seconds));
    }
    Ok(if report.passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn line(check: &Check) -> String {
    let number = |x: f64| if x == 0.0 { "0".to_string() } else { format!("{x:.1e}") };
    let at = if check.at.is_empty() { String::new() } else { format!(" (at {})", check.at) };
    format!(
        "{:22}{:>9}{:>12}{:>12}  {} {}{}\n",
        check.name,
        check.cases,
        number(check.error),
        number(check.tolerance),
        if check.passes() { "ok    " } else { "FAILED" },
        check.of,
        if check.passes() { String::new() } else { at }
    )
}
