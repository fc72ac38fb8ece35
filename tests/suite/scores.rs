//! Scores of cases, and imputed tables, from the command line.

use std::{fs, path::Path};

use rbm_gpu::data::{Selection, Source};

use crate::common::program::{refuse, succeed};

/// A table of two columns that agree and one that is the opposite, with some cells missing.
fn write_table(path: &Path, cases: usize, hole: impl Fn(usize, usize) -> bool) {
    let row = |case: usize| {
        let x = u8::from(case * 7 % 5 < 3);
        let cell = |unit: usize| match hole(case, unit) {
            true => "nan".into(),
            false => [x, x, 1 - x][unit].to_string(),
        };
        (0..3).map(cell).collect::<Vec<String>>().join(",") + "\n"
    };
    fs::write(path, (0..cases).map(row).collect::<String>()).unwrap();
}

#[test]
fn a_table_with_gaps_is_learnt_filled_in_and_scored() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_table(&folder.join("table.csv"), 400, |case, unit| (case + unit).is_multiple_of(4));
    let train = "train --data table.csv --hidden 3 --epochs 60 --batch 50 --lr 0.2 --cd 3 --weight-decay 0.001 --validation 0.25 \
                 --device cpu --out run";
    succeed(folder, &train.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>());
    assert!(succeed(folder, &["data", "table.csv"]).contains("300 of 1200 values, 25.0 %"));

    succeed(folder, &["impute", "run", "table.csv", "-o", "filled.npy", "--device", "cpu"]);
    let filled = Selection::default().load(&Source::Path(folder.join("filled.npy"))).unwrap().train.rows;
    let right = (0..filled.len()).filter(|&case| {
        let row: Vec<f32> = filled.values(case).collect();
        row[0] == row[1] && row[1] == 1.0 - row[2]
    });
    let right = right.count();
    assert!(right > 390, "{right} of 400 rows are as the columns depend on each other");
    let draws = ["impute", "run", "table.csv", "-o", "draws.npz", "--draws", "4", "--device", "cpu"];
    assert!(succeed(folder, &draws).contains("300 missing of 1200 values"));
    refuse(
        folder,
        &["impute", "run", "filled.npy", "-o", "again.npy"],
        &["expected missing values", "found none"],
    );

    // Ordinary cases, one with a gap, and one that breaks the rule.
    fs::write(folder.join("new.csv"), "1,1,0\n0,0,1\n1,nan,0\n1,0,0\n").unwrap();
    let printed = succeed(folder, &["score", "run", "new.csv", "-o", "scores.csv", "--device", "cpu"]);
    for part in [
        "4 cases of new.csv, beside 100 validation cases of table.csv",
        "log Z",
        "exact",
        "of what was observed",
    ] {
        assert!(printed.contains(part), "{part}: {printed}");
    }
    let text = fs::read_to_string(folder.join("scores.csv")).unwrap();
    let rows: Vec<Vec<f64>> = text
        .lines()
        .skip(1)
        .map(|line| line.split(',').map(|cell| cell.parse().unwrap()).collect())
        .collect();
    assert_eq!(rows.len(), 4, "{text}");
    for row in &rows {
        assert!(row[1] == row[2] && row[1] == row[3] && (0.0..=1.0).contains(&row[4]), "{row:?}");
    }
    assert!(
        rows[3][4] < 0.05 && rows[..3].iter().all(|row| row[4] > 0.05 && row[1] > rows[3][1] + 1.0),
        "{text}"
    );
    // A part is as likely as the sum over the rest: p(1, ·, 0) > p(1, 1, 0).
    assert!(rows[2][1] > rows[0][1] - 0.1, "{text}");
    succeed(folder, &["score", "run", "new.csv", "--no-log-z", "-o", "quick.csv", "--device", "cpu"]);
    let quick = fs::read_to_string(folder.join("quick.csv")).unwrap();
    assert!(quick.lines().nth(1).unwrap().contains(",,,"), "{quick}");
}
