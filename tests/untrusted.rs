//! Files from strangers: every parser gets examples, damaged examples, and bombs. It may refuse them with a message; it
//! must neither panic nor allocate by a header's word. `fuzz/` does the same for longer.

#[path = "common/guard.rs"]
mod guard;
#[path = "common/program.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod program;

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use flate2::{Compression, write::GzEncoder};
use guard::granted;
use program::{files, refuse, succeed};
use rand::{Rng, RngExt, seq::IndexedRandom};
use rbm_gpu::{
    rng::{Philox, Stream},
    untrusted::{PARSERS, parser},
};
use safetensors::SafeTensors;
use serde_json::{Value, json};

#[global_allocator]
static GUARD: guard::Guard = guard::Guard;

/// Memory that a parser may take besides the bytes it is given.
const GRANTED: usize = 64 << 20;
/// Number of damaged examples for each parser.
const CASES: u32 = 4000;

/// The examples of each parser, by its name.
fn examples() -> BTreeMap<&'static str, Vec<(String, Vec<u8>)>> {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds");
    let of_parser = |name: &'static str| {
        let files =
            fs::read_dir(seeds.join(name)).unwrap_or_else(|error| panic!("fuzz/seeds/{name}: {error}"));
        let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
        files.sort();
        let read = |path: &std::path::PathBuf| {
            (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(path).unwrap())
        };
        (name, files.iter().map(read).collect())
    };
    PARSERS.iter().map(|(name, _)| of_parser(name)).collect()
}

#[test]
fn examples_of_other_programs_are_read() {
    for (name, files) in examples() {
        assert!(!files.is_empty(), "{name}");
        for (file, bytes) in files {
            if let Err(error) = granted(GRANTED, name, || parser(name)(&bytes)) {
                panic!("{name}/{file}: {error}");
            }
        }
    }
}

/// Numbers that break arithmetic.
const WORDS: [u64; 9] = [0, 1, 255, 256, 0x7fff_ffff, 0xffff_ffff, 1 << 32, i64::MAX as u64, u64::MAX];
const TEXTS: [&str; 12] = [
    "-1",
    "1e999",
    "NaN",
    "18446744073709551616",
    "4294967296",
    "\"",
    "[[",
    "{",
    "\n",
    "null",
    "\u{fffd}",
    ",,",
];

/// Damages an example; `other` is one to take a part from.
fn damaged(mut bytes: Vec<u8>, other: &[u8], random: &mut impl Rng) -> Vec<u8> {
    for _ in 0..random.random_range(1..4) {
        let at = random.random_range(0..=bytes.len());
        let end = (at + random.random_range(1..9)).min(bytes.len());
        match random.random_range(0..9) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.random_range(0..8),
            1 if at < bytes.len() => bytes[at] = random.random(),
            2 => bytes.truncate(at),
            3 => {
                let word = WORDS.choose(random).copied().unwrap_or(0);
                let (little, big) = (word.to_le_bytes(), (word as u32).to_be_bytes());
                let word = if random.random() { &little[..4 * random.random_range(1..3)] } else { &big[..] };
                let end = (at + word.len()).min(bytes.len());
                bytes[at..end].copy_from_slice(&word[..end - at]);
            }
            4 => drop(bytes.drain(at..end)),
            5 => drop(bytes.splice(at..end, TEXTS.choose(random).copied().unwrap_or("").bytes())),
            6 => {
                let part = bytes[at..].to_vec();
                bytes.splice(at..at, part);
            }
            // The head of one file before the body of another.
            7 => drop(bytes.splice(..at, other[..at.min(other.len())].iter().copied())),
            // A number in a text grows.
            _ => {
                let digit = bytes.iter().skip(at).position(u8::is_ascii_digit);
                if let Some(digit) = digit {
                    bytes.splice(at + digit..at + digit, *b"99999999999");
                }
            }
        }
        bytes.truncate(1 << 16);
    }
    bytes
}

#[test]
fn damaged_files_are_refused_in_words() {
    for (name, files) in examples() {
        let (mut read, mut refused) = (0, 0);
        for case in 0..CASES {
            let mut random = Philox::new(u64::from(case), Stream::Synthetic, name.len() as u32);
            let (file, whole) = files.choose(&mut random).unwrap();
            let (_, other) = files.choose(&mut random).unwrap();
            let bytes = damaged(whole.clone(), other, &mut random);
            let parse = || granted(GRANTED + bytes.len(), name, || parser(name)(&bytes));
            match catch_unwind(AssertUnwindSafe(parse)) {
                Ok(Ok(())) => read += 1,
                Ok(Err(error)) => {
                    let message = error.to_string();
                    assert!((5..4000).contains(&message.len()), "{name}/{file}, case {case}: {message}");
                    assert!(!message.contains('\u{1b}'), "{name}/{file}, case {case}: {message:?}");
                    refused += 1;
                }
                Err(_) => panic!("{name}/{file}, case {case}: {:?}", String::from_utf8_lossy(&bytes)),
            }
        }
        println!("{name}: {read} read, {refused} refused");
        assert!(refused > 0 || name == "plot", "{name}: what was damaged was never refused");
    }
}

fn gz(head: &[u8], zeros: usize) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(head).unwrap();
    let part = vec![0; 1 << 20];
    (0..zeros >> 20).for_each(|_| packed.write_all(&part).unwrap());
    packed.finish().unwrap()
}

fn idx(sizes: [u32; 3]) -> Vec<u8> {
    [0x0803].into_iter().chain(sizes).flat_map(u32::to_be_bytes).collect()
}

fn npy(shape: &str, fortran: &str) -> Vec<u8> {
    npy_of("|u1", shape, fortran)
}

fn npy_of(kind: &str, shape: &str, fortran: &str) -> Vec<u8> {
    let header = format!("{{'descr': '{kind}', 'fortran_order': {fortran}, 'shape': {shape}, }}");
    [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes()].concat()
}

/// An archive of one array that unpacks to `zeros` zeros.
fn npz(name: &str, array: &[u8], zeros: usize) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    archive.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
    archive.write_all(array).unwrap();
    let part = vec![0; 1 << 20];
    (0..zeros >> 20).for_each(|_| archive.write_all(&part).unwrap());
    archive.finish().unwrap().into_inner()
}

/// A sparse matrix of ones, as SciPy writes it.
fn sparse(format: &str, shape: [i64; 2], starts: &[i64], indices: &[i64]) -> Vec<u8> {
    let array = |descr: &str, shape: &str, body: &[u8]| {
        let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
        [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), body].concat()
    };
    let numbers = |numbers: &[i64]| {
        let body: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        array("<i8", &format!("({},)", numbers.len()), &body)
    };
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in [
        ("indices.npy", numbers(indices)),
        ("indptr.npy", numbers(starts)),
        ("format.npy", array("|S3", "()", format.as_bytes())),
        ("shape.npy", numbers(&shape)),
        ("data.npy", array("|u1", &format!("({},)", indices.len()), &vec![1; indices.len()])),
    ] {
        archive.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(&bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

fn png(width: u32, height: u32, bytes: usize) -> Vec<u8> {
    png_of(width, height, 0, bytes, &[])
}

/// A picture of two pixels with a palette of `colours` bytes, and `transparent` bytes of transparency.
fn palette(colours: usize, transparent: usize) -> Vec<u8> {
    png_of(2, 1, 3, 2, &[(b"PLTE", vec![9; colours]), (b"tRNS", vec![9; transparent])])
}

/// A picture with these chunks before its pixels.
fn png_of(width: u32, height: u32, kind: u8, bytes: usize, more: &[(&[u8], Vec<u8>)]) -> Vec<u8> {
    let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[1, kind, 0, 0, 0]].concat();
    let chunk = |kind: &[u8], data: &[u8]| {
        let mut crc = flate2::Crc::new();
        crc.update(kind);
        crc.update(data);
        [&(data.len() as u32).to_be_bytes(), kind, data, &crc.sum().to_be_bytes()].concat()
    };
    let mut pixels = flate2::write::ZlibEncoder::new(Vec::new(), Compression::best());
    pixels.write_all(&vec![0; bytes]).unwrap();
    let pixels = pixels.finish().unwrap();
    let more: Vec<u8> = more.iter().flat_map(|(kind, data)| chunk(kind, data)).collect();
    let (head, body) = (chunk(b"IHDR", &header), chunk(b"IDAT", &pixels));
    [&b"\x89PNG\r\n\x1a\n"[..], &head, &more, &body, &chunk(b"IEND", &[])].concat()
}

/// The headers of a grey JPEG image without its pixels.
fn jpeg(width: u16, height: u16) -> Vec<u8> {
    let frame = [&[8][..], &height.to_be_bytes(), &width.to_be_bytes(), &[1, 1, 0x11, 0]].concat();
    let segment =
        |kind: u8, data: &[u8]| [&[0xff, kind][..], &(data.len() as u16 + 2).to_be_bytes(), data].concat();
    [&[0xff, 0xd8][..], &segment(0xc0, &frame), &segment(0xda, &[1, 1, 0, 0, 63, 0]), &[0xff, 0xd9]].concat()
}

/// A spin glass of twice as many spins, without couplings.
fn glass(spins: usize) -> Vec<u8> {
    let fields = |side: &str| (0..spins).map(|i| format!("\"{side}{i}\":1")).collect::<Vec<_>>().join(",");
    let visible = (0..spins).map(|i| format!("\"v{i}\"")).collect::<Vec<_>>().join(",");
    format!("{{\"h\":{{{},{}}},\"J\":[],\"visible\":[{visible}]}}", fields("v"), fields("h")).into_bytes()
}

fn safetensors(length: u64, header: &str, data: usize) -> Vec<u8> {
    [&length.to_le_bytes(), header.as_bytes(), &vec![0; data]].concat()
}

/// Files that claim to be, or unpack to, far more than they are.
#[test]
fn bombs_take_no_memory() {
    let deep = |open: &str, count: usize| open.repeat(count).into_bytes();
    let nothing = |name: &str| {
        let header = format!(
            "{{\"{name}\":{{\"dtype\":\"F32\",\"shape\":[1152921504606846976,0],\"data_offsets\":[0,0]}}}}"
        );
        safetensors(header.len() as u64, &header, 0)
    };
    let too_many = {
        let header = r#"{"weights":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]}}"#;
        safetensors(header.len() as u64, header, 4)
    };
    let bombs: Vec<(&'static str, Vec<u8>, &str)> = vec![
        ("idx", idx([4_000_000_000, 28, 28]), "truncated"),
        ("idx", idx([u32::MAX; 3]), "truncated"),
        ("idx", idx([0, u32::MAX, u32::MAX]), "nothing to learn from"),
        ("gzip", gz(&idx([1, 1, 1]), 300 << 20), "more follow"),
        ("gzip", gz(&idx([4_000_000_000, 1, 1])[..9], 0), "header"),
        ("npy", npy("(99999999999, 99999999999)", "False"), "0 follow"),
        ("npy", npy("(9223372036854775807, 9223372036854775807, 0)", "True"), "0 follow"),
        ("npy", npy("(0, 4294967296, 4294967296)", "True"), "0 follow"),
        ("npy", npy("(0, 65536, 65536)", "True"), "nothing to learn from"),
        ("npy", npy(&format!("({})", "1, ".repeat(9000)), "True"), "0 follow"),
        ("npz", npz("x_train.npy", &npy("(2, 2)", "False"), 300 << 20), "more follow"),
        ("npz", npz("../../x_train.npy", &npy("(2, 2)", "False"), 1 << 20), "more follow"),
        ("npz", npz("x_train.npy", &npy("(4000000000, 784)", "False"), 0), "0 follow"),
        ("sparse", sparse("csr", [1_000_000_000; 2], &[0], &[]), "at most 4194304 columns, found 1000000000"),
        ("sparse", sparse("csr", [1_000_000_000, 10], &[0], &[]), "indptr: expected 1000000001 numbers"),
        ("sparse", sparse("csc", [1_000_000_000, 1], &[0, 0], &[]), "1000000000 rows with 0 numbers"),
        ("sparse", sparse("csr", [2, 9], &[0, 2, 1], &[1]), "indptr: expected numbers that rise from 0 to 1"),
        ("sparse", sparse("csr", [2, 9], &[1, 1, 1], &[1]), "indptr: expected numbers that rise from 0 to 1"),
        (
            "sparse",
            sparse("csr", [2, 9], &[0, 1, 2], &[1, 9]),
            "number 1: expected a place in 2 rows and 9 columns",
        ),
        (
            "sparse",
            sparse("csr", [2, 9], &[0, 1, 2], &[1, -1]),
            "number 1: expected one from 0 to 4294967295",
        ),
        (
            "sparse",
            sparse("csr", [2, 9], &[0, 2, 2], &[7, 7]),
            "case 0, value 7: expected one number, found more",
        ),
        ("svmlight", b"1 4294967295:1\n".to_vec(), "with an index from 0 to 4194304"),
        ("svmlight", deep("1", 20 << 20), "line 1: expected less than 16 MiB"),
        ("arrays", npz("components_.npy", &npy("(2, 2)", "False"), 300 << 20), "more follow"),
        ("arrays", npz("another.npy", &npy("(2, 2)", "False"), 300 << 20), "found another"),
        ("csv", deep("1", 20 << 20), "line 1: expected a line of less than 16 MiB"),
        ("csv", [b"1,", &deep("9", 10_000)[..], b"\n0,1\n"].concat(), "found inf"),
        ("png", png(100_000, 100_000, 1000), "cannot hold"),
        ("png", png(100_000, 100_000, 1_250_000_000 / 800), "cannot hold"),
        ("png", png(20_000, 20_000, 50_020_000), "expected 1 to 4194304 pixels"),
        ("png", png(0, 5, 0), "PNG"),
        ("png", palette(7, 0), "found 7 bytes"),
        ("png", palette(6, 3), "found 6 bytes, and 3 transparencies"),
        ("jpeg", jpeg(60_000, 60_000), "cannot hold"),
        ("jpeg", jpeg(0, 9), "expected a"),
        ("jpeg", b"P5\n60000 60000\n255\n".to_vec(), "cannot hold"),
        ("jpeg", b"P5\n99999999999 99999999999\n255\n".to_vec(), "expected a"),
        ("labels", npy_of("<U9", "(99999999999,)", "False"), "0 follow"),
        ("labels", npy_of("<U99999999999", "(4,)", "False"), "expected numbers"),
        ("labels", npy("(4, 4294967296)", "True"), "0 follow"),
        ("idx", [&[0, 0, 12, 2][..], &[255; 8]].concat(), "truncated"),
        ("model", safetensors(1 << 60, "{}", 0), "safetensors"),
        ("model", too_many, "safetensors"),
        ("model", nothing("weights"), "expected one matrix of weights"),
        ("model", safetensors(100_000, &"[".repeat(100_000), 0), "safetensors"),
        ("config", deep("{\"x\":", 100_000), "recursion limit"),
        ("metrics", deep("[", 1_000_000), "no findings"),
        ("log", deep("{\"cost\":[", 100_000), "found no costs"),
        // 2^40 × 784 numbers in chunks, none of which is there; and one chunk of 64 MiB, of a few bytes.
        ("hdf5", include_bytes!("fixtures/empty-chunks.h5").to_vec(), "times the file's"),
        ("hdf5", include_bytes!("fixtures/large-chunk.h5").to_vec(), "times the file's"),
        ("hdf5", b"\x89HDF\r\n\x1a\n".to_vec(), "cannot be read as HDF5"),
        ("ising", deep("{\"h\":", 100_000), "recursion limit"),
        ("ising", glass(4000), "mostly empty"),
        ("ising", b"{\"h\":{\"0\":1e999},\"J\":[]}".to_vec(), "out of range"),
    ];
    for (name, bytes, expected) in bombs {
        let error = granted(GRANTED, name, || parser(name)(&bytes)).unwrap_err().to_string();
        assert!(error.contains(expected), "{name}: expected {expected:?} in {error:?}");
        assert!(error.len() < 2000, "{name}: {} bytes of message", error.len());
    }
}

/// A stranger's log may be long: reading it must not take quadratic time.
#[test]
fn long_logs_are_read_in_time() {
    let lines: String = (0..200_000).map(|i| format!("{} cost {i}\n", "x".repeat(i % 97))).collect();
    let start = std::time::Instant::now();
    parser("log")(lines.as_bytes()).unwrap();
    assert!(start.elapsed().as_secs() < 30, "{:?}", start.elapsed());
}

/// A stranger's run and model: invalid options are refused as on the command line.
#[test]
fn options_of_strangers_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let train = ["train", "--data", "bars-and-stripes:3", "--hidden", "3", "--epochs", "1", "--batch", "8"];
    succeed(folder, &[&train[..], &["--device", "cpu", "--out", "run"]].concat());
    let config: Value = serde_json::from_slice(&fs::read(folder.join("run/config.json")).unwrap()).unwrap();
    let weights = fs::read(folder.join("run/model.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&weights).unwrap();
    for (field, value, expected) in [
        ("hidden", json!(1e18), "expected usize"),
        ("hidden", json!(0), "--hidden must be at least 1"),
        ("batch", json!(0), "--batch must be at least 1"),
        ("batch", json!(-5), "expected usize"),
        ("epochs", json!("many"), "expected usize"),
        ("k", json!("1@5"), "1@0,5@20"),
        ("k", json!(0), "--k must be at least 1"),
        ("learning_rate", json!(-1), "--lr must be above 0"),
        ("momentum", json!(1e300), "--momentum must be"),
        ("temperatures", json!(1_000_000), "--temperatures must be from 2"),
        ("validation", json!(2), "--validation must be"),
        ("limit", json!(0), "--limit must be at least 1"),
        ("divide_by", json!(0), "--divide-by must be above 0"),
        ("image", json!("0x9"), "28x28"),
        ("image", json!("5x5"), "--image 5x5"),
        ("data", json!(""), "expected a data set"),
        ("data", json!(["mnist"]), "expected a string"),
        ("device", json!(""), "expected a device's name"),
        ("seed", json!(-1), "expected u64"),
    ] {
        let mut config = config.clone();
        config[field] = value;
        let text = config.to_string();
        fs::write(folder.join("run/config.json"), &text).unwrap();
        refuse(folder, &["doctor", "run", "--device", "cpu"], &[expected]);
        let metadata = Some([("rbm_gpu_config".to_string(), text)].into());
        let model = safetensors::serialize(tensors.tensors(), metadata).unwrap();
        fs::write(folder.join("stranger.safetensors"), model).unwrap();
        refuse(folder, &["eval", "stranger.safetensors", "--device", "cpu"], &[expected]);
    }
}

/// Runs for three epochs on generated data.
fn train(folder: &Path) {
    let train = ["train", "--data", "bars-and-stripes:3", "--hidden", "3", "--epochs", "3", "--batch", "8"];
    succeed(folder, &[&train[..], &["--device", "cpu", "--out", "run"]].concat());
}

/// A pipe without a writer would block, and a device never ends.
#[cfg(unix)]
#[test]
fn what_is_no_file_is_refused() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    train(folder);
    for ending in ["csv", "npy", "npz", "safetensors", "log"] {
        let [pipe, device, looped, dir] =
            ["pipe", "device", "loop", "folder"].map(|name| format!("{name}.{ending}"));
        assert!(std::process::Command::new("mkfifo").arg(folder.join(&pipe)).status().unwrap().success());
        symlink("/dev/zero", folder.join(&device)).unwrap();
        symlink(&looped, folder.join(&looped)).unwrap();
        fs::create_dir(folder.join(&dir)).unwrap();
        for (name, expected) in [
            (&pipe, "expected a file, found a pipe"),
            (&device, "expected a file, found a pipe, a socket or a device"),
            (&looped, &looped),
            (&dir, &dir),
        ] {
            match ending {
                "csv" | "npy" | "npz" => {
                    refuse(folder, &["data", name], &[expected]);
                    refuse(folder, &["inpaint", "run", "--mask", name, "--device", "cpu"], &[expected]);
                }
                "safetensors" => {
                    refuse(folder, &["eval", name, "--device", "cpu"], &[expected]);
                    refuse(folder, &["import", name, "-o", "new.safetensors"], &[expected]);
                }
                _ => {}
            }
            refuse(folder, &["doctor", name, "--device", "cpu"], &[name]);
        }
    }
    // In a run's folder, a pipe does not block either, and a report says what it leaves out.
    let pipe = |name: &str| {
        fs::remove_file(folder.join(name)).unwrap();
        fs::rename(folder.join("pipe.csv"), folder.join(name)).unwrap();
    };
    pipe("run/filters/epoch-0001.png");
    assert!(succeed(folder, &["report", "run"]).contains("epoch-0001.png was left out"));
    fs::rename(folder.join("run/filters/epoch-0001.png"), folder.join("pipe.csv")).unwrap();
    pipe("run/metrics.jsonl");
    refuse(folder, &["report", "run"], &["metrics.jsonl: expected a file, found a pipe"]);
    refuse(folder, &["train", "--resume", "run"], &["metrics.jsonl: expected a file"]);
}

/// A stranger's run may have links where a resumed run writes: nothing is written elsewhere.
#[cfg(unix)]
#[test]
fn a_run_is_not_written_through_links() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mine = folder.join("mine");
    fs::write(&mine, "mine").unwrap();
    train(folder);
    let metrics = fs::read(folder.join("run/metrics.jsonl")).unwrap();
    let resume = ["train", "--resume", "run", "--epochs", "4"];
    let run = folder.join("run");
    fs::copy(run.join("model.safetensors"), run.join("initial.safetensors")).unwrap();
    for name in
        ["metrics.jsonl", ".lock", "config.json", "model.safetensors", "initial.safetensors", "report.html"]
    {
        let (path, aside) = (run.join(name), folder.join("aside"));
        // The link leads to a file that could be resumed from.
        fs::rename(&path, &aside).unwrap();
        symlink(&aside, &path).unwrap();
        refuse(folder, &resume, &[name, "expected a file", "a link"]);
        fs::remove_file(&path).unwrap();
        fs::rename(&aside, &path).unwrap();
    }
    for name in ["filters", "reconstructions", "chains", "checkpoints"] {
        let (path, aside) = (run.join(name), folder.join("aside"));
        fs::rename(&path, &aside).unwrap();
        for precious in ["thesis.new", "step-7.safetensors", "epoch-0099.png", ".rbm-gpu-abc123"] {
            fs::write(aside.join(precious), "precious").unwrap();
        }
        let before = files(&aside);
        symlink(&aside, &path).unwrap();
        refuse(folder, &resume, &[name, "expected a folder", "a link"]);
        assert_eq!(files(&aside), before);
        fs::remove_file(&path).unwrap();
        // A pipe does not block, and a file is not replaced.
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        refuse(folder, &resume, &[name, "expected a folder", "a pipe"]);
        fs::remove_file(&path).unwrap();
        fs::rename(&aside, &path).unwrap();
    }
    assert_eq!(fs::read(run.join("metrics.jsonl")).unwrap(), metrics);
    for name in ["model.safetensors.new", "filters/epoch-0004.png", "reconstructions/epoch-0004.png"] {
        symlink(&mine, folder.join("run").join(name)).unwrap();
    }
    symlink(&mine, folder.join("run/checkpoints/step-0000000008.new")).unwrap();
    symlink(&mine, folder.join("run/.rbm-gpu-abcdef")).unwrap();
    // The run's folder, as the user names it, may be a link.
    symlink("run", folder.join("link")).unwrap();
    succeed(folder, &["train", "--resume", "link", "--epochs", "4", "--quiet"]);
    assert_eq!(fs::read(&mine).unwrap(), b"mine");
    // In its own folder, a run removes only its own files.
    assert!(
        run.join("checkpoints/thesis.new").is_file() && !run.join("checkpoints/.rbm-gpu-abc123").exists()
    );
    assert!(fs::symlink_metadata(folder.join("run/filters/epoch-0004.png")).unwrap().is_file());
}

/// A stranger's run with options and pictures that no run has: the report is made all the same.
#[test]
fn reports_of_strangers_are_made() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    train(folder);
    let config: Value = serde_json::from_slice(&fs::read(folder.join("run/config.json")).unwrap()).unwrap();
    for (image, visible) in [
        (Value::Null, json!(u64::MAX)),
        (json!("1048576x1048576"), json!(9)),
        (json!("0x0"), json!(0)),
        (json!("3x3"), json!("many")),
    ] {
        let mut config = config.clone();
        (config["image"], config["visible"], config["hidden"]) = (image, visible, json!(u64::MAX));
        fs::write(folder.join("run/config.json"), config.to_string()).unwrap();
        succeed(folder, &["report", "run"]);
    }
    fs::write(folder.join("run/config.json"), config.to_string()).unwrap();
    // Three rows of tiles, in which cases and reconstructions alternate: 7 times enlarged, with gaps of 2 pixels.
    let odd = image::GrayImage::new(3 * 23 + 2, 3 * 23 + 2);
    odd.save(folder.join("run/reconstructions/epoch-0002.png")).unwrap();
    // Colours take four times the memory; 100 million pixels are more than a report may read.
    image::RgbaImage::new(71, 71).save(folder.join("run/filters/epoch-0001.png")).unwrap();
    fs::write(folder.join("run/filters/epoch-0002.png"), png(10_000, 10_000, 12_510_000)).unwrap();
    let said = succeed(folder, &["report", "run"]);
    for name in ["epoch-0001.png", "epoch-0002.png"] {
        assert!(said.contains(&format!("filters/{name} was left out: it is not as large")), "{said}");
    }
}

/// Only the costs of a long log are kept: objects and rows would take a hundred times as much.
#[test]
fn long_logs_take_little_memory() {
    for line in ["{\"cost\":1}\n", "a,cost\n", "1,2\n", "cost 1\n"] {
        let lines = format!("{line}{}", line.replace("a,cost", "1,2").repeat((4 << 20) / line.len()));
        let grant = GRANTED + lines.len();
        granted(grant, "log", || parser("log")(lines.as_bytes())).unwrap();
    }
}
