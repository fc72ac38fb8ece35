//! `rbm-gpu doctor`

use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use rbm_gpu::{
    Result,
    command::flag,
    doctor::{DoctorOptions, Report, examine},
    finding::{Finding, Severity},
};

use super::{print, print_json, terminal::Text};

/// Characters in a line of text.
const WIDTH: usize = 100;

pub fn run(options: &DoctorOptions) -> Result<ExitCode> {
    let report = examine(options)?.spelled(flag);
    if options.json {
        print_json(&report);
    } else {
        print(text(&report, options.plots.is_some()));
    }
    Ok(if report.healthy { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn text(report: &Report, pictured: bool) -> Text {
    let mut text = Text::default();
    for subject in &report.subjects {
        text += format!("{} {}: {}\n", subject.kind, subject.name, subject.about);
    }
    for one in &report.findings {
        text += "\n";
        text += finding(one);
    }
    if pictured {
        text += "\n";
    }
    if pictured && report.plots.is_empty() {
        text += "no pictures: only logs, runs and models with finite numbers have them\n";
    }
    for plot in &report.plots {
        text += format!("wrote {}\n", plot.display());
    }
    let counts = [Severity::Error, Severity::Warning, Severity::Note].map(|severity| {
        let count = report.findings.iter().filter(|finding| finding.severity == severity).count();
        format!("{count} {severity}{}", if count == 1 { "" } else { "s" })
    });
    text += format!("\n{}: {}\n", if report.healthy { "healthy" } else { "not healthy" }, counts.join(", "));
    text
}

/// The colour of a severity.
pub fn style(severity: Severity) -> Style {
    match severity {
        Severity::Error => AnsiColor::Red.on_default().bold(),
        Severity::Warning => AnsiColor::Yellow.on_default().bold(),
        Severity::Note => Style::new(),
    }
}

/// One finding as a paragraph.
pub fn finding(finding: &Finding) -> Text {
    let parts = [("seen", &finding.seen), ("why", &finding.why), ("fix", &finding.fix)];
    let parts = parts.map(|(what, words)| wrapped(&format!("  {what:6}"), words));
    let mut text = Text::styled(style(finding.severity), &finding.severity.to_string());
    text += format!(": {}\n{}", finding.name, parts.concat());
    text
}

/// Words in lines that are indented alike, the first with `head`.
fn wrapped(head: &str, words: &str) -> String {
    let indent = head.chars().count();
    let (mut text, mut width) = (head.to_string(), indent);
    for word in words.split_whitespace() {
        let length = word.chars().count();
        if width > indent && width + length + 1 > WIDTH {
            text += &format!("\n{:indent$}", "");
            width = indent;
        }
        if width > indent {
            text.push(' ');
            width += 1;
        }
        text += word;
        width += length;
    }
    text + "\n"
}
