//! Data in and results out, as a user meets them: every kind of data set, every command that uses a model, and the
//! messages for bad input.

use std::{fs, path::Path};

use crate::common::program::{files, rbm_gpu, refuse, succeed, text};
use image::GrayImage;
use rbm_gpu::{
    check::largest_difference,
    data::{
        Source,
        npy::{Array, Values, read_array, read_npz, write_array, write_npz},
    },
    model,
    reference::{hidden_input, sigmoid},
};
use serde_json::Value;

fn write_npy(path: &Path, shape: &[usize], values: Values) {
    write_array(fs::File::create(path).unwrap(), &Array { shape: shape.to_vec(), values }).unwrap();
}

fn read_npy(path: &Path) -> Array {
    read_array("test", fs::File::open(path).unwrap()).unwrap()
}

/// Binary stripes, which a small model learns quickly: cases × 16 values.
fn stripes(cases: usize) -> Vec<f32> {
    (0..cases).flat_map(|case| (0..16).map(move |pixel| ((pixel % 4 + case) % 2) as f32)).collect()
}

/// Writes the same 4×4 images in every kind of file; returns each with what `rbm-gpu data` must say of it.
fn write_all_kinds(folder: &Path) {
    let values = stripes(40);
    let bytes: Vec<u8> = values.iter().map(|&x| 255 * x as u8).collect();
    write_npy(&folder.join("u8.npy"), &[40, 4, 4], Values::Bytes(bytes.clone()));
    write_npy(&folder.join("f32.npy"), &[40, 16], Values::Floats(values.iter().map(|x| x * 0.7).collect()));
    let array = |shape: &[usize], values| Array { shape: shape.to_vec(), values };
    let labels = array(&[40], Values::Floats((0..40).map(|case| (case % 2) as f32).collect()));
    let arrays = [
        ("x_train", array(&[40, 16], Values::Floats(values.clone()))),
        ("y_train", labels.clone()),
        ("x_test", array(&[40, 16], Values::Floats(values.clone()))),
        ("y_test", labels),
    ];
    let npz = fs::File::create(folder.join("all.npz")).unwrap();
    write_npz(npz, arrays.iter().map(|(name, array)| (*name, array))).unwrap();
    let mut csv =
        "kind,".to_string() + &(1..=16).map(|i| format!("p{i}")).collect::<Vec<_>>().join(",") + "\n";
    for (case, values) in values.chunks(16).enumerate() {
        let values: Vec<String> = values.iter().map(f32::to_string).collect();
        csv += &format!("{},{}\n", ["odd", "even"][case % 2], values.join(","));
    }
    fs::write(folder.join("table.csv"), csv).unwrap();
    for (case, bytes) in bytes.chunks(16).enumerate() {
        let class = folder.join("pngs/train").join(["even", "odd"][case % 2]);
        fs::create_dir_all(&class).unwrap();
        let image = GrayImage::from_raw(4, 4, bytes.to_vec()).unwrap();
        image.save(class.join(format!("{case}.png"))).unwrap();
    }
}

const KINDS: [(&[&str], &str, usize); 6] = [
    (&["u8.npy"], "bytes", 0),
    (&["f32.npy"], "floats", 0),
    (&["all.npz"], "bits", 2),
    (&["table.csv", "--label-column", "kind"], "bits", 2),
    (&["pngs"], "bytes", 2),
    (&["bars-and-stripes:4"], "bits", 0),
];

#[test]
fn every_kind_of_data_is_shown_and_learnt_from() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_all_kinds(folder);
    for (at, (data, packing, classes)) in KINDS.into_iter().enumerate() {
        let json = succeed(folder, &[&["data"], data, &["--json"]].concat());
        let summary: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(
            (&summary["packing"], &summary["units"]),
            (&Value::from(packing), &Value::from(16)),
            "{data:?}"
        );
        assert_eq!(summary["image"], serde_json::json!([4, 4]), "{data:?}");
        assert_eq!(summary["parts"][0]["classes"].as_array().unwrap().len(), classes, "{data:?}");
        assert!(succeed(folder, &[&["data"], data].concat()).contains('█'), "{data:?}: shown");
        let out = format!("run-{at}");
        let train =
            ["train", "--hidden", "3", "--epochs", "2", "--batch", "8", "--device", "cpu", "--out", &out];
        let options = ["--validation", "0.25", "--binarize", "none", "--data"];
        succeed(folder, &[&train[..], &options, data].concat());
        // The run records its data, and splits them as before.
        let config = model::load(&folder.join(out).join("model.safetensors")).unwrap().config;
        let config = config.unwrap();
        assert_eq!(
            (config.selection.validation, config.selection.image.unwrap().to_string()),
            (Some(0.25), "4x4".into())
        );
    }
    let json = succeed(folder, &["eval", "run-3", "--device", "cpu", "--json"]);
    let report: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&report["train_cases"], &report["test_cases"]),
        (&Value::from(30), &Value::from(10)),
        "validation stands in"
    );

    let selected = ["--classes", "odd", "--limit", "7", "-o", "odd.png", "--json"];
    let json = succeed(folder, &[&["data", "table.csv", "--label-column", "kind"], &selected[..]].concat());
    let summary: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(summary["parts"][0]["classes"], serde_json::json!([["odd", 7]]));
    assert!(image::open(folder.join("odd.png")).is_ok());
}

#[test]
fn fashion_mnist_is_looked_for_where_it_may_be() {
    let folder = tempfile::tempdir().unwrap();
    let output = rbm_gpu(folder.path(), &["data", "fashion-mnist", "--limit", "50", "--json"]);
    // If it is not installed, the message says what to install.
    match output.status.success() {
        true => assert!(text(&output.stdout).contains("sneaker")),
        false => assert!(text(&output.stderr).contains("dataset-fashion-mnist")),
    }
}

#[test]
fn every_command_that_uses_a_model_writes_what_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_all_kinds(folder);
    let train =
        ["train", "--data", "all.npz", "--hidden", "6", "--epochs", "60", "--batch", "8", "--lr", "0.5"];
    succeed(folder, &[&train[..], &["--device", "cpu", "--out", "run"]].concat());
    let rbm = model::load(&folder.join("run/model.safetensors")).unwrap().rbm;
    let command = |arguments: &[&str]| {
        let device: &[&str] =
            if ["filters", "export", "import"].contains(&arguments[0]) { &[] } else { &["--device", "cpu"] };
        succeed(folder, &[arguments, device].concat())
    };

    let outputs = ["-o", "s.png", "-o", "s.gif", "-o", "s.npy", "--strip", "strip.png", "--show", "state"];
    command(
        &[&["sample", "run", "--chains", "9", "--steps", "30", "--tempered", "4"], &outputs[..]].concat(),
    );
    let samples = read_npy(&folder.join("s.npy"));
    assert_eq!(samples.shape, [9, 16]);
    assert!(samples.values.floats().iter().all(|&x| x == 0.0 || x == 1.0));
    let mut gif = gif::Decoder::new(fs::File::open(folder.join("s.gif")).unwrap()).unwrap();
    let frames = std::iter::from_fn(|| gif.read_next_frame().unwrap().map(|frame| frame.delay)).count();
    assert_eq!(frames, 20);
    for picture in ["s.png", "strip.png"] {
        assert!(image::open(folder.join(picture)).unwrap().width() > 16, "{picture}");
    }

    assert!(command(&["reconstruct", "run", "-o", "r.npy"]).contains("40 test cases"));
    assert_eq!(read_npy(&folder.join("r.npy")).shape, [40, 16]);
    assert!(
        command(&["inpaint", "run", "--mask", "left-half", "-o", "i.npy"]).contains("8 of 16 values unknown")
    );
    let filled = read_npy(&folder.join("i.npy")).values.floats();
    let error = largest_difference(&filled[..32], &stripes(2));
    assert!(error < 0.4, "stripes go on: {:?}", &filled[..32]);

    command(&["transform", "run", "-o", "f.npz"]);
    let features = read_npz(&folder.join("f.npz"), |name| name == "x_test").unwrap().remove(0).1;
    let expected: Vec<f32> = stripes(40)
        .chunks(16)
        .flat_map(|v| (0..6).map(|j| sigmoid(hidden_input(&rbm, v, j)) as f32).collect::<Vec<_>>())
        .collect();
    assert_eq!(features.shape, [40, 6]);
    assert!(largest_difference(&features.values.floats(), &expected) < 1e-6);
    command(&["transform", "run", "table.csv", "--label-column", "kind", "-o", "f.npy"]);
    assert_eq!(read_npy(&folder.join("f.npy")).shape, [40, 6]);
    // Features can be used as data.
    succeed(folder, &["data", "f.npz"]);
    let probe: Value = serde_json::from_str(&command(&["probe", "run", "--json"])).unwrap();
    assert_eq!(
        (&probe["features_test_error"], &probe["values_test_error"]),
        (&Value::from(0.0), &Value::from(0.0))
    );

    command(&["filters", "run", "-o", "filters.png", "--image", "2x8"]);
    for to in ["npz", "safetensors", "csv"] {
        command(&["export", "run", "--to", to, "-o", to]);
        let back = format!("back-{to}.safetensors");
        command(&["import", to, "-o", &back]);
        assert_eq!(model::load(&folder.join(&back)).unwrap().rbm, rbm, "{to}");
    }

    // Nothing is replaced without --force.
    refuse(folder, &["filters", "run", "-o", "filters.png"], &["exists already", "--force"]);
    succeed(folder, &["filters", "run", "-o", "filters.png", "--force"]);
    fs::create_dir(folder.join("empty")).unwrap();
    write_npy(&folder.join("mask.npy"), &[15], Values::Bytes(vec![1; 15]));
    GrayImage::new(4, 4).save(folder.join("black.png")).unwrap();
    GrayImage::new(5, 4).save(folder.join("wide.png")).unwrap();
    let cases: [(&[&str], &[&str]); 18] = [
        (&["sample", "run", "-o", "x.jpg"], &["x.jpg", ".png, .gif, .npy"]),
        (&["sample", "run", "-o", "no/such/x.png"], &["no/such/x.png", "cannot be written"]),
        (&["sample", "run", "--chains", "0"], &["--chains"]),
        (&["sample", "run", "--steps", "0"], &["--steps"]),
        (&["sample", "run", "--tempered", "0"], &["--tempered"]),
        (&["sample", "back-npz.safetensors", "--start", "data"], &["name the data with --data"]),
        (&["inpaint", "run", "--mask", "mask.npy"], &["expected 16 values", "[15]"]),
        (&["inpaint", "run", "--mask", "wide.png"], &["expected 4×4", "found 4×5"]),
        (&["inpaint", "run", "--mask", "black.png"], &["nothing is unknown"]),
        (&["inpaint", "run", "--mask", "random:2"], &["random:SHARE"]),
        (&["inpaint", "run", "--mask", "absent.png"], &["absent.png", "No such file"]),
        (&["transform", "run", "bars-and-stripes:3"], &["16 units", "found 9"]),
        (&["transform", "run", "u8.npy", "--set", "test"], &["--set"]),
        (&["probe", "run", "--data", "u8.npy"], &["--label-column", "--validation"]),
        (&["filters", "run", "-o", "y.png", "--image", "3x3"], &["16 visible units"]),
        (&["import", "f.npz"], &["components_", "found x_test"]),
        (&["import", "empty"], &["components_"]),
        (&["export", "absent"], &["found nothing there"]),
    ];
    for (arguments, expected) in cases {
        refuse(folder, arguments, expected);
    }
}

/// Features of 10,000 digits against σ(c + vW) of the exported model in 64 bits, as NumPy would compute it.
#[test]
fn features_of_mnist_are_those_of_64_bits() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let device = ["--device", "cpu"];
    let train = ["train", "--hidden", "100", "--epochs", "1", "--lr", "0.3", "--out", "run"];
    succeed(folder, &[&train[..], &device].concat());
    succeed(folder, &[&["transform", "run", "--set", "test", "-o", "f.npy"][..], &device].concat());
    let features = read_npy(&folder.join("f.npy"));
    assert_eq!(features.shape, [10_000, 100]);
    let rbm = model::load(&folder.join("run/model.safetensors")).unwrap().rbm;
    let digits = Source::Mnist.load().unwrap().test.unwrap().rows;
    let mut largest: f64 = 0.0;
    for (digit, features) in features.values.floats().chunks(100).enumerate() {
        let mut sums: Vec<f64> = rbm.hidden_bias().iter().map(|&c| f64::from(c)).collect();
        for (x, weights) in digits.values(digit).zip(rbm.weights().chunks(100)) {
            let x = (f64::from(x) * 255.0).round() / 255.0;
            sums.iter_mut().zip(weights).for_each(|(sum, &w)| *sum += x * f64::from(w));
        }
        for (sum, &feature) in sums.into_iter().zip(features) {
            largest = largest.max((sigmoid(sum) - f64::from(feature)).abs());
        }
    }
    println!("largest difference {largest:e}");
    assert!(largest < 1e-6, "{largest:e}");
}

/// Messages name the file and the place of an error.
#[test]
fn broken_data_are_explained() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("ragged.csv"), "0,1\n1,0,1\n").unwrap();
    fs::write(folder.join("text.csv"), "a,b\n0,1\n0,zebra\n").unwrap();
    write_npy(&folder.join("inf.npy"), &[2, 2], Values::Floats(vec![0.0, 1.0, 0.5, f32::INFINITY]));
    write_npy(&folder.join("flat.npy"), &[4], Values::Floats(vec![0.0; 4]));
    let promise = b"{'descr': '<f8', 'fortran_order': False, 'shape': (4000000000, 784), }";
    let header = [b"\x93NUMPY\x01\x00", &(promise.len() as u16).to_le_bytes()[..], promise].concat();
    fs::write(folder.join("promise.npy"), header).unwrap();
    fs::write(folder.join("broken.npz"), b"PK\x03\x04 no archive").unwrap();
    fs::write(folder.join("notes.doc"), "text").unwrap();
    for pngs in ["sizes", "fake", "none", "promise"] {
        fs::create_dir(folder.join(pngs)).unwrap();
    }
    GrayImage::new(4, 4).save(folder.join("sizes/a.png")).unwrap();
    GrayImage::new(4, 5).save(folder.join("sizes/b.png")).unwrap();
    fs::write(folder.join("fake/a.png"), "text").unwrap();
    // A file of a hundred bytes whose header promises a billion pixels.
    let mut promise = fs::read(folder.join("sizes/a.png")).unwrap();
    promise[16..24].copy_from_slice(&[0, 0, 125, 0, 0, 0, 125, 0]);
    let mut crc = flate2::Crc::new();
    crc.update(&promise[12..29]);
    promise[29..33].copy_from_slice(&crc.sum().to_be_bytes());
    fs::write(folder.join("promise/a.png"), promise).unwrap();
    let cases: [(&[&str], &[&str]); 15] = [
        (&["ragged.csv"], &["ragged.csv: line 2", "expected 2 columns", "found 3"]),
        (&["text.csv"], &["text.csv: line 3, column 2", "expected a number", "zebra"]),
        (&["inf.npy"], &["inf.npy: case 1, value 1", "found inf"]),
        (&["flat.npy"], &["flat.npy", "cases × values", "[4]"]),
        (&["promise.npy"], &["4000000000 × 784", "0 follow"]),
        (&["broken.npz"], &["broken.npz", "ZIP archive"]),
        (&["notes.doc"], &["notes.doc", ".npy, .npz, .h5, .csv, .svmlight, .fasta, .a2m or .sto"]),
        (&["sizes"], &["b.png", "expected 4×4", "a.png", "found 5×4"]),
        (&["fake"], &["a.png", "expected a PNG image"]),
        (&["none"], &["none", "found no training images"]),
        (&["promise"], &["32000×32000", "cannot hold"]),
        (&["shifter", "--classes", "1"], &["shifter has no classes"]),
        (&["shifter", "--limit", "0"], &["--limit must be at least 1"]),
        (&["shifter", "--validation", "1"], &["--validation must be", "below 1"]),
        (&["shifter", "--image", "3x3"], &["--image 3x3", "19 values"]),
    ];
    for (data, expected) in cases {
        refuse(folder, &[&["data"], data].concat(), expected);
        let out = ["train", "--device", "cpu", "--out", "run", "--data"];
        refuse(folder, &[&out[..], data].concat(), &expected[..1]);
    }
}

#[test]
fn completions_and_man_pages_name_every_command() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(succeed(folder, &["completions", shell]).contains("inpaint"), "{shell}");
    }
    assert!(succeed(folder, &["man"]).contains(".TH rbm-gpu"));
    succeed(folder, &["man", "-o", "man1"]);
    let pages = files(&folder.join("man1"));
    let help = succeed(folder, &["--help"]);
    let commands: Vec<&str> = help
        .lines()
        .skip_while(|line| !line.starts_with("Commands:"))
        .skip(1)
        .take_while(|line| line.starts_with("  "))
        // Skip the second line of a description.
        .filter(|line| !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|command| *command != "help")
        .collect();
    assert!(commands.len() > 10, "{help}");
    for command in commands {
        assert!(pages.contains(&folder.join(format!("man1/rbm-gpu-{command}.1"))), "{command}");
        assert!(succeed(folder, &[command, "--help"]).contains("Example"), "{command}");
    }
}
