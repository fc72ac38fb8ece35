//! `rbm-gpu data`

use std::{path::PathBuf, process::ExitCode};

use rbm_gpu::{
    Result,
    command::flag,
    data::{ColumnSummary, Dataset, Encoding, Selection, Source, Sparse, Summary, table},
    output::Target,
    picture,
    wording::spelled,
};

use super::{outputs, print, print_json};

/// Cases in a picture.
const PICTURED: usize = 100;
/// Cases in the terminal.
const SHOWN: usize = 10;
/// Classes named in the terminal.
const CLASSES: usize = 60;
/// Characters in a line of the terminal.
const LINE: usize = 120;

#[derive(clap::Args)]
pub struct Options {
    /// mnist, fashion-mnist, bars-and-stripes:N, shifter, a folder of IDX files or of images, or a file: .npy, .npz, .h5, .csv,
    /// .svmlight, .fasta, .a2m or .sto
    data: Source,
    #[command(flatten)]
    selection: Selection,
    /// Write a picture of training cases, the same number of each class, as a PNG file
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace an existing picture
    #[arg(long, requires = "out")]
    force: bool,
    /// One JSON object instead of text
    #[arg(long)]
    json: bool,
}

pub fn run(options: &Options) -> Result<ExitCode> {
    let target = options.out.as_ref().map(|path| Target::new(path, options.force)).transpose()?;
    let dataset = options.selection.load(&options.data)?;
    let mut summary = Summary::of(&dataset);
    summary.notes.iter_mut().for_each(|note| *note = spelled(note, flag));
    if let Some(target) = &target {
        let values = values(&dataset, PICTURED);
        let cases = outputs::greys(&dataset.encoding, &values, &values, target)?;
        target.write_png(&picture::cases(&cases, dataset.image, 10))?;
    }
    if options.json {
        print_json(&summary);
        return Ok(ExitCode::SUCCESS);
    }
    print(text(&options.data, &summary));
    match target {
        Some(target) => print(format!("  picture        {}\n", target.path().display())),
        None => {
            let shown = SHOWN.min(LINE / (dataset.image.1 + 1)).max(1);
            let (values, encoding) = (values(&dataset, shown), &dataset.encoding);
            print(match encoding.greys(&values, &values).filter(|_| has_picture(encoding)) {
                Some(greys) => format!("\n{}", picture::blocks(&greys, dataset.image)),
                None => format!("\n{}", lines(encoding, &encoding.decode(&values))),
            });
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether the columns are pixels or the like: those of a table have no common scale, unless all are 0 and 1.
fn has_picture(encoding: &Encoding) -> bool {
    encoding.columns.is_empty() || encoding.layer.is_binary()
}

/// A number with the digits that are certain among numbers up to `most`: a standardised number has a rounding.
fn rounded(x: f32, most: f32) -> f32 {
    let digits = 5 - f64::from(most.max(f32::MIN_POSITIVE)).log10().floor() as i32;
    let unit = 10f64.powi(digits);
    let rounded = (f64::from(x) * unit).round() / unit;
    if rounded.is_finite() { rounded as f32 } else { x }
}

/// Cases as letters or numbers, a line each.
fn lines(encoding: &Encoding, values: &[f32]) -> String {
    let cut = |line: String| line.chars().take(LINE).collect::<String>() + "\n";
    match encoding.spelled(values) {
        Some(sequences) => sequences.into_iter().map(cut).collect(),
        None if !encoding.columns.is_empty() => {
            let units = encoding.file_columns();
            let most = |unit: usize| {
                values.iter().skip(unit).step_by(units).fold(0.0_f32, |most, x| most.max(x.abs()))
            };
            let most: Vec<f32> = (0..units).map(most).collect();
            let values: Vec<f32> =
                values.iter().zip(most.iter().cycle()).map(|(&x, &most)| rounded(x, most)).collect();
            let mut text = Vec::new();
            // A vector takes everything.
            let _ = table::write(&mut text, encoding, &values);
            String::from_utf8_lossy(&text).lines().map(|line| cut(line.into())).collect()
        }
        None => {
            let number = |x: &f32| if x.is_nan() { "?".into() } else { x.to_string() };
            let line = |row: &[f32]| row.iter().map(number).collect::<Vec<_>>().join(" ");
            values.chunks(encoding.file_columns()).map(|row| cut(line(row))).collect()
        }
    }
}

/// The values of some training cases.
fn values(dataset: &Dataset, count: usize) -> Vec<f32> {
    let cases = dataset.train.pictured(count);
    cases.iter().flat_map(|&case| dataset.train.rows.values(case)).collect()
}

/// Bytes for people.
fn memory(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{:.1} kB", bytes as f64 * 1e-3),
        _ => format!("{:.1} MB", bytes as f64 * 1e-6),
    }
}

/// The columns of a table, a line each.
fn columns(columns: &[ColumnSummary]) -> String {
    /// Lines, at most.
    const MOST: usize = 40;
    if columns.is_empty() {
        return String::new();
    }
    let width =
        columns.iter().take(MOST).map(|column| column.name.chars().count()).max().unwrap_or(0).clamp(6, 30);
    let mut text = format!("\n  {:width$}  {:12}{:>8}  values\n", "column", "type", "missing");
    for column in columns.iter().take(MOST) {
        let words: Vec<String> = column.words.iter().map(|(word, count)| format!("{word} {count}")).collect();
        let values = match column.range {
            Some((least, greatest)) if least == greatest => format!("always {least}"),
            Some((least, greatest)) => {
                let most = least.abs().max(greatest.abs());
                format!("{} to {}", rounded(least, most), rounded(greatest, most))
            }
            None => words.join(", "),
        };
        let name: String = column.name.chars().take(width).collect();
        let values: String = values.chars().take(LINE).collect();
        text += &format!("  {name:width$}  {:12}{:>8}  {values}\n", column.kind, column.missing);
    }
    if columns.len() > MOST {
        text += &format!("  and {} more columns: --json has all\n", columns.len() - MOST);
    }
    text + "\n"
}

fn text(source: &Source, summary: &Summary) -> String {
    let (height, width) = summary.image;
    let packing = match summary.packing {
        "bits" => "0 or 1, a bit each",
        "bytes" => "grey levels, a byte each",
        "spins" => "-1 or 1, a bit each",
        _ => "between grey levels, 32-bit floats",
    };
    let packing = match &summary.sparse {
        None => packing.to_string(),
        Some(Sparse { numbers, share, bytes }) => format!(
            "{}; sparse: only the {numbers} that are not 0 are kept, {:.3} % of all, in {}",
            packing.split(',').next().unwrap_or_default(),
            100.0 * share,
            memory(*bytes)
        ),
    };
    let is_binary = summary.visible == format!("{} binary", summary.units);
    let mut text = match is_binary {
        true => format!("{source}: {} values a case, as {height}×{width} pixels; {packing}\n", summary.units),
        false => {
            let sparse = if summary.sparse.is_some() { format!("; {packing}") } else { String::new() };
            format!(
                "{source}: {} values a case, for visible units: {}{sparse}\n",
                summary.units, summary.visible
            )
        }
    };
    for part in &summary.parts {
        let values = format!("; values {} to {}, mean {:.4}", part.least, part.greatest, part.density);
        text += &format!(
            "  {:15}{} cases{}\n",
            match part.name {
                "train" => "training",
                name => name,
            },
            part.cases,
            match is_binary {
                true => format!("{values}, {:.1} % above 0.5", part.above_half * 1e2),
                // Columns of several types have nothing in common.
                false if !summary.columns.is_empty() => String::new(),
                false => values,
            }
        );
        if part.missing > 0 {
            let values = part.cases * summary.units;
            let share = part.missing as f64 / values as f64;
            text +=
                &format!("  {:15}{} of {values} values, {:.1} %\n", "  missing", part.missing, share * 1e2);
        }
        if let Some((sum, effective)) = part.weights {
            text += &format!("  {:15}sum {sum:.2}, worth {effective:.1} cases of one weight\n", "  weights");
        }
        if !part.classes.is_empty() {
            let named = part.classes.iter().take(CLASSES);
            let mut counts: Vec<_> = named.map(|(name, count)| format!("{name} {count}")).collect();
            if part.classes.len() > CLASSES {
                counts.push(format!("… {} classes in all", part.classes.len()));
            }
            text += &format!("  {:15}{}\n", "  classes", counts.join(", "));
        }
    }
    text += &columns(&summary.columns);
    for note in &summary.notes {
        text += &format!("  {:15}{note}\n", "note");
    }
    if summary.constant_units > 0 {
        text += &format!("  {:15}{} values never change in training\n", "constant", summary.constant_units);
    }
    text
}
