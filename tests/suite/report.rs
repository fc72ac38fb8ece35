//! The report of a run as a browser reads it, and the terminal's output with it.

use std::{fs, path::Path};

use crate::common::program::{command, rbm_gpu, refuse, succeed, text};
use scraper::{Html, Selector};

/// A quick run on generated data, with these options.
fn train(folder: &Path, out: &str, options: &[&str]) {
    let arguments = ["train", "--device", "cpu", "--quiet", "--hidden", "5", "--batch", "7", "--out", out];
    assert_eq!(
        succeed(folder, &[&arguments[..], options].concat()),
        format!("{out}\n"),
        "quiet, but for the folder"
    );
}

/// The page, which must have no errors and load nothing.
fn page(path: &Path) -> Html {
    let text = fs::read_to_string(path).unwrap();
    let page = Html::parse_document(&text);
    assert!(page.errors.is_empty(), "{}: {:?}", path.display(), page.errors);
    for loads in ["http://", "https://"] {
        assert!(
            !text.replace("http://www.w3.org/2000/svg", "").contains(loads),
            "{loads} in {}",
            path.display()
        );
    }
    for element in page.select(&selector("[src], link, iframe, object, embed")) {
        assert!(element.attr("src").is_some_and(|source| source.starts_with("data:")), "{}", element.html());
    }
    // Charts and pictures have text for those who cannot see them.
    for element in page.select(&selector("svg, img")) {
        let words = element.attr("aria-label").or(element.attr("alt")).unwrap_or_default();
        assert!(words.len() > 10, "{words:?}");
    }
    page
}

fn selector(what: &str) -> Selector {
    Selector::parse(what).unwrap()
}

/// The text of each selected element.
fn texts(page: &Html, what: &str) -> Vec<String> {
    page.select(&selector(what)).map(|element| element.text().collect()).collect()
}

/// The table under the plot with this title.
fn table(page: &Html, title: &str) -> Vec<Vec<String>> {
    let plot = page
        .select(&selector("figure"))
        .find(|figure| figure.select(&selector("h3")).any(|head| head.text().collect::<String>() == title))
        .unwrap_or_else(|| panic!("no plot of {title}"));
    let cells =
        |row: scraper::ElementRef| row.select(&selector("td")).map(|cell| cell.text().collect()).collect();
    plot.select(&selector("tbody tr")).map(cells).collect()
}

#[test]
fn a_report_has_every_epoch_and_makes_the_run_again() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    train(
        folder,
        "run",
        &["--data", "bars-and-stripes:3", "--epochs", "40", "--eval-every", "10", "--lr", "0.3"],
    );
    let report = folder.join("run/report.html");
    let shown = page(&report);

    let errors = table(&shown, "Reconstruction error");
    let metrics = fs::read_to_string(folder.join("run/metrics.jsonl")).unwrap();
    let lines: Vec<serde_json::Value> =
        metrics.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((errors.len(), lines.len()), (40, 40));
    for (row, line) in errors.iter().zip(&lines) {
        assert_eq!(row[0], line["epoch"].to_string());
        for (cell, key) in row[1..].iter().zip(["reconstruction_error", "training_reconstruction_error"]) {
            let error = cell.parse::<f64>().unwrap() / line[key].as_f64().unwrap() - 1.0;
            assert!(error.abs() < 1e-3, "{row:?}: {line}");
        }
    }
    let likelihoods = table(&shown, "Log-likelihood");
    assert_eq!(likelihoods.iter().map(|row| row[0].as_str()).collect::<Vec<_>>(), ["10", "20", "30", "40"]);
    // Pictures of at most thirty epochs, including the first and the last; the last one is shown.
    let epochs = |kind: &str| -> Vec<usize> {
        let pictures = selector(&format!("img[alt^='{kind}']"));
        shown.select(&pictures).map(|image| image.attr("data-epoch").unwrap().parse().unwrap()).collect()
    };
    for kind in ["Weights", "Reconstructions"] {
        let epochs = epochs(kind);
        assert!(epochs.len() == 30 && epochs[0] == 1 && epochs[29] == 40, "{kind}: {epochs:?}");
    }
    assert_eq!(epochs("Fantasy"), [1, 2, 4, 8, 16, 32, 40]);
    let seen = selector("img:not([hidden])");
    let seen = shown.select(&seen).map(|image| image.attr("data-epoch").unwrap());
    assert_eq!(seen.collect::<Vec<_>>(), ["40"; 3]);

    // Running the command on the page gives the same model.
    let command_shown = &texts(&shown, "pre")[0];
    let words = shlex::split(command_shown).unwrap();
    let words: Vec<&str> = words.iter().skip(1).map(String::as_str).chain(["--out", "again"]).collect();
    succeed(folder, &words);
    let model = |run: &str| fs::read(folder.join(run).join("model.safetensors")).unwrap();
    assert!(model("run") == model("again"), "{command_shown}");

    // The folder alone, wherever it is, gives the same page.
    let before = fs::read(&report).unwrap();
    fs::create_dir(folder.join("elsewhere")).unwrap();
    fs::rename(folder.join("run"), folder.join("elsewhere/run")).unwrap();
    fs::remove_file(folder.join("elsewhere/run/report.html")).unwrap();
    succeed(folder, &["report", "elsewhere/run"]);
    assert!(fs::read(folder.join("elsewhere/run/report.html")).unwrap() == before);
}

#[test]
fn runs_are_compared_and_hostile_names_are_text() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let hostile = "<script>alert(1)</script>&\"'";
    // A file's name cannot have a slash.
    let name = hostile.replace('/', "");
    fs::write(folder.join(format!("{name}.csv")), "0,1,0,1\n1,0,1,0\n1,1,0,0\n".repeat(9)).unwrap();
    let data = format!("{name}.csv");
    let label = format!("run {name}");
    train(folder, "plain", &["--data", "bars-and-stripes:2", "--epochs", "2", "--lr", "0.03"]);
    train(folder, &label, &["--data", &data, "--epochs", "3", "--estimator", "pt", "--temperatures", "3"]);
    train(folder, "third", &["--data", "bars-and-stripes:2", "--epochs", "1"]);
    let own = page(&folder.join(&label).join("report.html"));
    assert!(texts(&own, "h1")[0].contains(&name) && texts(&own, "pre")[0].contains("--temperatures 3"));
    assert_eq!(texts(&own, "script").len(), 1, "our own alone");

    succeed(folder, &["report", "plain", &label, "third", "-o", "all.html"]);
    let all = page(&folder.join("all.html"));
    assert_eq!(texts(&all, "script").len(), 1);
    assert_eq!(texts(&all, "section:first-child thead th")[1..], ["plain", &label, "third"]);
    assert_eq!(table(&all, "Reconstruction error").iter().map(Vec::len).collect::<Vec<_>>(), [4, 4, 4]);
    assert_eq!(texts(&all, "pre").len(), 3);
    let different = texts(&all, ".differs");
    for option in ["--dataX", "--epochs2", "--lr0.03", "--estimatorcd"] {
        let option = option.trim_end_matches('X');
        assert!(different.iter().any(|row| row.starts_with(option)), "{option} in {different:?}");
    }
    assert!(!different.iter().any(|row| row.starts_with("--hidden")), "{different:?}");
    for kind in ["filters", "reconstructions", "chains"] {
        assert_eq!(all.select(&selector(&format!("section:has(#{kind}) .stack"))).count(), 3, "{kind}");
    }
    refuse(folder, &["report", "plain", "third", "-o", "all.html"], &["all.html", "--force"]);
    refuse(folder, &["report", "absent"], &["absent", "expected a run's folder", "found nothing there"]);
    refuse(folder, &["report", &data], &["expected a run's folder", "found a file"]);
    refuse(folder, &["report", "."], &["a folder without config.json"]);
    refuse(folder, &["report", "plain", "-o", "plain.pdf"], &[".html"]);
}

#[test]
fn what_is_missing_or_torn_is_left_out_and_said() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    train(folder, "run", &["--data", "bars-and-stripes:3", "--epochs", "4"]);
    let run = folder.join("run");
    let whole = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    fs::write(run.join("metrics.jsonl"), &whole[..whole.len() - 20]).unwrap();
    fs::remove_file(run.join("filters/epoch-0002.png")).unwrap();
    fs::write(run.join("reconstructions/epoch-0003.png"), "no picture").unwrap();
    fs::write(run.join("model.safetensors"), "no model").unwrap();
    let said = succeed(folder, &["report", "run"]);
    let shown = page(&run.join("report.html"));
    let remarks = texts(&shown, ".remarks").concat();
    for part in [
        "the last line of metrics.jsonl is torn",
        "filters/ has no picture of 1 of 3 epochs",
        "epoch-0003.png was left out",
        "no parameters",
    ] {
        assert!(said.contains(part) && remarks.contains(part), "{part}: {said} {remarks}");
    }
    assert_eq!(table(&shown, "Reconstruction error").len(), 3);
    for file in ["metrics.jsonl", "model.safetensors"] {
        fs::remove_file(run.join(file)).unwrap();
    }
    for kind in ["filters", "reconstructions", "chains"] {
        fs::remove_dir_all(run.join(kind)).unwrap();
    }
    let said = succeed(folder, &["report", "run"]);
    assert!(said.contains("metrics.jsonl is missing"), "{said}");
    page(&run.join("report.html"));
    fs::write(run.join("config.json"), "{").unwrap();
    refuse(folder, &["report", "run"], &["config.json", "expected the options of a run"]);

    // A failed run has a report, too, which gives the error.
    let diverging =
        ["train", "--data", "bars-and-stripes:3", "--hidden", "8", "--batch", "8", "--epochs", "50"];
    let more = ["--lr", "1e30", "--momentum", "0.9", "--device", "cpu", "--out", "failed"];
    let output = rbm_gpu(folder, &[&diverging[..], &more].concat());
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let shown = page(&folder.join("failed/report.html"));
    assert!(texts(&shown, ".remarks").concat().contains("diverged"), "{:?}", texts(&shown, ".remarks"));
    assert!(texts(&shown, ".findings h3").concat().contains("non-finite"));
    // Options are flags wherever they are named.
    let lines = fs::read_to_string(folder.join("failed/metrics.jsonl")).unwrap();
    for said in [&lines, &text(&output.stdout), &texts(&shown, ".findings dd").concat()] {
        assert!(said.contains("a tenth of --lr, --momentum 0.5, data") && !said.contains('‹'), "{said}");
    }
}

#[test]
fn colours_are_for_those_who_want_them() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let quick = ["train", "--data", "bars-and-stripes:3", "--hidden", "5", "--batch", "7", "--epochs", "3"];
    let hot = [&quick[..], &["--lr", "1e30", "--device", "cpu", "--out", "run"]].concat();
    let output = command(folder, &hot).env("CLICOLOR_FORCE", "1").env("NO_COLOR", "1").output().unwrap();
    let printed = text(&output.stdout) + &text(&output.stderr);
    assert!(printed.contains("error: ") && !printed.contains('\x1b'), "{printed:?}");
    let output = command(folder, &[&hot[..hot.len() - 1], &["colored"]].concat())
        .env("CLICOLOR_FORCE", "1")
        .env_remove("NO_COLOR")
        .output()
        .unwrap();
    assert!(text(&output.stdout).contains("\x1b["), "where colours are asked for, they are there");
    // The whole screen needs a terminal.
    refuse(folder, &["train", "--data", "bars-and-stripes:3", "--tui"], &["--tui", "expected a terminal"]);
    refuse(folder, &["train", "--tui", "--quiet"], &["cannot be used with"]);
}

/// Each kind of data is shown as what it is, and nothing is missing; a run resumes, and its command is one that train takes.
#[test]
fn units_of_every_kind_are_shown_as_what_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let cases: Vec<u32> = (0..40).collect();
    let write = |name: &str, row: &dyn Fn(u32) -> String| {
        fs::write(folder.path().join(name), cases.iter().map(|&case| row(case) + "\n").collect::<String>())
    };
    write("letters.fasta", &|case| format!(">{case}\nAC{}G", if case % 3 == 0 { "-" } else { "T" })).unwrap();
    write("states.csv", &|case| format!("{},{},2,0", case % 4, case % 3)).unwrap();
    write("spins.csv", &|case| format!("1,-1,{},-1", if case % 2 == 0 { 1 } else { -1 })).unwrap();
    write("mixed.csv", &|case| format!("{},{},{}", case % 2, case % 3, f64::from(case) / 7.0 + 5.0)).unwrap();
    for (data, kinds, about, filters, chains) in [
        ("letters.fasta", None, "4 potts:5 visible", "Weights of the hidden units: logos", "Sequence logos"),
        ("states.csv", Some("potts:4"), "4 potts:4 visible", "Weights of the 5 hidden", "Fantasy particles"),
        ("spins.csv", Some("spin"), "4 spin visible", "Weights of the 5 hidden", "Fantasy particles"),
        (
            "mixed.csv",
            Some("1 binary, potts:3, gaussian"),
            "1 binary, 1 potts:3, 1 gaussian visible and 5 relu hidden",
            "Weights of the 5 hidden",
            "Marginals",
        ),
    ] {
        let mut options = vec!["--data", data, "--epochs", "2", "--no-doctor"];
        options.extend(kinds.iter().flat_map(|kinds| ["--visible", kinds]));
        options.extend(if data == "mixed.csv" { vec!["--hidden-units", "relu"] } else { vec![] });
        let run = format!("{data}-run");
        train(folder.path(), &run, &options);
        succeed(folder.path(), &["train", "--quiet", "--resume", &run, "--epochs", "3"]);
        let shown = page(&folder.path().join(run).join("report.html"));
        let headings = texts(&shown, "h3").join("\n");
        assert!(texts(&shown, ".about").join("").contains(about), "{data}: {:?}", texts(&shown, ".about"));
        for part in [filters, chains] {
            assert!(headings.contains(part), "{data}: no {part:?} in {headings}");
        }
        assert_eq!(headings.contains("Reconstructions"), data != "mixed.csv", "{headings}");
        assert_eq!(texts(&shown, ".remarks"), Vec::<String>::new(), "{data}");
        let again = texts(&shown, "pre").join("");
        assert_eq!(again.contains("--visible "), kinds.is_some(), "{again}");
    }
}
