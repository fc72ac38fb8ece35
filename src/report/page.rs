//! The elements of a report's page. [`maud`] escapes all text. Inserted unescaped are only the charts, whose text the
//! plotting library escapes, and the style sheet and the script next to this file.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{
    curves::{self, Plot},
    pictures::{Kind, Series},
};
use crate::{
    chart::{self, Chart},
    error::{Error, Result},
    finding::{Finding, Severity},
    picture::Form,
};

/// Width and height of a chart on the page, which scales it up.
const CHART: (u32, u32) = (540, 290);
/// The finer resolution at which a chart is drawn.
const SMALL: (u32, u32) = (360, 200);
const ZOOM: u32 = 3;

/// A whole page.
pub fn page(title: &str, body: Markup) -> String {
    // The page must load nothing, whatever gets into it.
    let policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'";
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="generator" content=(concat!("rbm-gpu ", env!("CARGO_PKG_VERSION")));
                title { (title) }
                style { (PreEscaped(include_str!("style.css"))) (PreEscaped(dark())) }
            }
            body {
                (body)
                footer { "Written by rbm-gpu " (env!("CARGO_PKG_VERSION")) "." }
                script { (PreEscaped(include_str!("slider.js"))) }
            }
        }
    };
    markup.into_string()
}

/// The charts' colours in dark mode: a style sheet overrides attributes.
fn dark() -> String {
    let rules = curves::colors().into_iter().map(|(light, dark)| {
        format!("svg [stroke=\"{light}\"]{{stroke:{dark}}}svg [fill=\"{light}\"]{{fill:{dark}}}\n")
    });
    let legend = curves::colors()
        .into_iter()
        .map(|(light, dark)| format!(".legend [data-color=\"{light}\"]{{border-color:{dark}!important}}\n"));
    format!(
        "@media screen and (prefers-color-scheme: dark) {{\n{}}}",
        rules.chain(legend).collect::<String>()
    )
}

/// A chart as an image with its alternative text.
pub fn drawn(chart: &Chart, small: bool, alt: &str) -> Result<Markup> {
    let svg = chart::svg(if small { SMALL } else { CHART }, ZOOM, None, std::slice::from_ref(chart))
        .map_err(|reason| Error::Usage(format!("a chart could not be drawn: {reason}")))?;
    let label = html! { (alt) }.into_string().replace('"', "&quot;");
    // The page sets the size.
    let (_, rest) = svg.split_once("viewBox").unwrap_or_default();
    Ok(PreEscaped(format!("<svg role=\"img\" aria-label=\"{label}\" viewBox{rest}")))
}

/// A plot: its title, the chart, its legend, a note, and the figures as a table.
pub fn plot(plot: &Plot) -> Result<Markup> {
    let curves = &plot.chart.curves;
    let ends = curves.iter().filter_map(|curve| {
        let (first, last) = (curve.points.first()?, curve.points.last()?);
        let [from, to] = [first.1, last.1].map(chart::number);
        Some(format!("{}: from {from} in epoch {} to {to} in epoch {}", curve.name, first.0, last.0))
    });
    let alt = format!("{}, by epoch. {}", plot.title, ends.collect::<Vec<_>>().join("; "));
    let svg = drawn(&plot.chart, false, &alt)?;
    Ok(html! {
        figure {
            h3 { (plot.title) }
            ul.legend {
                @for curve in curves {
                    @let color = chart::hex(curve.color);
                    li {
                        span.dashed[curve.dashed] data-color=(color) style=(format!("border-color:{color}")) {}
                        (curve.name)
                    }
                }
            }
            (svg)
            figcaption { (plot.note) }
            details {
                summary { "Figures" }
                @if plot.rows.len() < plot.of {
                    p { (plot.rows.len()) " of " (plot.of) " epochs, evenly chosen; all are in metrics.jsonl." }
                }
                (table(&plot.head, &plot.rows))
            }
        }
    })
}

/// A table of figures.
pub fn table(head: &[String], rows: &[Vec<String>]) -> Markup {
    html! {
        div.scroll tabindex="0" {
            table {
                thead { tr { @for cell in head { th scope="col" { (cell) } } } }
                tbody { @for row in rows { tr { @for cell in row { td { (cell) } } } } }
            }
        }
    }
}

/// Key figures, each with its name and a remark.
pub fn figures(figures: &[(&str, String, String)]) -> Markup {
    html! {
        dl.figures {
            @for (name, value, more) in figures {
                div { dt { (name) } dd.value { (value) } dd.more { (more) } }
            }
        }
    }
}

/// Pictures with a slider over the epochs, in a grid of a class of the style sheet.
pub fn epochs(id: &str, stacks: &[(String, &Series)], layout: &str) -> Markup {
    let mut epochs: Vec<usize> =
        stacks.iter().flat_map(|(_, series)| series.pictures.iter().map(|picture| picture.0)).collect();
    epochs.sort_unstable();
    epochs.dedup();
    let named: Vec<String> = epochs.iter().map(usize::to_string).collect();
    let last = epochs.len().saturating_sub(1);
    html! {
        div.epochs {
            @if last > 0 {
                div.slider {
                    label for=(id) { "Epoch" }
                    input type="range" id=(id) min="0" max=(last) value=(last) data-epochs=(named.join(" "));
                    output for=(id) { "epoch " (named[last]) }
                }
            }
            div class={ "grid " (layout) } { @for (title, series) in stacks { (stack(title, series)) } }
        }
    }
}

fn stack(title: &str, series: &Series) -> Markup {
    let last = series.pictures.len() - 1;
    html! {
        figure.stack {
            h3 { (title) }
            @for (at, (epoch, (width, height), uri)) in series.pictures.iter().enumerate() {
                img src=(uri) width=(width) height=(height) data-epoch=(epoch) hidden[at != last]
                    alt=(format!("{title}, after epoch {epoch}"));
            }
            figcaption { "After epoch " span.epoch { (series.pictures[last].0) } ". " (what(series)) }
        }
    }
}

fn what(series: &Series) -> &'static str {
    match (series.kind, series.form, series.tiles) {
        (Kind::Filters, _, 0) => {
            "At each site a letter is as high as its weight, above the line if that is positive; one scale for all units."
        }
        (Kind::Filters, Form::Image(..), _) => {
            "Grey is 0, white positive, black negative, on one scale for all units."
        }
        (Kind::Filters, Form::Sites(..), _) => {
            "A line for each site, a pixel for each state: grey is 0, white positive, black negative, on one scale for all units."
        }
        (Kind::Filters, Form::Columns(_), _) => {
            "A pixel for each column: grey is 0, white positive, black negative, on one scale for all units."
        }
        (Kind::Reconstructions, Form::Sites(..), _) => {
            "Held-out cases, and below each its reconstruction: a line for each site, a pixel for each state."
        }
        (Kind::Reconstructions, ..) => "Held-out cases, and below each its reconstruction.",
        (Kind::Chains, Form::Columns(_), 0) => {
            "Training cases and the model's chains: frequencies of states, and means and standard deviations of numbers, as in the file."
        }
        (Kind::Chains, _, 0) => {
            "Training cases and the model's chains: a site is as high as its information, its letters by their frequencies."
        }
        (Kind::Chains, Form::Sites(..), _) => {
            "p(v|h) of each chain: a line for each site, a pixel for each state."
        }
        (Kind::Chains, ..) => "p(v|h) of each chain.",
    }
}

/// Findings in full, with the numbers of the marks in the charts.
pub fn findings(findings: &[(usize, Finding)]) -> Markup {
    html! {
        ol.findings {
            @for (number, (epoch, found)) in (1..).zip(findings) {
                li class=(if found.severity == Severity::Error { "error" } else { "warning" }) {
                    h3 { (number) ". " b { (found.severity) } ": " (found.name) ", in epoch " (epoch) }
                    dl {
                        dt { "seen" } dd { (found.seen) }
                        dt { "why" } dd { (found.why) }
                        dt { "fix" } dd { (found.fix) }
                    }
                }
            }
        }
    }
}

/// Problems in the folder.
pub fn remarks(remarks: &[String]) -> Markup {
    html! {
        @if !remarks.is_empty() {
            div.remarks { @for remark in remarks { p { (remark) } } }
        }
    }
}
