//! What little text files and arrays are read as, a line each: whatever people have, it is read as meant, or refused with words
//! that say what to do.

use std::{fs, path::Path};

use crate::common::program::{refuse, succeed};
use rbm_gpu::{
    command::flag,
    data::{
        Dataset, Packing, Selection, Source,
        npy::{Array, Values, write_array},
    },
};

/// The options of a command, as it takes them.
fn selection(options: &str) -> Selection {
    #[derive(clap::Parser)]
    struct Options {
        #[command(flatten)]
        selection: Selection,
    }
    let arguments = options.split_whitespace().map(|one| one.replace('_', " "));
    <Options as clap::Parser>::try_parse_from(std::iter::once("x".to_string()).chain(arguments))
        .unwrap()
        .selection
}

/// Cases, units and packing; the first case; classes; and notes, if there are any.
fn shown(dataset: &Dataset) -> String {
    let rows = &dataset.train.rows;
    let packing = match rows.layout().packing {
        Packing::Bits => "bits",
        Packing::Spins => "spins",
        Packing::Bytes => "bytes",
        Packing::Floats => "floats",
    };
    let first: Vec<f32> = rows.values(0).collect();
    let first: Vec<String> =
        dataset.encoding.decode(&first).iter().map(|x| ((x * 1e3).round() / 1e3).to_string()).collect();
    let mut text = format!("{} of {}, {packing}: {}", rows.len(), dataset.encoding.layer, first.join(" "));
    let words = dataset.encoding.columns.iter().filter(|column| !column.words.is_empty());
    for column in words {
        text += &format!("; {} {}", column.name, column.words.join("/"));
    }
    if let Some(labels) = &dataset.train.labels {
        let classes: Vec<&str> =
            labels.iter().map(|&label| dataset.classes[label as usize].as_str()).collect();
        text += &format!("; classes {}", classes.join(","));
    }
    for note in &dataset.notes {
        text += &format!("; {note}");
    }
    text
}

fn read(folder: &Path, name: &str, bytes: &[u8], options: &str) -> String {
    let path = folder.join(name);
    fs::write(&path, bytes).unwrap();
    let selection = Selection { standardize: Some(rbm_gpu::config::Switch::Off), ..selection(options) };
    match selection.load(&Source::Path(path)) {
        Ok(dataset) => shown(&dataset),
        Err(error) => {
            format!("refused: {}", error.message(flag).replace(&format!("{}/", folder.display()), ""))
        }
    }
}

/// Every part of `expected`, parted by …, is in `found`, in this order, from the beginning on.
fn agrees(found: &str, expected: &str) -> bool {
    let mut rest = found;
    expected.split('…').enumerate().all(|(number, part)| match rest.find(part) {
        Some(at) if number > 0 || at == 0 => {
            rest = &rest[at + part.len()..];
            true
        }
        _ => false,
    }) && (expected.ends_with('…') || rest.is_empty())
}

/// Lines of a function of row and column.
fn lines(rows: usize, columns: usize, separator: &str, of: impl Fn(usize, usize) -> String) -> String {
    let line = |row: usize| (0..columns).map(|column| of(row, column)).collect::<Vec<_>>().join(separator);
    (0..rows).map(|row| line(row) + "\n").collect()
}

fn bit(row: usize, column: usize) -> String {
    ((row * 7 + column * 3) % 5 / 3).to_string()
}

fn grey(row: usize, column: usize) -> String {
    ((row * 91 + column * 37) % 256).to_string()
}

fn utf16(text: &str, is_big_endian: bool) -> Vec<u8> {
    let units = std::iter::once(0xfeff).chain(text.encode_utf16());
    units.flat_map(|unit| if is_big_endian { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
}

#[test]
fn text_files_are_read_as_meant_or_refused_with_advice() {
    let folder = tempfile::tempdir().unwrap();
    let bits = lines(10, 4, ",", bit);
    let greys = lines(10, 4, ",", grey);
    let with = |first: &str, text: &str| format!("{first}\n{text}");
    let beside = |text: &str, column: &dyn Fn(usize) -> String| {
        text.lines().enumerate().map(|(row, line)| format!("{},{line}\n", column(row))).collect::<String>()
    };
    let blank = "\n".repeat(3000);
    let cases: Vec<(&str, Vec<u8>, &str, &str)> = vec![
        // Read rightly before tables had types.
        ("a.csv", bits.clone().into(), "", "10 of 4 binary, bits: 0 1 0 1"),
        ("a.csv", with("a,b,c,d", &bits).into(), "", "10 of 4 binary, bits: 0 1 0 1"),
        ("a.tsv", bits.replace(',', "\t").into(), "", "10 of 4 binary, bits: 0 1 0 1"),
        ("a.txt", bits.replace(',', ";").into(), "", "10 of 4 binary, bits: 0 1 0 1"),
        ("a.csv", bits.replace('\n', "\r\n").into(), "", "10 of 4 binary, bits: 0 1 0 1"),
        ("a.csv", bits.replace(',', " , ").into(), "", "10 of 4 binary, bits: 0 1 0 1"),
        ("a.csv", with("\u{feff}a,b,c,d", &bits).into(), "", "10 of 4 binary, bits: 0 1 0 1"),
        ("a.csv", bits.replace('0', "\"0\"").into(), "", "10 of 4 binary, bits: 0 1 0 1"),
        ("a.csv", greys.clone().into(), "", "10 of 4 binary, bytes: 0 0.145 0.29 0.435"),
        ("a.csv", with("p,q,r,s", &greys).into(), "", "10 of 4 binary, bytes: 0 0.145 0.29 0.435"),
        ("a.csv", "0.5,0\n0,1\n".into(), "", "2 of 2 binary, floats: 0.5 0"),
        ("a.csv", "1,-1\n-1,-1\n".into(), "", "2 of 2 spin, spins: 1 -1"),
        ("a.csv", "1,16\n0,3\n".into(), "--divide-by 16", "2 of 2 binary, floats: 0.063 1"),
        ("a.csv", "10,3\n-2,4.5\n".into(), "--visible gaussian", "2 of 2 gaussian, floats: 10 3"),
        ("a.csv", "0,2\n1,1\n".into(), "--visible potts:3", "2 of 2 potts:3, bits: 0 2"),
        (
            "a.csv",
            "0,2,1.5\n1,1,3\n".into(),
            "--visible binary,potts:3,gaussian",
            "2 of 1 binary, 1 potts:3, 1 gaussian, floats: 0 2 1.5",
        ),
        (
            "a.csv",
            "a,kind,b\n0.5,cat,1\n0,dog,0.25\n".into(),
            "--label-column kind",
            "2 of 2 binary, floats: 0.5 1; classes cat,dog",
        ),
        ("a.csv", "Label,x\n10,255\n9,0\n".into(), "", "2 of 1 binary, bits: 1; classes 10,9"),
        ("a.csv", "0,x\n1,y\n".into(), "--label-column 2", "2 of 1 binary, bits: 0; classes x,y"),
        ("a.csv", "1\n0\n1\n".into(), "", "3 of 1 binary, bits: 1"),
        ("a.csv", "my bits\n1\n0\n1\n".into(), "", "3 of 1 binary, bits: 1"),
        // Numbers of the case, and names that are numbers.
        (
            "a.csv",
            with(",a,b,c,d", &beside(&bits, &|row| row.to_string())).into(),
            "",
            "10 of 4 binary, bits: 0 1 0 1; left out: column 1, a running index",
        ),
        (
            "a.csv",
            with("Unnamed: 0,a,b,c,d", &beside(&bits, &|row| (row + 260).to_string())).into(),
            "",
            "10 of 4 binary, bits: 0 1 0 1; left out: column 1 (Unnamed: 0), a running index",
        ),
        (
            "a.csv",
            with(",a,b,c,d", &beside(&bits, &|row| (row * 7 % 10).to_string())).into(),
            "",
            "10 of 4 binary, bits: 0 1 0 1; left out: column 1, an index without a name",
        ),
        (
            "a.csv",
            with("customer_id,a,b,c,d", &beside(&bits, &|row| (900 + row * 7 % 10).to_string())).into(),
            "",
            "10 of 4 binary, bits: 0 1 0 1; left out: column 1 (customer_id), different in each line, as an id",
        ),
        (
            "a.csv",
            beside(&bits, &|row| (row + 1).to_string()).into(),
            "",
            "10 of 4 binary, bits: 0 1 0 1; left out: column 1, a running index",
        ),
        (
            "a.csv",
            with("0,1,2,3", &bits).into(),
            "",
            "10 of 4 binary, bits: 0 1 0 1; line 1 counts from 0 to 3: it has the names of the columns",
        ),
        (
            "a.csv",
            with("1,2,3,4", &bits).into(),
            "",
            "10 of 4 binary, bits: 0 1 0 1; line 1 counts from 1 to 4: it has the names of the columns",
        ),
        (
            "a.csv",
            with("0,1,2,3,4,5,6,7", &lines(10, 8, ",", grey)).into(),
            "",
            "10 of 8 binary, bytes: 0 0.145 0.29 0.435…line 1 counts from 0 to 7…",
        ),
        (
            "a.csv",
            with("label,0,1,2,3", &beside(&bits, &|row| (row % 3).to_string())).into(),
            "",
            "10 of 4 binary, bits: 0 1 0 1; classes 0,1,2,0,1,2,0,1,2,0…",
        ),
        (
            "a.csv",
            with(",0,1,2,3", &beside(&bits, &|row| row.to_string())).into(),
            "",
            "10 of 4 binary, bits: 0 1 0 1; line 1…; left out: column 1, a running index",
        ),
        (
            "a.csv",
            with("age,a,b,c,d", &beside(&bits, &|row| (20 + row * 7 % 9).to_string())).into(),
            "",
            "refused: a.csv: expected columns of one scale, found column 1 (age): whole numbers from 20 to 28, where the 4 others are from 0 to 1…--drop age…--label-column age…--columns age:gaussian",
        ),
        (
            "a.csv",
            with("age,a,b,c,d", &beside(&bits, &|row| (20 + row * 7 % 9).to_string())).into(),
            "--drop age",
            "10 of 4 binary, bits: 0 1 0 1",
        ),
        (
            "a.csv",
            with("age,a,b,c,d", &beside(&bits, &|row| (20 + row * 7 % 9).to_string())).into(),
            "--drop 1,b",
            "10 of 3 binary, bits: 0 0 1",
        ),
        (
            "a.csv",
            with("age,a,b,c,d", &beside(&bits, &|row| (20 + row * 7 % 9).to_string())).into(),
            "--columns age:gaussian",
            "10 of 1 gaussian, 4 binary, floats: 20 0 1 0 1",
        ),
        (
            "a.csv",
            with("age,a,b,c,d", &beside(&bits, &|row| (20 + row * 7 % 9).to_string())).into(),
            "--drop ages",
            "refused: --drop ages: expected a name…begins with age, a, b, c",
        ),
        (
            "a.csv",
            beside(&bits, &|row| (20 + row * 7 % 9).to_string()).into(),
            "",
            "refused: a.csv: expected columns of one scale, found column 1: …--drop 1…",
        ),
        (
            "a.csv",
            "0,1,0,1\n1,0,0,1\n0,1,1,1\n".into(),
            "--label-column 1",
            "3 of 3 binary, bits: 1 0 1; classes 0,1,0",
        ),
        (
            "a.csv",
            "A,1,3\nB,2,0\nA,0,1\n".into(),
            "--label-column 1 --divide-by 3",
            "3 of 2 binary, bytes: 0.333 1; classes A,B,A",
        ),
        ("a.csv", "2,1\n1,0\n0,1\n".into(), "--label-column 1", "3 of 1 binary, bits: 1; classes 2,1,0"),
        (
            "a.csv",
            with(
                ",0,1,2",
                &beside(
                    &lines(6, 3, ",", |row, column| format!("{}", row as f32 * 1.3 - column as f32)),
                    &|row| row.to_string(),
                ),
            )
            .into(),
            "--visible gaussian",
            "6 of 3 gaussian, floats: 0 -1 -2; line 1…; left out: column 1, a running index",
        ),
        (
            "a.csv",
            with("0,1,2", &lines(6, 3, ",", |row, column| format!("{}", row as f32 * 1.3 - column as f32)))
                .into(),
            "--visible gaussian",
            "6 of 3 gaussian, floats: 0 -1 -2; line 1…",
        ),
        ("a.csv", "0,1,2\n3,1,0\n2,2,2\n".into(), "--visible potts:4", "3 of 3 potts:4, bits: 0 1 2"),
        // Words.
        (
            "a.csv",
            "a,b\nTrue,False\nFalse,False\n".into(),
            "",
            "2 of 2 binary, bits: 1 0; a False/True; b False/True",
        ),
        (
            "a.csv",
            "True,False\nFalse,True\nTrue,False\n".into(),
            "",
            "3 of 2 binary, bits: 1 0; v1 False/True; v2 False/True",
        ),
        ("a.csv", "q1,q2\ny,n\nn,n\n".into(), "", "2 of 2 binary, bits: 1 0; q1 n/y; q2 n/y"),
        ("a.csv", "q1,q2\nYES,0\nNO,1\n".into(), "", "2 of 2 binary, bits: 1 0; q1 NO/YES"),
        ("a.csv", "base,x\nT,1\nA,0\nT,1\n".into(), "", "3 of 1 potts:2, 1 binary, bits: 1 1; base A/T"),
        (
            "a.csv",
            "size,w\nL,1.5\nS,2.5\nM,-3\nL,0\n".into(),
            "",
            "4 of 1 potts:3, 1 gaussian, floats: 0 1.5; size L/M/S",
        ),
        (
            "a.csv",
            "red,1.5\nblue,2.5\nred,0\n".into(),
            "",
            "3 of 1 potts:2, 1 gaussian, floats: 1 1.5; v1 blue/red",
        ),
        (
            "a.csv",
            "size,const\nL,x\nS,x\nL,x\n".into(),
            "",
            "3 of 1 potts:2, bits: 0; size L/S; left out: column 2 (const), always x",
        ),
        (
            "a.csv",
            "zip,n\n02134,x\n00501,y\n02134,x\n".into(),
            "--columns zip:potts",
            "3 of 2 potts:2, bits: 1 0; zip 00501/02134; n x/y",
        ),
        (
            "a.csv",
            "rating,n\n3,x\n1,y\n5,x\n".into(),
            "--columns rating:potts,n:label",
            "3 of 1 potts:3, bits: 1; rating 1/3/5; classes x,y,x",
        ),
        (
            "a.csv",
            "a,b\n1,0\n\n1,zebra\n".into(),
            "",
            "refused: a.csv: line 4, column 2: expected a number, found \"zebra\"…--missing…--columns b:potts…",
        ),
        (
            "a.csv",
            "a,b\nx,0\ny,1\n3,1\nx,0\n".into(),
            "",
            "refused: a.csv: line 4, column 1: expected a word, as in most lines, found 3…--columns a:potts…",
        ),
        (
            "a.csv",
            with(
                "name,b",
                &lines(30, 2, ",", |row, column| if column == 0 { format!("n{row}") } else { bit(row, 1) }),
            )
            .into(),
            "",
            "refused: a.csv: column 1 (name): expected categories…30 different words in 30 lines…--drop name…",
        ),
        (
            "a.csv",
            "size,w\nL,1\nS,0\n".into(),
            "--divide-by 2",
            "refused: --divide-by 2 is for numbers of one scale…",
        ),
        (
            "a.csv",
            with(
                "b1,b2,x1,x2",
                &lines(9, 4, ",", |row, column| {
                    if column < 2 { bit(row, column) } else { (row as f32 * 1.7 - 3.0).to_string() }
                }),
            )
            .into(),
            "",
            "9 of 2 binary, 2 gaussian, floats: 0 1 -3 -3",
        ),
        (
            "a.csv",
            with(
                "x,y,z",
                &lines(9, 3, ",", |row, column| ((row * 31 % 9 + 1) * [1, 50, 3000][column]).to_string()),
            )
            .into(),
            "",
            "9 of 3 gaussian, floats: 1 50 3000",
        ),
        // What is missing.
        ("a.csv", "a,b\n1,\n0,1\n".into(), "", "2 of 2 binary, floats: 1 NaN"),
        ("a.csv", "a,label,b\n1,x,0\n1,y,nan\n".into(), "", "2 of 2 binary, floats: 1 0; classes x,y"),
        ("a.csv", "a,b\nL,1.5\n?,2\nS,3\n".into(), "", "3 of 1 potts:2, 1 gaussian, floats: 0 1.5; a L/S"),
        (
            "a.csv",
            "1,0\n-1,0\n".into(),
            "",
            "refused: a.csv: line 2, column 1: expected a number that is not negative, found -1, and no other…--missing -1…",
        ),
        ("a.csv", "1,0\n-1,0\n".into(), "--missing -1", "2 of 2 binary, floats: 1 0"),
        (
            "a.csv",
            "a,b\n1,0,\n".into(),
            "",
            "refused: a.csv: line 2: expected 2 columns, as in the first line, found 3",
        ),
        ("a.csv", "1,0,\n0,1,\n".into(), "", "2 of 2 binary, bits: 1 0; left out: column 3, without a value"),
        (
            "a.csv",
            "0,1".into(),
            "--columns 1:potts --drop 2 --missing 0",
            "refused: a.csv: expected columns to learn from, found none…",
        ),
        (
            "a.csv",
            "a,b\n1,0\n,\n0,1\n".into(),
            "",
            "2 of 2 binary, bits: 1 0; left out: 1 line of empty fields",
        ),
        // How the text is written.
        ("a.txt", lines(10, 4, " ", bit).into(), "", "10 of 4 binary, bits: 0 1 0 1"),
        ("a.amat", lines(10, 4, " ", bit).into(), "", "10 of 4 binary, bits: 0 1 0 1"),
        ("a.xyz", lines(10, 4, "   ", bit).into(), "", "10 of 4 binary, bits: 0 1 0 1"),
        ("noending", lines(3, 2, ",", bit).into(), "", "3 of 2 binary, bits: 0 1"),
        ("a.txt", "  1.0e+00   0.0e+00\n  0.0e+00   2.5e-01\n".into(), "", "2 of 2 binary, floats: 1 0"),
        ("a.txt", "# p q\n1.0 0.0\n0.0 1.0\n".into(), "--drop p", "2 of 1 binary, bits: 0"),
        (
            "a.txt",
            "# made by hand, twice\n1.0 0.0\n0.0 1.0\n# the end\n".into(),
            "",
            "2 of 2 binary, bits: 1 0; left out: 2 lines of comments, which begin with #",
        ),
        ("a.csv", "tag,x\n#a,1\n#2,0\n#a,1\n".into(), "", "3 of 1 potts:2, 1 binary, bits: 1 1; tag #2/#a"),
        ("a.txt", "\"a\" \"b\"\n\"1\" 0 1\n\"2\" 1 1\n".into(), "--drop 1", "2 of 2 binary, bits: 0 1"),
        (
            "a.csv",
            "1,5;0\n0,25;1\n".into(),
            "--visible gaussian",
            "2 of 2 gaussian, floats: 1.5 0; numbers with a decimal comma",
        ),
        (
            "a.csv",
            "a;b\n0,5;0\n0,25;1\n".into(),
            "",
            "2 of 2 binary, floats: 0.5 0; numbers with a decimal comma",
        ),
        (
            "a.csv",
            "a;b\n0,5;0\n0.25;1\n".into(),
            "",
            "refused: a.csv: expected numbers with a decimal point, or all with a decimal comma…line 3…line 2",
        ),
        ("a.csv", utf16("größe,b\n1,0\n0,1\n", false), "--drop größe", "2 of 1 binary, bits: 0"),
        ("a.csv", utf16("größe,b\n1,0\n0,1\n", true), "--drop größe", "2 of 1 binary, bits: 0"),
        (
            "a.csv",
            utf16("größe,b\n1,0\n0,1\n", true)[..9].into(),
            "",
            "refused: cannot read a.csv: expected UTF-16…",
        ),
        (
            "a.csv",
            b"k,b\nM\xfcller,0\nMeier,1\nM\xfcller,1\n".to_vec(),
            "",
            "3 of 1 potts:2, 1 binary, bits: 1 0; k Meier/Müller; the text is no UTF-8: read as Latin-1",
        ),
        (
            "a.csv",
            b"k\xc3\xa4,b\nM\xfcller,0\n".to_vec(),
            "",
            "refused: a.csv: line 2: expected UTF-8, as in the lines before it…",
        ),
        ("a.csv", format!("{blank}1,0{blank}\n0,1{blank}").into(), "", "2 of 2 binary, bits: 1 0"),
        ("a.csv", "1,0\r0,1\r1,1\r".into(), "", "3 of 2 binary, bits: 1 0"),
        (
            "a.csv",
            "k,b\n\"x, y\",0\n\"say \"\"z\"\"\",1\n\"x, y\",1\n".into(),
            "",
            "3 of 1 potts:2, 1 binary, bits: 1 0; k say \"z\"/x, y",
        ),
        ("a.csv", "k,b\n\"x\n".into(), "", "refused: a.csv: line 2: expected a quote after the field…"),
        // No table.
        ("a.csv", "".into(), "", "refused: a.csv: expected one case per line, found an empty file"),
        ("a.csv", "# only\n".into(), "", "refused: a.csv: expected one case per line, found only comments"),
        ("a.csv", "a,b\n".into(), "", "refused: a.csv: 0 cases of 2 values…"),
        (
            "a.csv",
            "1,0\n1,0,1\n".into(),
            "",
            "refused: a.csv: line 2: expected 2 columns, as in the first line, found 3",
        ),
        (
            "a.csv",
            "1,0\n1,inf\n".into(),
            "",
            "refused: a.csv: line 2, column 2: expected a number, found inf",
        ),
        (
            "a.csv",
            "0.5,0\n0,3.5\n".into(),
            "",
            "refused: a.csv: line 2, column 2: expected numbers from 0 to 1, found 3.5…",
        ),
        ("a.csv", "1,16\n0,3\n".into(), "", "refused: a.csv: whole numbers up to 16…--divide-by 16…"),
        (
            "a.csv",
            "1,17\n".into(),
            "--divide-by 16",
            "refused: a.csv: line 1, column 2: expected numbers from 0 to 16, found 17…",
        ),
        (
            "a.csv",
            "a,b\n1,2\n".into(),
            "--label-column kind",
            "refused: --label-column kind: expected a name…begins with a, b",
        ),
        ("a.doc", "text\n".into(), "", "refused: a.doc: expected a folder…"),
        ("a.csv", b"a,b\n1,\0\n".to_vec(), "", "refused: a.csv: line 2: expected text, found a byte of 0…"),
    ];
    assert!(cases.len() >= 60, "{}", cases.len());
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|(name, bytes, options, expected)| {
            let found = read(folder.path(), name, bytes, options);
            let start: String = String::from_utf8_lossy(bytes).chars().take(60).collect();
            (!agrees(&found, expected))
                .then(|| format!("{name} {options} {start:?}\n  expected {expected}\n  found    {found}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

/// The scale, the names and what is left out are the model's, wherever the run and the new data are.
#[test]
fn new_data_are_read_as_the_models_were() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let write = |name: &str, text: &str| fs::write(folder.join(name), text).unwrap();
    let of = |rows: usize, scale: f32| {
        lines(rows, 4, ",", |row, column| (((row * 91 + column * 37) % 17) as f32 * scale).to_string())
    };
    fs::create_dir(folder.join("work")).unwrap();
    write("work/sixteen.csv", &of(40, 1.0));
    write("work/grey.csv", &of(40, 15.0));
    let train = ["train", "--hidden", "3", "--epochs", "2", "--batch", "10", "--device", "cpu", "--quiet"];
    let train = |more: &[&str]| succeed(&folder.join("work"), &[&train[..], more].concat());
    train(&["--data", "sixteen.csv", "--divide-by", "16", "--out", "sixteen"]);
    train(&["--data", "grey.csv", "--out", "grey"]);
    let features = |run: &str, more: &[&str]| {
        let run = format!("work/{run}");
        let printed = succeed(
            folder,
            &[&["transform", &run, "-o", "f.csv", "--force", "--device", "cpu"], more].concat(),
        );
        (fs::read_to_string(folder.join("f.csv")).unwrap(), printed)
    };
    // From another folder, the training data are found beside the run.
    let (sixteen, grey) = (features("sixteen", &[]).0, features("grey", &[]).0);
    let bytes = (0..160).map(|at| ((at / 4 * 91 + at % 4 * 37) % 17) as u8).collect();
    let file = fs::File::create(folder.join("bytes.npy")).unwrap();
    write_array(file, &Array { shape: vec![40, 4], values: Values::Bytes(bytes) }).unwrap();
    assert_eq!(features("sixteen", &["bytes.npy"]).0, sixteen, "the same numbers as bytes");
    // 1 is 1 of 16, although no number is larger.
    let zeros = lines(3, 4, ",", |row, column| usize::from(row > 0 && column == 0).to_string());
    write("zeros.csv", &zeros);
    write(
        "scaled.csv",
        &lines(3, 4, ",", |row, column| (usize::from(row > 0 && column == 0) as f32 / 16.0).to_string()),
    );
    let scaled = features("sixteen", &["scaled.csv", "--divide-by", "1"]).0;
    assert_eq!(features("sixteen", &["zeros.csv"]).0, scaled, "1 of 16 is 1/16");
    // What is scaled already is told from what is not.
    write(
        "fractions.csv",
        &lines(40, 4, ",", |row, column| (((row * 91 + column * 37) % 17) as f32 * 15.0 / 255.0).to_string()),
    );
    let (fractions, printed) = features("grey", &["fractions.csv"]);
    assert_eq!(fractions, grey);
    assert!(
        printed.contains("note: the model's data were divided by 255, these are divided by 1"),
        "{printed}"
    );
    refuse(
        folder,
        &["transform", "work/sixteen", "work/grey.csv", "-o", "g.csv"],
        &["expected numbers from 0 to 16"],
    );

    // Classes and columns that were left out are left out again, by name.
    let table = lines(12, 4, ",", |row, column| match column {
        0 => ["cat", "dog"][row % 2].into(),
        1 => (20 + row * 7 % 9).to_string(),
        _ => bit(row, column),
    });
    write("work/table.csv", &format!("kind,age,a,b\n{table}"));
    train(&["--data", "table.csv", "--label-column", "kind", "--drop", "age", "--out", "table"]);
    write("new.csv", &format!("kind,age,a,b\n{table}"));
    assert_eq!(features("table", &["new.csv"]).0, features("table", &[]).0);

    // A run that has lost its data says how to name them.
    fs::rename(folder.join("work/table"), folder.join("table")).unwrap();
    refuse(folder, &["eval", "table"], &["expected the model's training data at table.csv", "--data"]);
    succeed(folder, &["eval", "table", "--data", "new.csv", "--device", "cpu"]);
}

#[test]
fn arrays_are_read_by_the_scale_of_their_columns() {
    let folder = tempfile::tempdir().unwrap();
    let of = |rows: usize, columns: usize, of: &dyn Fn(usize, usize) -> f32| -> Vec<f32> {
        (0..rows).flat_map(|row| (0..columns).map(move |column| of(row, column))).collect()
    };
    let bits = of(10, 4, &|row, column| bit(row, column).parse().unwrap());
    let greys = of(10, 4, &|row, column| grey(row, column).parse().unwrap());
    let few = of(10, 4, &|row, column| ((row + column) % 6) as f32);
    let bytes = |values: &[f32]| Values::Bytes(values.iter().map(|&x| x as u8).collect());
    let with_index =
        of(10, 5, &|row, column| if column == 4 { row as f32 * 30.0 } else { bits[row * 4 + column] });
    let mixed = of(10, 4, &|row, column| if column < 2 { bits[row * 4 + column] } else { row as f32 * 25.0 });
    let likes = of(10, 4, &|row, column| ((row + column) % 3) as f32 - 1.0);
    for (shape, values, options, expected) in [
        (vec![10, 4], bytes(&bits), "", "10 of 4 binary, bits: 0 1 0 1"),
        (vec![10, 4], Values::Floats(bits.clone()), "", "10 of 4 binary, bits: 0 1 0 1"),
        (vec![10, 4], bytes(&greys), "", "10 of 4 binary, bytes: 0 0.145 0.29 0.435"),
        (vec![10, 2, 2], bytes(&greys), "", "10 of 4 binary, bytes: 0 0.145 0.29 0.435"),
        (vec![10, 4], Values::Floats(greys.clone()), "", "10 of 4 binary, bytes: 0 0.145 0.29 0.435"),
        (vec![10, 4], bytes(&few), "", "refused: a.npy: whole numbers up to 5…--divide-by 5…potts:6"),
        (vec![10, 2, 2], bytes(&few), "", "refused: a.npy: whole numbers up to 5…--divide-by 5…potts:6"),
        (vec![10, 4], bytes(&few), "--divide-by 5", "10 of 4 binary, bytes: 0 0.2 0.4 0.6"),
        (vec![10, 4], bytes(&few), "--visible potts:6", "10 of 4 potts:6, bits: 0 1 2 3"),
        (
            vec![10, 5],
            Values::Floats(with_index.clone()),
            "",
            "refused: a.npy: expected columns of one scale, found column 5: whole numbers from 0 to 270, where the 4 others…--drop 5…",
        ),
        (vec![10, 5], Values::Floats(with_index), "--drop 5", "10 of 4 binary, bits: 0 1 0 1"),
        (
            vec![10, 4],
            bytes(&bits),
            "--drop 9",
            "refused: --drop 9: expected a column's number, from 1 to 4…",
        ),
        (
            vec![10, 4],
            Values::Floats(mixed.clone()),
            "",
            "refused: a.npy: expected columns of one scale, found several…--visible…",
        ),
        (
            vec![10, 4],
            Values::Floats(mixed),
            "--visible 2_binary,2_gaussian",
            "10 of 2 binary, 2 gaussian, floats: 0 1 0 0",
        ),
        (
            vec![10, 4],
            Values::Floats(likes.clone()),
            "",
            "refused: a.npy: case 0, value 0: expected a number that is not negative, found -1…--missing -1…",
        ),
        (vec![10, 4], Values::Floats(likes), "--missing -1", "10 of 4 binary, floats: NaN 0 1 NaN"),
        (vec![2, 2], Values::Floats(vec![1.0, -1.0, -1.0, 1.0]), "", "2 of 2 spin, spins: 1 -1"),
        (
            vec![10, 4],
            bytes(&bits),
            "--columns 1:gaussian",
            "refused: --columns 1:gaussian: these are for tables in text files…",
        ),
    ] {
        let mut file = Vec::new();
        write_array(&mut file, &Array { shape, values }).unwrap();
        let found = read(folder.path(), "a.npy", &file, options);
        assert!(agrees(&found, expected), "{options}:\n  expected {expected}\n  found    {found}");
    }
}
