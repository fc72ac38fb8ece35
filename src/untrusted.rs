//! Every parser of untrusted files, from bytes alone, for `fuzz/` and `tests/untrusted.rs`. A parser may reject anything
//! with a message; it must neither panic nor allocate on a header's word.

use std::{io::Cursor, path::Path};

use crate::{
    chart,
    checkpoint::{self, Policy},
    command,
    config::TrainConfig,
    data::{
        AlignmentForm, Dataset, Keep, Rows, Selection, Source, Summary, UnknownLetters, file,
        hdf5 as data_hdf5, idx, images, load_alignment, npy, recognised, svmlight,
        table::{self, ColumnUse, Use},
    },
    doctor::{
        self,
        examine::{foreign, parse_log, plots, run},
        log::{Log, LogFigures, taken},
        model::ModelFigures,
        watch::Memory,
    },
    error::{Error, Result, excerpt, usage},
    exchange::{self, Import},
    hdf5,
    inpaint::mask,
    model,
    rbm::Rbm,
    report::{self, Record},
    run::lines::{self, Lines},
};

/// A parser: its name, which is also that of its fuzz target and its folder of examples, and the function.
pub type Parser = (&'static str, fn(&[u8]) -> Result<()>);

/// All parsers.
pub const PARSERS: &[Parser] = &[
    ("idx", idx_file),
    ("gzip", gzip),
    ("npy", npy_file),
    ("npz", npz),
    ("sparse", npz),
    ("svmlight", svmlight_file),
    ("csv", csv_file),
    ("png", image),
    ("jpeg", image),
    ("labels", labels),
    ("kind", kind),
    ("model", model_file),
    ("fasta", fasta_file),
    ("stockholm", stockholm_file),
    ("arrays", arrays),
    ("hdf5", hdf5_file),
    ("ising", arrays),
    ("table", table),
    ("config", config),
    ("log", log),
    ("metrics", metrics),
    ("plot", plot),
    ("mask", mask_file),
    ("checkpoint", checkpoint_file),
    ("report", report_page),
    ("picture", picture),
];

/// The parser with this name.
///
/// # Panics
/// If there is none.
pub fn parser(name: &str) -> fn(&[u8]) -> Result<()> {
    PARSERS.iter().find(|(other, _)| *other == name).unwrap_or_else(|| panic!("no parser {name}")).1
}

fn name() -> &'static Path {
    Path::new("file")
}

/// Reads every value, as any user of the data does.
fn gone_through(dataset: &Dataset) {
    let summary = Summary::of(dataset);
    assert!(summary.parts.iter().all(|part| part.cases > 0), "{summary:?}");
    assert_eq!(dataset.image.0 * dataset.image.1, summary.units);
    for cases in dataset.parts() {
        assert_eq!(cases.rows.layout().units, dataset.encoding.layer.columns());
        let known = cases.labels.iter().flatten().all(|&label| (label as usize) < dataset.classes.len());
        assert!(known && cases.labels.as_ref().is_none_or(|labels| labels.len() == cases.rows.len()));
        let is_binary = dataset.encoding.layer.is_binary();
        let has_types = !dataset.encoding.columns.is_empty();
        let inside = |x: f32| match is_binary {
            _ if x.is_nan() => true,
            true => (0.0..=1.0).contains(&x),
            false => x.abs() == 1.0 || has_types && x.is_finite(),
        };
        let are_inside = (0..cases.rows.len()).all(|row| match cases.rows.entries(row) {
            Some(mut entries) => entries.all(|(column, x)| column < summary.units && inside(x)),
            None => cases.rows.values(row).all(inside),
        });
        assert!(are_inside, "values from 0 to 1, or -1 and 1");
    }
}

fn is_whole(rbm: &Rbm) {
    let (visible, hidden) = (rbm.shape().visible, rbm.shape().hidden);
    assert_eq!(rbm.weights().len(), visible * hidden);
    assert_eq!((rbm.visible_bias().len(), rbm.hidden_bias().len()), (visible, hidden));
}

fn idx_file(bytes: &[u8]) -> Result<()> {
    let images = idx::images(name(), bytes).map(|((height, width), rows)| {
        assert!(rows.layout().units == height * width && !rows.is_empty());
    });
    if bytes.get(3).is_some_and(|&dimensions| dimensions < 3) {
        idx::labels(name(), bytes).map(|_| ())
    } else {
        images
    }
}

fn gzip(bytes: &[u8]) -> Result<()> {
    idx::images(name(), file::unpacked(bytes)).map(|_| ())
}

/// Loads with and without a restriction on the range of numbers; the doctor does without.
fn data(load: impl Fn(&Selection) -> Result<Dataset>) -> Result<()> {
    let given = Selection { divide_by: Some(1e12), label_column: Some("1".into()), ..Selection::default() };
    // Any numbers: these need not be from 0 to 1.
    let any = load(&Selection { any_numbers: true, ..Selection::default() });
    assert!(any.is_ok_and(|data| Summary::of(&data).units > 0) || load(&Selection::default()).is_err());
    let outcomes =
        [Selection::default(), given].map(|selection| load(&selection).map(|data| gone_through(&data)));
    outcomes.into_iter().reduce(Result::or).unwrap_or(Ok(()))
}

fn npy_file(bytes: &[u8]) -> Result<()> {
    data(|selection| npy::load("file", bytes, selection))
}

fn npz(bytes: &[u8]) -> Result<()> {
    data(|selection| npy::load_npz("file", Cursor::new(bytes), selection))
}

/// Reads a table, and what is written of it: the same columns.
fn csv_file(bytes: &[u8]) -> Result<()> {
    let dataset = table::load(name(), bytes, &Selection::default());
    if let Some(Dataset { encoding, train, .. }) =
        dataset.ok().filter(|dataset| !dataset.encoding.columns.is_empty())
    {
        let values: Vec<f32> = (0..train.rows.len()).flat_map(|row| train.rows.values(row)).collect();
        let mut written = Vec::new();
        table::write(&mut written, &encoding, &values).map_err(Error::read(name()))?;
        let for_model = Selection::default().of_encoding(&encoding, Vec::new());
        let again = table::load(name(), &written[..], &for_model)?;
        let read: Vec<f32> =
            (0..again.train.rows.len()).flat_map(|row| again.train.rows.values(row)).collect();
        // What is missing is missing again.
        let shown = |values: &[f32]| values.iter().map(|x| (!x.is_nan()).then_some(*x)).collect::<Vec<_>>();
        let written_and_read = (shown(&read), &again.encoding.columns);
        assert_eq!(written_and_read, (shown(&values), &encoding.columns), "written and read");
    }
    let typed = Selection {
        columns: Some(vec![ColumnUse { column: "1".into(), of: Use::Categories }]),
        drop: Some(vec!["2".into()]),
        missing: Some(vec!["0".into()]),
        ..Selection::default()
    };
    // Encoded as a command does.
    let load = |selection: &Selection| {
        let dataset = table::load(name(), bytes, selection)?;
        let encoding = dataset.encoding.clone();
        dataset.encoded(encoding, &Source::Path(name().into()))
    };
    let _ = load(&typed).map(|data| gone_through(&data));
    data(load)
}

/// Reads letters, and encodes them as a command does, with and without insertions and doubtful sequences.
fn alignment(bytes: &[u8], form: AlignmentForm) -> Result<()> {
    let kept = Selection { inserts: Some(Keep::Keep), ..Selection::default() };
    let strict = Selection {
        inserts: Some(Keep::Drop),
        unknown_letters: Some(UnknownLetters::Drop),
        duplicates: Some(Keep::Drop),
        ..Selection::default()
    };
    let outcomes = [Selection::default(), kept, strict].map(|selection| {
        let dataset = load_alignment(name(), bytes, form, &selection)?;
        let encoding = dataset.encoding.clone();
        let dataset = dataset.encoded(encoding, &Source::Path(name().into()))?;
        assert!(Summary::of(&dataset).units == dataset.encoding.file_columns());
        Ok(())
    });
    outcomes.into_iter().reduce(Result::or).unwrap_or(Ok(()))
}

fn svmlight_file(bytes: &[u8]) -> Result<()> {
    data(|selection| svmlight::load(name(), bytes, selection))
}

fn fasta_file(bytes: &[u8]) -> Result<()> {
    alignment(bytes, AlignmentForm::Fasta)
}

fn stockholm_file(bytes: &[u8]) -> Result<()> {
    alignment(bytes, AlignmentForm::Stockholm)
}

/// Reads an array of labels, for four cases.
fn labels(bytes: &[u8]) -> Result<()> {
    let (shape, labels) = npy::read_labels("file", bytes)?;
    match labels.classes(&shape, 4) {
        Ok((classes, _)) => assert_eq!(classes.len(), 4),
        Err(reason) => return usage!("{reason}"),
    }
    Ok(())
}

/// Tells what a file is that is not read.
fn kind(bytes: &[u8]) -> Result<()> {
    let Some(kind) = recognised::by_head(bytes) else { return usage!("no known kind") };
    if kind.reading == recognised::Reading::Zip {
        let names = npy::file_names("file", Cursor::new(bytes))?;
        assert!(recognised::archive(&names).is_none_or(|(what, _)| !what.is_empty()));
    }
    Ok(())
}

/// A PNG, JPEG, BMP or PGM image.
fn image(bytes: &[u8]) -> Result<()> {
    let ((height, width), pixels) = images::decode(name(), bytes)?;
    gone_through(&Dataset::new((height, width), Rows::from_bytes(height * width, &pixels, 1.0 / 255.0)));
    Ok(())
}

/// Parses as every command does, and as the doctor does.
fn model_file(bytes: &[u8]) -> Result<()> {
    let read = foreign::parse(name(), bytes).map(|foreign::Loaded { rbm, .. }| {
        is_whole(&rbm);
        if !rbm.weights().is_empty() {
            let _ = ModelFigures::measure(&rbm, None).findings();
        }
    });
    model::parse(name(), bytes).map(|stored| is_whole(&stored.rbm)).or(read)
}

fn arrays(bytes: &[u8]) -> Result<()> {
    exchange::parse(name(), bytes, &Import::default()).map(|found| is_whole(&found.rbm))
}

/// Reads data, as they are and raw, and a model of any program.
fn hdf5_file(bytes: &[u8]) -> Result<()> {
    let file = hdf5::File::parse("file", bytes)?;
    let load = |selection: &Selection| {
        let dataset = data_hdf5::load(&file, None, selection)?;
        let encoding = dataset.encoding.clone();
        dataset.encoded(encoding, &Source::Path(name().into()))
    };
    let raw = Selection { any_numbers: true, ..Selection::default() };
    let outcomes = [Selection::default(), raw].map(|selection| {
        load(&selection)
            .map(|dataset| assert!(Summary::of(&dataset).units == dataset.encoding.file_columns()))
    });
    let model = exchange::parse(name(), bytes, &Import::default()).map(|found| is_whole(&found.rbm));
    outcomes.into_iter().fold(model, Result::or)
}

fn table(bytes: &[u8]) -> Result<()> {
    let array = exchange::parse_table(name(), bytes)?;
    assert_eq!(array.values.len(), array.shape.iter().product::<usize>());
    Ok(())
}

/// Whatever parses must survive a round trip.
fn config(bytes: &[u8]) -> Result<()> {
    let _ = serde_json::from_slice::<Policy>(bytes).map(|policy| policy.check());
    let config = TrainConfig::parse(&String::from_utf8_lossy(bytes))?;
    let findings = doctor::config::findings(&config);
    let written = serde_json::to_string(&config).unwrap_or_default();
    let again = TrainConfig::parse(&written)?;
    assert!(config.out.is_some() || again == config, "{written} of {findings:?}");
    Ok(())
}

fn log(bytes: &[u8]) -> Result<()> {
    for key in [None, Some("a"), Some("2")] {
        for log in parse_log(name(), bytes, key).unwrap_or_default() {
            let _ = LogFigures::measure(&log).findings(None);
        }
        let text = String::from_utf8_lossy(&bytes[..bytes.len().min(1 << 16)]);
        let _ = [false, true].map(|is_array| taken(&text, is_array, key));
    }
    parse_log(name(), bytes, None).map(|_| ())
}

fn metrics(bytes: &[u8]) -> Result<()> {
    let epochs = Lines::of(bytes);
    let last = epochs.last().min(1 << 16);
    assert!(epochs.reach(last) == epochs.missing(last).is_empty());
    assert!(lines::beginning(bytes, last).is_none_or(|whole| whole <= bytes.len() && epochs.reach(last)));
    let (costs, findings) = run::recorded(bytes);
    let _ = costs.map(|costs| LogFigures::measure(&costs).findings(None));
    if findings.is_empty() { usage!("no findings") } else { Ok(()) }
}

/// The report of a run, and of two runs: the first line is `config.json`, the others are `metrics.jsonl`.
fn report_page(bytes: &[u8]) -> Result<()> {
    let mut parts = bytes.splitn(2, |&byte| byte == b'\n');
    let (options, lines) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let record = || -> Result<Record> {
        let mut record =
            Record::new(name(), options).map_err(|error| Error::Data(excerpt(&error.to_string())))?;
        record.lines(lines);
        Ok(record)
    };
    let runs = if bytes.len().is_multiple_of(8) { vec![record()?, record()?] } else { vec![record()?] };
    let report = report::report(&runs, command::words)?;
    assert!(report.page.contains("<body>"));
    Ok(())
}

/// A picture in a run's folder, as each kind.
fn picture(bytes: &[u8]) -> Result<()> {
    let shown = report::Kind::ALL.map(|kind| report::small(bytes, kind, (2, 3), 4, 6));
    let first = shown.into_iter().reduce(|all, one| all.and(one));
    first.map_or(Ok(()), |shown| shown.map(|_| ()).map_err(Error::Data))
}

/// A plot of arbitrary costs.
fn plot(bytes: &[u8]) -> Result<()> {
    let costs = bytes.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect();
    let chart = plots::costs(&Log::new("cost", costs), None);
    match chart.map_or(Ok(String::new()), |chart| chart::page(plots::SIZE, &[chart])) {
        Ok(_) => Ok(()),
        Err(reason) => usage!("{reason}"),
    }
}

fn mask_file(bytes: &[u8]) -> Result<()> {
    let masks = ["mask.npy", "mask.png"].map(|path| mask::of_file(Path::new(path), bytes, (2, 3)));
    let [array, picture] = masks.map(|mask| mask.map(|units| assert_eq!(units.len(), 6)));
    array.or(picture)
}

/// With the checksum corrected, as an attacker would. A state that parses must survive a round trip.
fn checkpoint_file(bytes: &[u8]) -> Result<()> {
    let bytes = checkpoint::summed(bytes.to_vec()).unwrap_or_else(|| bytes.to_vec());
    let read = |bytes| checkpoint::from_bytes(bytes).map_err(Error::Data);
    let state = read(bytes)?;
    assert!(state.tensors.iter().all(|one| one.values.len() == one.shape.iter().product::<usize>()));
    let _ = Memory::of(&state.position);
    let again = read(checkpoint::to_bytes(&state).map_err(Error::Data)?)?;
    assert!(again.position == state.position && again.tensors.len() == state.tensors.len());
    assert!(again.tensors.iter().all(|tensor| state.tensors.contains(tensor)));
    assert!(again.position.step() <= u32::MAX as usize);
    Ok(())
}
