//! Alignments, from the file of a family to weights, samples and contacts.

use std::{fs, io::Write, path::Path};

use crate::common::program::{refuse, succeed};
use flate2::{Compression, write::GzEncoder};
use rbm_gpu::{
    config::TrainConfig,
    contacts::{Measure, Score, contacts},
    data::{Encoding, Selection, Source},
    model,
    rbm::{Layers, Rbm, Side},
    units::Kind,
};
use serde_json::Value;

/// 40 sequences of 10 letters, some of them near to each other.
fn sequences() -> Vec<String> {
    let letter = |case: usize, site: usize| {
        let of_family = (case / 4 * 7 + site * 3 + case / 8 * site) % 5;
        let of_case = match case % 4 {
            2 => usize::from(site == 2),
            3 => usize::from(site.is_multiple_of(3)),
            _ => 0,
        };
        "ACGU-".chars().nth((of_family + of_case) % 5).unwrap()
    };
    (0..40).map(|case| (0..10).map(|site| letter(case, site)).collect()).collect()
}

fn fasta(sequences: &[String]) -> String {
    sequences
        .iter()
        .enumerate()
        .map(|(case, sequence)| format!(">s{case} of a family\n{sequence}\n"))
        .collect()
}

/// With a column of insertions after the first site, in two blocks.
fn stockholm(sequences: &[String]) -> String {
    let mut text = "# STOCKHOLM 1.0\n#=GF AC X\n\n".to_string();
    for block in 0..2 {
        for (case, sequence) in sequences.iter().enumerate() {
            let part = match block {
                0 => {
                    format!("{}{}{}", &sequence[..1], if case % 2 == 0 { 'a' } else { '.' }, &sequence[1..6])
                }
                _ => sequence[6..].to_string(),
            };
            text += &format!("s{case}/1-10  {part}\n");
        }
        text += &format!("#=GC RF       {}\n\n", if block == 0 { "x.xxxxx" } else { "xxxx" });
    }
    text + "//\n"
}

fn write_gz(path: &Path, text: &str) {
    let mut packed = GzEncoder::new(fs::File::create(path).unwrap(), Compression::default());
    packed.write_all(text.as_bytes()).unwrap();
    packed.finish().unwrap();
}

fn values(path: &Path) -> (Vec<f32>, Vec<String>) {
    let dataset = Source::Path(path.into()).load().unwrap();
    let rows = &dataset.train.rows;
    ((0..rows.len()).flat_map(|row| rows.values(row)).collect(), dataset.notes)
}

#[test]
fn an_alignment_is_the_same_in_every_format() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let sequences = sequences();
    let a2m = fasta(&sequences.iter().map(|s| format!("{}acg{}..", &s[..4], &s[4..])).collect::<Vec<_>>());
    for (name, text) in
        [("family.fasta", fasta(&sequences)), ("family.a2m", a2m), ("family.sto", stockholm(&sequences))]
    {
        fs::write(folder.join(name), &text).unwrap();
        write_gz(&folder.join(format!("{name}.gz")), &text);
    }
    let (expected, _) = values(&folder.join("family.fasta"));
    assert_eq!(expected.len(), 40 * 10 * 5, "one-hot");
    for (name, note) in [
        ("family.fasta.gz", "letters ACGU- (RNA)"),
        ("family.a2m", "insertions are dropped: 120 lower-case letters and 80 dots"),
        ("family.a2m.gz", "insertions are dropped"),
        ("family.sto", "10 match columns of 11: 1 columns of insertions are dropped (gaps of #=GC RF"),
        ("family.sto.gz", "10 match columns of 11"),
    ] {
        let (found, notes) = values(&folder.join(name));
        assert_eq!(found, expected, "{name}");
        let shown = succeed(folder, &["data", name]);
        assert!(notes.join("; ").contains(note) && shown.contains(note), "{name}: {shown}");
        assert!(!shown.contains('‹'), "options are spelled: {shown}");
    }
    // The gap first, as rbms has it.
    let shown = succeed(folder, &["data", "family.sto", "--alphabet", "-rna"]);
    assert!(
        shown.contains("letters -ACGU (RNA), states 0 to 4 in this order; the gap is the first"),
        "{shown}"
    );
    for (arguments, expected) in [
        (&["family.sto", "--reweight", "1.5"][..], "--reweight must be above 0 and at most 1"),
        (&["family.sto", "--reweight", "0.8", "--weights", "w.csv"], "leave one of them out"),
        (&["family.sto", "--duplicates", "drop", "--weights", "w.csv"], "--duplicates drop"),
        (&["bars-and-stripes:2", "--duplicates", "drop"], "--duplicates is for alignments"),
        (&["family.sto", "--alphabet", "ACG-", "--unknown-letters", "refuse"], "found 'U'"),
    ] {
        refuse(folder, &[&["data"], arguments].concat(), &[expected]);
    }
}

#[test]
fn weights_are_counted_over_the_whole_file_and_stay_with_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let sequences = sequences();
    fs::write(folder.join("family.fasta"), fasta(&sequences)).unwrap();
    let same = |one: &str, other: &str| one.chars().zip(other.chars()).filter(|(x, y)| x == y).count();
    let similar = |one: &String| sequences.iter().filter(|other| same(one, other) >= 8).count();
    let expected: Vec<f32> = sequences.iter().map(|one| 1.0 / similar(one) as f32).collect();
    let source = Source::Path(folder.join("family.fasta"));
    let selection = Selection { reweight: Some(0.8), ..Selection::default() };
    let dataset = selection.load(&source).unwrap();
    assert_eq!(dataset.train.weights.as_ref().unwrap(), &expected);
    assert!(expected.iter().any(|&w| w < 0.5) && expected.contains(&1.0), "{expected:?}");
    let note = format!("effective number {:.2}", expected.iter().map(|&w| f64::from(w)).sum::<f64>());
    let shown = succeed(folder, &["data", "family.fasta", "--reweight", "0.8"]);
    assert!(shown.contains(&note) && shown.contains("at most 2 of 10 values different"), "{shown}");
    // Cases keep their weights where some are held out.
    let split = Selection { validation: Some(0.25), ..selection }.load(&source).unwrap();
    let validation = split.validation.unwrap();
    for cases in [&split.train, &validation] {
        for (row, weight) in cases.weights.as_ref().unwrap().iter().enumerate() {
            let states: Vec<f32> = cases.rows.values(row).collect();
            let letters = dataset.encoding.spelled(&dataset.encoding.decode(&states)).unwrap();
            assert_eq!(*weight, 1.0 / similar(&letters[0]) as f32);
        }
    }
    let train = [
        "train",
        "--data",
        "family.fasta",
        "--reweight",
        "0.8",
        "--validation",
        "0.25",
        "--alphabet",
        "-rna",
    ];
    let size =
        ["--hidden", "3", "--epochs", "2", "--batch", "8", "--device", "cpu", "--quiet", "--out", "run"];
    succeed(folder, &[&train[..], &size].concat());
    let config: Value = serde_json::from_slice(&fs::read(folder.join("run/config.json")).unwrap()).unwrap();
    assert_eq!((&config["reweight"], &config["alphabet"]), (&Value::from(0.8), &Value::from("-rna")));
    succeed(folder, &["train", "--quiet", "--resume", "run", "--epochs", "3"]);
    let eval = |more: &[&str]| {
        let text = succeed(folder, &[&["eval", "run", "--device", "cpu", "--json"], more].concat());
        let report: Value = serde_json::from_str(&text).unwrap();
        ["pseudo_log_likelihood", "free_energy_gap"].map(|figure| report[figure].as_f64().unwrap())
    };
    // The run's weights are those of the option, and not all alike.
    assert_eq!(eval(&[]), eval(&["--reweight", "0.8"]));
    assert_ne!(eval(&[]), eval(&["--reweight", "1"]));
}

#[test]
fn samples_of_letters_are_sequences() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("family.fasta"), fasta(&sequences())).unwrap();
    let size =
        ["--hidden", "3", "--epochs", "2", "--batch", "8", "--device", "cpu", "--quiet", "--out", "run"];
    succeed(folder, &[&["train", "--data", "family.fasta"][..], &size].concat());
    let count = |name: &str, cases: usize| {
        let text = fs::read_to_string(folder.join(name)).unwrap();
        let letters: Vec<&str> = text.lines().filter(|line| !line.starts_with('>')).collect();
        assert_eq!(letters.len(), cases, "{name}");
        assert!(
            letters.iter().all(|line| line.len() == 10 && line.chars().all(|x| "ACGU-".contains(x))),
            "{text}"
        );
        succeed(folder, &["data", name]);
    };
    succeed(folder, &["sample", "run", "--chains", "7", "--steps", "5", "--device", "cpu"]);
    count("samples.fasta", 7);
    succeed(folder, &["sample", "run", "--chains", "7", "--steps", "5", "--device", "cpu", "--show", "mean"]);
    assert!(folder.join("samples.npy").exists(), "means are numbers");
    succeed(folder, &["reconstruct", "run", "--device", "cpu"]);
    count("reconstructions.fasta", 40);
    let mask =
        ["inpaint", "run", "--mask", "right-half", "--steps", "10", "--chains", "2", "--device", "cpu"];
    succeed(folder, &[&mask[..], &["-o", "designs.fasta"]].concat());
    count("designs.fasta", 40);
    // What is known stays.
    let designs = fs::read_to_string(folder.join("designs.fasta")).unwrap();
    let known: Vec<&str> =
        designs.lines().filter(|line| !line.starts_with('>')).map(|line| &line[..5]).collect();
    let data = sequences();
    assert_eq!(known, data.iter().map(|sequence| &sequence[..5]).collect::<Vec<_>>());
    refuse(
        folder,
        &["sample", "run", "--show", "mean", "-o", "x.fasta"],
        &["letters are states", "--show state"],
    );
    refuse(folder, &["reconstruct", "run", "-o", "x.png"], &[".fasta, .csv or .npy"]);
}

/// Pairs of sites, and the norms of their couplings.
const COUPLED: [((usize, usize), f64); 4] = [((0, 5), 2.0), ((1, 2), 1.5), ((3, 8), 1.0), ((4, 7), 0.6)];

/// A Gaussian hidden unit for each pair, of precision 2: its couplings are w_i(a) w_j(b) / 2.
fn coupled() -> (Rbm, Encoding) {
    let encoding = Encoding { letters: Some("ACGU-".into()), ..Encoding::of(Kind::Potts { states: 5 }, 10) };
    let hidden = COUPLED.len();
    let layers =
        Layers { visible: encoding.layer.clone(), hidden: format!("{hidden} gaussian").parse().unwrap() };
    let mut rbm = Rbm::zeros(layers);
    let direction = [0.5, -0.5, 0.5, -0.5, 0.0];
    for (unit, ((i, j), strength)) in COUPLED.into_iter().enumerate() {
        for (site, scale) in [(i, 2.0), (j, strength)] {
            for (state, x) in direction.into_iter().enumerate() {
                // A constant for all states changes no coupling.
                rbm.weights_mut()[(site * 5 + state) * hidden + unit] = (scale * x + 0.3) as f32;
            }
        }
    }
    rbm.potentials_mut(Side::Hidden)[hidden..].fill(2.0);
    (rbm, encoding)
}

#[test]
fn contacts_are_the_couplings_of_a_model_in_which_they_are_known() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("family.fasta"), fasta(&sequences())).unwrap();
    let (rbm, encoding) = coupled();
    let config = TrainConfig { data: Source::Path(folder.join("family.fasta")), ..TrainConfig::default() };
    model::save(&folder.join("known.safetensors"), &rbm, &config, &encoding).unwrap();
    let dataset = config.data.load().unwrap();
    for measure in [Measure::Differences, Measure::Variances] {
        let found = contacts(&rbm, &dataset.train, measure, None, None).unwrap();
        for i in 0..10 {
            for j in 0..10 {
                let known = COUPLED.iter().find(|(sites, _)| *sites == (i.min(j), i.max(j)));
                let expected = known.map_or(0.0, |(_, strength)| *strength);
                assert!((found.raw[i * 10 + j] - expected).abs() < 1e-5, "{measure:?}: {i} {j}");
            }
        }
        let first: Vec<_> = found.ranked(1, Score::Corrected).iter().take(4).map(|pair| pair.sites).collect();
        assert_eq!(first, COUPLED.map(|(sites, _)| sites), "{measure:?}");
    }
    let files = ["-o", "c.csv", "-o", "c.tsv", "-o", "c.png", "-o", "c.npy"];
    let shown = succeed(folder, &[&["contacts", "known.safetensors"][..], &files].concat());
    assert!(
        shown.contains("of 45 pairs; sites are counted from 1") && shown.contains("without the gap"),
        "{shown}"
    );
    let table = fs::read_to_string(folder.join("c.csv")).unwrap();
    let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!((lines.len(), lines[0].join(" ")), (46, "rank site_i site_j corrected norm".into()));
    for (rank, ((i, j), strength)) in COUPLED.into_iter().enumerate() {
        let line = &lines[rank + 1];
        assert_eq!(line[..3], [rank + 1, i + 1, j + 1].map(|x| x.to_string()));
        assert!(
            (line[4].parse::<f64>().unwrap() - strength).abs() < 1e-5,
            "{line:?}: the gap has no couplings"
        );
    }
    let map = image::open(folder.join("c.png")).unwrap().to_luma8();
    let zoom = map.width() / 10;
    let at = |i: u32, j: u32| map.get_pixel(j * zoom + zoom / 2, i * zoom + zoom / 2).0[0];
    assert_eq!((at(0, 5), at(5, 0), at(0, 0)), (0, 0, 255), "the strongest pair is black");
    let far = succeed(folder, &["contacts", "known.safetensors", "--separation", "4", "-o", "far.csv"]);
    assert!(far.contains("far.csv") && !far.contains("\n     2      2      3"), "{far}");
    refuse(folder, &["contacts", "known.safetensors", "-o", "c.csv"], &["exists already", "--force"]);
    refuse(folder, &["contacts", "known.safetensors", "-o", "c.txt"], &[".csv, .tsv, .png, .npy"]);
}
