//! Several runs side by side.

use maud::{Markup, html};

use super::{
    Report, Words, curves, page,
    pictures::{Kind, Series, series},
    record::Record,
    run::{figures, title},
};
use crate::{
    error::Result,
    wording::{self, Spelling},
};

/// The page.
pub fn page(records: &[Record], words: &[Words]) -> Result<Report> {
    let names = names(records);
    let all: Vec<&Record> = records.iter().collect();
    let spelling = words.first().map_or(wording::plain as Spelling, |words| words.spelling);
    let mut remarks: Vec<String> = other_data(records, spelling).into_iter().collect();
    let mut pictured = Vec::new();
    for (record, name) in records.iter().zip(&names) {
        let mut own = record.remarks.clone();
        for kind in Kind::ALL {
            pictured
                .extend(series(record, kind, records.len(), &mut own)?.map(|series| (record, name, series)));
        }
        own.extend(record.error.iter().map(|error| format!("the run failed: {error}")));
        remarks.extend(own.into_iter().map(|remark| format!("{name}: {remark}")));
    }
    let plots = curves::plots(&all, &names, spelling);
    let plots = plots.iter().map(page::plot).collect::<Result<Vec<_>>>()?;
    let of_kind = |kind: Kind| -> Vec<(String, &Series)> {
        let own = pictured.iter().filter(|(_, _, series)| series.kind == kind);
        own.map(|(record, name, series)| (format!("{name}: {}", title(record, series)), series)).collect()
    };
    let kinds = [
        (Kind::Filters, "filters", "Filters"),
        (Kind::Reconstructions, "reconstructions", "Reconstructions"),
        (Kind::Chains, "chains", "Fantasy particles"),
    ];
    let body = html! {
        header {
            h1 { (records.len()) " runs" }
            p.about { (names.join(", ")) }
            (page::remarks(&remarks))
        }
        main {
            section { h2 { "Figures" } (final_figures(records, &names)) }
            @if !plots.is_empty() {
                section { h2 { "Learning curves" } div.grid { @for plot in &plots { (plot) } } }
            }
            section { h2 { "Options" } (options(words, &names)) }
            @for (kind, id, heading) in kinds {
                @let stacks = of_kind(kind);
                @if !stacks.is_empty() { section { h2 { (heading) } (page::epochs(id, &stacks, if stacks.len() > 2 { "three" } else { "" })) } }
            }
            @if records.iter().any(|record| !record.findings.is_empty()) {
                section {
                    h2 { "Findings" }
                    @for (record, name) in records.iter().zip(&names) {
                        @if !record.findings.is_empty() { h3 { (name) } (page::findings(&record.findings)) }
                    }
                }
            }
            section {
                h2 { "The commands" }
                @for (words, name) in words.iter().zip(&names) { h3 { (name) } pre { (words.again) } }
            }
        }
    };
    Ok(Report { page: page::page(&names.join(", "), body), remarks })
}

/// A warning if the runs did not learn from, or were not measured on, the same cases.
fn other_data(records: &[Record], spelling: Spelling) -> Option<String> {
    let about = ["data", "label-column", "classes", "limit", "validation", "divide-by", "invert", "binarize"];
    let differs = |name: &&str| {
        let key = name.replace('-', "_");
        records.iter().any(|record| record.option(&key) != records[0].option(&key))
    };
    let different: Vec<String> = about.into_iter().filter(differs).map(|name| spelling(name, None)).collect();
    (!different.is_empty()).then(|| {
        format!("{}: not the same in all runs, so take care when comparing figures", different.join(", "))
    })
}

/// The folders' names; where two have the same name, their paths with their positions.
fn names(records: &[Record]) -> Vec<String> {
    let short: Vec<String> = records.iter().map(Record::name).collect();
    let named = |(at, name): (usize, &String)| {
        let again = short.iter().filter(|other| *other == name).count() > 1;
        if again { format!("{} ({})", records[at].folder.display(), at + 1) } else { name.clone() }
    };
    short.iter().enumerate().map(named).collect()
}

/// A row for each figure, a column for each run.
fn final_figures(records: &[Record], names: &[String]) -> Markup {
    let own: Vec<_> = records.iter().map(figures).collect();
    let mut rows: Vec<&str> = Vec::new();
    for (name, ..) in own.iter().flatten() {
        if !rows.contains(name) {
            rows.push(name);
        }
    }
    let cell = |run: usize, row: &str| own[run].iter().find(|figure| figure.0 == row);
    html! {
        div.scroll tabindex="0" style="max-height:none" {
            table {
                thead { tr { th { "" } @for name in names { th scope="col" { (name) } } } }
                tbody {
                    tr { th scope="row" { "state" } @for record in records { td { (record.state()) } } }
                    @for row in rows {
                        tr {
                            th scope="row" { (row) }
                            @for run in 0..records.len() {
                                td {
                                    @if let Some((_, value, more)) = cell(run, row) {
                                        b { (value) } br; span.quiet { (more) }
                                    }
                                }
                            }
                        }
                    }
                    tr { th scope="row" { "device" } @for record in records { td { (record.device()) } } }
                }
            }
        }
    }
}

/// The options that differ, and below them those that agree.
fn options(words: &[Words], names: &[String]) -> Markup {
    let value = |run: usize, option: &str| {
        words[run]
            .choices
            .iter()
            .find(|choice| choice.name == option)
            .map_or("", |choice| choice.value.as_str())
    };
    let mut all: Vec<&str> = Vec::new();
    for choice in words.iter().flat_map(|words| &words.choices) {
        if !all.contains(&choice.name.as_str()) {
            all.push(&choice.name);
        }
    }
    let (alike, different): (Vec<&str>, Vec<&str>) = all
        .into_iter()
        .partition(|option| (1..words.len()).all(|run| value(run, option) == value(0, option)));
    let shown = |value: &str| if value.is_empty() { "–".to_string() } else { value.to_string() };
    html! {
        div.scroll tabindex="0" style="max-height:none" {
            table.words {
                thead { tr { th { "option" } @for name in names { th scope="col" { (name) } } } }
                tbody {
                    @for option in &different {
                        tr.differs {
                            th scope="row" { (option) }
                            @for run in 0..words.len() { td { (shown(value(run, option))) } }
                        }
                    }
                    @if different.is_empty() { tr { td colspan=(names.len() + 1) { "No option differs." } } }
                }
            }
        }
        details {
            summary { (alike.len()) " options that are alike" }
            dl.columns { @for option in alike { div { dt { (option) } dd { (shown(value(0, option))) } } } }
        }
    }
}
