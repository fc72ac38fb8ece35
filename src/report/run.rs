//! The report of one run.

use maud::{Markup, html};

use super::{
    Report, Words, curves, page,
    pictures::{Kind, Series, series},
    record::Record,
};
use crate::{
    chart::{histogram, number},
    error::Result,
    finding::Severity,
    likelihood::HeldOut,
    model,
    picture::Form,
    rbm::{Rbm, Side},
};

/// The page.
pub fn page(record: &Record, words: &Words) -> Result<Report> {
    let mut remarks = record.remarks.clone();
    let rbm = parameters(record, &mut remarks);
    let mut pictured = Vec::new();
    for kind in Kind::ALL {
        pictured.extend(series(record, kind, 1, &mut remarks)?);
    }
    let stacks: Vec<(String, &Series)> =
        pictured.iter().map(|series| (title(record, series), series)).collect();
    let plots = curves::plots(&[record], &[record.name()], words.spelling);
    let plots = plots.iter().map(page::plot).collect::<Result<Vec<_>>>()?;
    let spread = rbm.as_ref().map(histograms).transpose()?;
    let body = html! {
        header {
            h1 { (record.name()) }
            p.about {
                span.state.failed[record.error.is_some()] { (record.state()) } " of "
                (record.estimator()) " on " (record.option("data")) ": " (record.units(Side::Visible)) " visible and "
                (record.units(Side::Hidden)) " hidden units"
            }
            p.quiet { (record.device()) }
            @if let Some(command) = words.resume.as_ref().filter(|_| record.is_unfinished()) {
                p { "If it is not running, this resumes it: " code { (command) } }
            }
            @if let Some(error) = &record.error { div.remarks { p { "The run failed: " (error) } } }
            (page::remarks(&remarks))
            (page::figures(&figures(record)))
        }
        main {
            @if !plots.is_empty() {
                section { h2 { "Learning curves" } div.grid { @for plot in &plots { (plot) } } }
            }
            section {
                h2 { "Findings" }
                @if record.findings.is_empty() {
                    p { "The doctor found nothing to warn of." }
                } @else {
                    (page::findings(&record.findings))
                }
            }
            @if !stacks.is_empty() {
                section { h2 { "What it has learnt" } (page::epochs("epoch", &stacks, "kinds")) }
            }
            @if let Some(spread) = spread { section { h2 { "Parameters" } (spread) } }
            section {
                h2 { "Options" }
                p.quiet { "Values other than the default stand out." }
                dl.columns {
                    @for choice in &words.choices {
                        @let value = if choice.value.is_empty() { "–" } else { &choice.value };
                        div.set[choice.value != choice.default] { dt { (choice.name) } dd { (value) } }
                    }
                }
                h2 { "The command" }
                p.quiet { "Gives the same model on the same device. " (words.note) }
                pre { (words.again) }
            }
        }
    };
    let page = page::page(&format!("{}: {}", record.name(), record.option("data")), body);
    Ok(Report { page, remarks })
}

/// The model, if it exists and can be read.
pub fn parameters(record: &Record, remarks: &mut Vec<String>) -> Option<Rbm> {
    let path = record.folder.join("model.safetensors");
    if !path.is_file() {
        remarks.push("model.safetensors is missing: no parameters".into());
        return None;
    }
    model::load(&path)
        .map_err(|error| remarks.push(format!("no parameters: {error}")))
        .ok()
        .map(|found| found.rbm)
}

/// The title of a series of pictures.
pub fn title(record: &Record, series: &Series) -> String {
    let layer = record.layer(Side::Hidden);
    let shown = series.tiles;
    let hidden = layer.as_ref().map_or("unknown".into(), |layer| layer.columns().to_string());
    // A unit of several states has weights for each.
    let units =
        if layer.is_none_or(|layer| layer.columns() == layer.units()) { "units" } else { "units' states" };
    match series.kind {
        Kind::Filters if shown == 0 => {
            format!("Weights of the hidden {units}: logos of the largest of {hidden}")
        }
        Kind::Filters if shown.to_string() == hidden => format!("Weights of the {hidden} hidden {units}"),
        Kind::Filters => format!("Weights of the first {shown} of {hidden} hidden {units}"),
        Kind::Reconstructions => "Reconstructions".into(),
        Kind::Chains if shown == 0 && matches!(series.form, Form::Columns(_)) => {
            "Marginals: data and chains".into()
        }
        Kind::Chains if shown == 0 => "Sequence logos: data and chains".into(),
        Kind::Chains if record.option("estimator") == "cd" => "Fantasy particles, from held-out cases".into(),
        Kind::Chains => "Fantasy particles: the persistent chains".into(),
    }
}

/// The key figures.
pub fn figures(record: &Record) -> Vec<(&'static str, String, String)> {
    let mut figures = Vec::new();
    if let (Some(first), Some(last)) = (record.epochs.first(), record.epochs.last()) {
        let (from, to) = (first.reconstruction_error, last.reconstruction_error);
        let more = if first.epoch < last.epoch {
            format!("{} after epoch {}", number(from), first.epoch)
        } else {
            "on held-out cases".into()
        };
        figures.push(("reconstruction error", number(to), more));
    }
    if let Some((epoch, eval)) = record.last_eval() {
        let likelihood = &eval.likelihood;
        if let Some(HeldOut { is_test, mean, bracket }) = likelihood.held_out() {
            let of = if is_test { "test" } else { "training" };
            let certain = match bracket {
                None => "exact".into(),
                Some((low, high)) => format!("{} to {}", number(low), number(high)),
            };
            let doubt = if likelihood.log_z.reliable { "" } else { ", not reliable" };
            let more = format!("{of} cases, {certain}{doubt}, epoch {epoch}");
            figures.push(("log-likelihood, nats", number(mean), more));
        }
        let pseudo = likelihood.pseudo_log_likelihood_per_unit;
        if !pseudo.is_nan() {
            figures.push(("pseudo-log-likelihood", number(pseudo), "nats a visible unit".into()));
        }
        if let Some(gap) = likelihood.free_energy_gap {
            figures.push(("free-energy gap", number(gap), "training less test, nats".into()));
        }
    }
    if let Some(rate) = record.samples_per_second() {
        figures.push(("samples a second", number(rate.round()), "median of the epochs".into()));
        let seconds = record.seconds();
        let planned = record.planned().map_or(String::new(), |planned| format!(" of {planned} epochs"));
        let more = format!("{}{planned}", record.epochs.len());
        figures.push(("time learning", duration(seconds), more));
    }
    if !record.findings.is_empty() {
        let worst = if record.findings.iter().any(|(_, found)| found.severity == Severity::Error) {
            "errors"
        } else {
            "warnings"
        };
        figures.push(("findings", record.findings.len().to_string(), format!("{worst} among them")));
    }
    figures
}

fn duration(seconds: f64) -> String {
    match seconds {
        ..10.0 => format!("{seconds:.1} s"),
        ..120.0 => format!("{seconds:.0} s"),
        ..7200.0 => format!("{:.0} min", seconds / 60.0),
        _ => format!("{:.1} h", seconds / 3600.0),
    }
}

/// Histograms of the parameters, with a table of quantiles.
fn histograms(rbm: &Rbm) -> Result<Markup> {
    let groups = [
        ("Weights W", rbm.weights()),
        ("Visible biases b", rbm.visible_bias()),
        ("Hidden biases c", rbm.hidden_bias()),
    ];
    let mut drawn = Vec::new();
    for (title, values) in groups {
        let Some(chart) = histogram("", values) else { continue };
        let quantiles = quantiles(values);
        let alt = format!(
            "Histogram of {} {title}, from {} to {}",
            values.len(),
            quantiles[0].1,
            quantiles[quantiles.len() - 1].1
        );
        drawn.push((title, values.len(), page::drawn(&chart, true, &alt)?, quantiles));
    }
    let rows = |quantiles: &[(&str, String)]| -> Vec<Vec<String>> {
        quantiles.iter().map(|(name, value)| vec![name.to_string(), value.clone()]).collect()
    };
    Ok(html! {
        div.grid.three {
            @for (title, count, chart, quantiles) in &drawn {
                figure {
                    h3 { (title) }
                    (chart)
                    figcaption { (count) " of the model as it is saved." }
                    details {
                        summary { "Figures" }
                        (page::table(&["".into(), "value".into()], &rows(quantiles)))
                    }
                }
            }
        }
    })
}

fn quantiles(values: &[f32]) -> Vec<(&'static str, String)> {
    let mut sorted: Vec<f32> = values.iter().copied().filter(|value| value.is_finite()).collect();
    sorted.sort_by(f32::total_cmp);
    let at = |share: f64| number(f64::from(sorted[((sorted.len() - 1) as f64 * share).round() as usize]));
    let count = sorted.len() as f64;
    let mean = sorted.iter().map(|&value| f64::from(value)).sum::<f64>() / count;
    let variance = sorted.iter().map(|&value| (f64::from(value) - mean).powi(2)).sum::<f64>() / count;
    vec![
        ("smallest", at(0.0)),
        ("1 %", at(0.01)),
        ("a quarter", at(0.25)),
        ("half", at(0.5)),
        ("three quarters", at(0.75)),
        ("99 %", at(0.99)),
        ("largest", at(1.0)),
        ("mean", number(mean)),
        ("standard deviation", number(variance.sqrt())),
    ]
}
