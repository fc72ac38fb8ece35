//! Arrays, IDX files, images and labels as people have them: what each tiny file is read as, or the words that refuse it.

use std::{fs, io::Cursor, path::Path};

use image::{DynamicImage, ImageFormat, Rgba, RgbaImage};
use rbm_gpu::data::{Dataset, Selection, Source};

/// What a file or a folder is read as.
enum Expected {
    /// Training cases, values a case, and words of the notes and classes; none if the reading is plain.
    Read(usize, usize, &'static [&'static str]),
    /// Words of the message.
    Refused(&'static [&'static str]),
}
use Expected::{Read, Refused};

/// The files of a data set: their names and their bytes. With a single one, its path is the data set's.
type Files = Vec<(&'static str, Vec<u8>)>;

fn npy(descr: &str, shape: &str, body: &[u8]) -> Vec<u8> {
    npy_of(&format!("'{descr}'"), "False", shape, body)
}

fn npy_of(descr: &str, fortran: &str, shape: &str, body: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}\n");
    [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), body].concat()
}

/// Bytes that are 0 or 1, in a pattern.
fn bits(count: usize) -> Vec<u8> {
    (0..count).map(|at| (at * at % 7 % 2) as u8).collect()
}

fn zip(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        archive.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        std::io::Write::write_all(&mut archive, bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

/// Six cases of four values, with such labels.
fn labelled(labels: Vec<u8>) -> Files {
    vec![("a.npz", zip(&[("x_train.npy", npy("|u1", "(6, 4)", &bits(24))), ("y_train.npy", labels)]))]
}

fn idx(kind: u8, sizes: &[u32], body: &[u8]) -> Vec<u8> {
    let mut file = vec![0, 0, kind, sizes.len() as u8];
    sizes.iter().for_each(|size| file.extend(size.to_be_bytes()));
    [file, body.to_vec()].concat()
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, bytes).unwrap();
    packed.finish().unwrap()
}

/// A picture of 2×3 pixels, of one colour but for a corner.
fn picture(format: ImageFormat, colour: [u8; 4]) -> Vec<u8> {
    let mut image = RgbaImage::from_pixel(3, 2, Rgba(colour));
    image.put_pixel(0, 0, Rgba([255, 255, 255, 255]));
    let image = DynamicImage::from(image);
    let image = match (format, colour[3]) {
        (ImageFormat::Png, alpha) if alpha < u8::MAX => image,
        (ImageFormat::Pnm, _) => image.into_luma8().into(),
        _ => image.into_rgb8().into(),
    };
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

const GREY: [u8; 4] = [100, 100, 100, 255];
const RED: [u8; 4] = [255, 0, 0, 255];

fn png() -> Vec<u8> {
    picture(ImageFormat::Png, GREY)
}

fn text(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}

fn arrays() -> Vec<(&'static str, Files, Expected)> {
    let f16: Vec<u8> = [0x0000_u16, 0x3c00, 0x3800, 0x3400].iter().flat_map(|x| x.to_le_bytes()).collect();
    let big: Vec<u8> = [0.0f32, 1.0, 0.5, 0.25].iter().flat_map(|x| x.to_be_bytes()).collect();
    vec![
        ("16-bit floats", vec![("a.npy", npy("<f2", "(2, 2)", &f16))], Read(2, 2, &[])),
        ("big-endian floats", vec![("a.npy", npy(">f4", "(2, 2)", &big))], Read(2, 2, &[])),
        ("truth values", vec![("a.npy", npy("|b1", "(6, 4)", &bits(24)))], Read(6, 4, &[])),
        ("Fortran's order", vec![("a.npy", npy_of("'|u1'", "True", "(6, 4)", &bits(24)))], Read(6, 4, &[])),
        ("Python 2's sizes", vec![("a.npy", npy("|u1", "(6L, 4L)", &bits(24)))], Read(6, 4, &[])),
        ("images", vec![("a.npy", npy("|u1", "(3, 2, 4)", &bits(24)))], Read(3, 8, &[])),
        ("one channel first", vec![("a.npy", npy("|u1", "(3, 1, 2, 4)", &bits(24)))], Read(3, 8, &[])),
        ("one channel last", vec![("a.npy", npy("|u1", "(3, 2, 4, 1)", &bits(24)))], Read(3, 8, &[])),
        ("colours last", vec![("a.npy", npy("|u1", "(2, 2, 2, 3)", &bits(24)))], Read(2, 4, &["luminance"])),
        ("colours first", vec![("a.npy", npy("|u1", "(2, 3, 2, 2)", &bits(24)))], Read(2, 4, &["luminance"])),
        (
            "the cases last",
            vec![("a.npy", npy("|u1", "(4, 4, 9)", &bits(144)))],
            Read(9, 16, &["9 cases, the last dimension", "square images"]),
        ),
        (
            "a table on its side",
            vec![("a.npy", npy("|u1", "(64, 300)", &bits(19_200)))],
            Read(64, 300, &["if each column is a case", "a.T"]),
        ),
        (
            "packed, under a plain name",
            vec![("a.npy", gz(&npy("|u1", "(6, 4)", &bits(24))))],
            Read(6, 4, &[]),
        ),
        ("not packed, under .gz", vec![("a.npy.gz", npy("|u1", "(6, 4)", &bits(24)))], Read(6, 4, &[])),
        ("an array by another name", vec![("a.dat", npy("|u1", "(6, 4)", &bits(24)))], Read(6, 4, &[])),
        ("one dimension", vec![("a.npy", npy("|u1", "(6,)", &bits(6)))], Refused(&["reshape", "np.save"])),
        (
            "four channels",
            vec![("a.npy", npy("|u1", "(1, 2, 2, 4)", &bits(16)))],
            Refused(&["1 or 3 colours"]),
        ),
        (
            "objects",
            vec![("a.npy", npy("|O", "(6,)", b"\x80\x03]q\0."))],
            Refused(&["Python objects", "tolist"]),
        ),
        ("text", vec![("a.npy", npy("<U2", "(1, 1)", b"1\0\0\0\0\0\0\0"))], Refused(&["text", "astype"])),
        (
            "fields",
            vec![("a.npy", npy_of("[('a', '<f4')]", "False", "(1,)", &[0; 4]))],
            Refused(&["named fields", "structured_to_unstructured"]),
        ),
        ("complex numbers", vec![("a.npy", npy("<c8", "(1, 1)", &[0; 8]))], Refused(&["complex", "np.abs"])),
        (
            "long doubles",
            vec![("a.npy", npy("<f16", "(1, 1)", &[0; 16]))],
            Refused(&["another size", "float64"]),
        ),
    ]
}

fn labels() -> Vec<(&'static str, Files, Expected)> {
    let hot: Vec<u8> = (0..6).flat_map(|case| (0..3).map(move |class| u8::from(case % 3 == class))).collect();
    let names: Vec<u8> = ["cat", "dog", "elk"].repeat(2).concat().into_bytes();
    let wide: Vec<u8> = "ABABAB".chars().flat_map(|letter| u32::from(letter).to_le_bytes()).collect();
    let floats = |x: [f64; 6]| x.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>();
    let large: Vec<u8> = (0..6_i64).flat_map(|x| (x % 2 + 123_456_789).to_le_bytes()).collect();
    let many: Vec<u8> = (0..600_u16).flat_map(|x| x.to_le_bytes()).collect();
    let x = || ("x.npy", npy("|u1", "(6, 4)", &bits(24)));
    let other = |name| (name, npy("|u1", "(6, 5)", &bits(30)));
    vec![
        ("one-hot rows", labelled(npy("|u1", "(6, 3)", &hot)), Read(6, 4, &["one-hot", "classes 0 1 2"])),
        ("names", labelled(npy("|S3", "(6,)", &names)), Read(6, 4, &["classes cat dog elk"])),
        ("wide names", labelled(npy("<U1", "(6, 1)", &wide)), Read(6, 4, &["classes A B"])),
        (
            "whole floats",
            labelled(npy("<f8", "(6,)", &floats([3.0, 1.0, 2.0, 3.0, 1.0, 2.0]))),
            Read(6, 4, &["classes 1 2 3"]),
        ),
        (
            "a regression",
            labelled(npy("<f8", "(6,)", &floats([0.5; 6]))),
            Read(6, 4, &["no labels: y_train", "0.5"]),
        ),
        ("large numbers", labelled(npy("<i8", "(6,)", &large)), Read(6, 4, &["classes 123456789 123456790"])),
        (
            "too few",
            labelled(npy("|u1", "(5,)", &bits(5))),
            Read(6, 4, &["no labels: y_train", "each of 6 cases"]),
        ),
        (
            "objects",
            labelled(npy("|O", "(6,)", b"\x80\x03.")),
            Read(6, 4, &["no labels: y_train", "Python objects"]),
        ),
        (
            "hundreds of classes",
            vec![(
                "a.npz",
                zip(&[
                    ("data.npy", npy("|u1", "(600, 2)", &bits(1200))),
                    ("targets.npy", npy("<u2", "(600,)", &many)),
                ]),
            )],
            Read(600, 2, &["600 classes for 600 cases", "classes 0 1 2"]),
        ),
        (
            "a table on its side, with labels",
            vec![(
                "a.npz",
                zip(&[("x.npy", npy("|u1", "(4, 6)", &bits(24))), ("y.npy", npy("|u1", "(6,)", &bits(6)))]),
            )],
            Read(6, 4, &["6 cases, the last dimension", "as many labels"]),
        ),
        (
            "arrays without names",
            vec![("a.npz", zip(&[("arr_0.npy", x().1), ("arr_1.npy", npy("|u1", "(6,)", &bits(6)))]))],
            Read(6, 4, &["classes 0 1"]),
        ),
        (
            "what is left",
            vec![("a.npz", zip(&[x(), other("ids.npy")]))],
            Read(6, 4, &["arrays read: x; not used: ids"]),
        ),
        (
            "the only table",
            vec![("a.npz", zip(&[other("p.npy"), ("n.npy", npy("|u1", "(1,)", &[9]))]))],
            Read(6, 5, &["arrays read: p"]),
        ),
        (
            "several tables",
            vec![("a.npz", zip(&[other("p.npy"), other("q.npy")]))],
            Refused(&["p [6, 5], q [6, 5]", "choose one"]),
        ),
    ]
}

fn others() -> Vec<(&'static str, Files, Expected)> {
    let images = |count| idx(8, &[count, 2, 3], &bits(6 * count as usize));
    let extended: Vec<u8> = (0..9_u32).flat_map(|x| (x % 3).to_be_bytes()).collect();
    let emnist = |name: &'static str| (name, images(4));
    let half = [255, 255, 255, 128];
    let mut square = Cursor::new(Vec::new());
    DynamicImage::new_luma8(2, 2).write_to(&mut square, ImageFormat::Png).unwrap();
    let square = square.into_inner();
    vec![
        ("one IDX file", vec![("train-images-idx3-ubyte", images(4))], Read(4, 6, &[])),
        ("one IDX file by another name", vec![("digits", gz(&images(4)))], Read(4, 6, &[])),
        (
            "dots",
            vec![("train-images.idx3-ubyte", images(4)), ("train-labels.idx1-ubyte", idx(8, &[4], &bits(4)))],
            Read(4, 6, &["classes 0 1"]),
        ),
        (
            "EMNIST",
            vec![
                emnist("emnist-letters-train-images-idx3-ubyte"),
                emnist("emnist-letters-test-images-idx3-ubyte"),
                ("emnist-letters-train-labels-idx1-ubyte", idx(8, &[4], &[1, 2, 1, 2])),
                ("emnist-letters-mapping.txt", text("1 65 97\n2 66 98\n")),
            ],
            Read(4, 6, &["rows and columns exchanged", "mapping.txt", "classes 0 Aa Bb"]),
        ),
        (
            "two of EMNIST",
            vec![
                emnist("emnist-letters-train-images-idx3-ubyte"),
                emnist("emnist-digits-train-images-idx3-ubyte"),
            ],
            Refused(&["expected one data set", "emnist-digits-train-images"]),
        ),
        (
            "QMNIST",
            vec![
                ("qmnist-train-images-idx3-ubyte.gz", gz(&images(3))),
                ("qmnist-train-labels-idx2-int.gz", gz(&idx(12, &[3, 3], &extended))),
            ],
            Read(3, 6, &["classes 0"]),
        ),
        (
            "labels of another set",
            vec![("train-images-idx3-ubyte", images(4)), ("train-labels-idx1-ubyte", idx(8, &[9], &bits(9)))],
            Read(4, 6, &["no labels", "4 images but 9 labels"]),
        ),
        (
            "labels alone",
            vec![("train-labels-idx1-ubyte", idx(8, &[9], &bits(9)))],
            Refused(&["found labels"]),
        ),
        (
            "an IDX file of floats",
            vec![("f", idx(13, &[1, 1, 1], &[0; 4]))],
            Refused(&["32-bit floats", "np.save"]),
        ),
        (
            "classes in training and testing",
            vec![("training/0/a.png", png()), ("training/1/b.png", png()), ("testing/0/c.png", png())],
            Read(2, 6, &["training (training cases), testing (test cases)", "classes 0 1"]),
        ),
        (
            "a validation part, and a folder beside",
            vec![("train/a.png", png()), ("val/b.png", png()), ("more/c.png", png())],
            Read(1, 6, &["val (validation cases)", "not read: more"]),
        ),
        (
            "formats",
            vec![
                ("a.png", png()),
                ("b.jpg", picture(ImageFormat::Jpeg, GREY)),
                ("c.bmp", picture(ImageFormat::Bmp, GREY)),
                ("d.pgm", picture(ImageFormat::Pnm, GREY)),
                ("._d.pgm", text("macOS")),
                ("e.webp", text("other")),
            ],
            Read(
                4,
                6,
                &["1 BMP, 1 JPEG, 1 PNG, 1 PNM", "._ files, left out: 1", "1 .webp files are not read"],
            ),
        ),
        (
            "colours",
            vec![("a.png", picture(ImageFormat::Png, RED)), ("b.png", png())],
            Read(2, 6, &["1 image is in colour"]),
        ),
        (
            "transparency",
            vec![("a.png", picture(ImageFormat::Png, half)), ("b.png", png())],
            Read(2, 6, &["read as black"]),
        ),
        (
            "sizes",
            vec![("a.png", png()), ("b.png", square)],
            Refused(&["b.png", "as in", "a.png", "found 2×2"]),
        ),
        (
            "half a JPEG",
            vec![("a.jpg", cut(picture(ImageFormat::Jpeg, RED))), ("b.png", png())],
            Refused(&["a.jpg", "truncated"]),
        ),
        (
            "only TIFF",
            vec![("a.tif", text("II*\0")), ("b.tif", text("II*\0"))],
            Refused(&["2 .tif files", "Image.open"]),
        ),
        (
            "a WebP named .png",
            vec![("a.png", text("RIFF\0\0\0\0WEBPVP8 ")), ("b.png", png())],
            Refused(&["found a WebP image"]),
        ),
        ("one picture", vec![("tiles.png", png())], Refused(&["a PNG image", "a folder of images"])),
    ]
}

/// A file without its last bytes.
fn cut(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.truncate(bytes.len() - 4);
    bytes
}

fn foreign() -> Vec<(&'static str, Files, Expected)> {
    let mut tar = vec![b'a'; 257];
    tar.extend(b"ustar\0");
    let mut matlab73 = vec![b' '; 512];
    matlab73.extend(b"\x89HDF\r\n\x1a\n");
    let file = |name: &'static str, bytes: &[u8]| vec![(name, bytes.to_vec())];
    vec![
        ("MATLAB", file("a.mat", b"MATLAB 5.0 MAT-file, Platform: GLNXA64"), Refused(&["MATLAB", "loadmat"])),
        ("MATLAB 7.3, cut off", file("a.mat", &matlab73), Refused(&["a.mat", "HDF5"])),
        ("HDF5, cut off", file("a.h5", b"\x89HDF\r\n\x1a\n\0\0"), Refused(&["a.h5", "HDF5"])),
        ("a pickle", file("a.csv", b"\x80\x04\x95\x10\0\0\0"), Refused(&["a pickle", "pickle.load"])),
        ("an old pickle", file("mnist.pkl", b"(lp0\n."), Refused(&["a pickle", "pickle.load"])),
        (
            "a packed pickle",
            vec![("mnist.pkl.gz", gz(b"\x80\x02]q\0."))],
            Refused(&["a pickle", "pickle.load"]),
        ),
        ("joblib", file("a.joblib", b"x\x5e"), Refused(&["joblib.load"])),
        (
            "PyTorch",
            vec![("a.pt", zip(&[("archive/data.pkl", vec![1])]))],
            Refused(&["PyTorch", "torch.load"]),
        ),
        ("old PyTorch", file("a.pth", b"\x7f"), Refused(&["PyTorch", "torch.load"])),
        ("Excel", vec![("a.xlsx", zip(&[("xl/workbook.xml", vec![1])]))], Refused(&["Excel", "read_excel"])),
        (
            "a ZIP archive",
            vec![("a.zip", zip(&[("digits.csv", vec![1])]))],
            Refused(&["ZIP archive", "unpack", "digits.csv"]),
        ),
        (
            "arrays in a .zip",
            vec![("a.zip", zip(&[("x.npy", npy("|u1", "(6, 4)", &bits(24)))]))],
            Read(6, 4, &[]),
        ),
        ("tar", vec![("a.tar.gz", gz(&tar))], Refused(&["tar archive", "unpack"])),
        ("Parquet", file("a.parquet", b"PAR1\x15\x04"), Refused(&["Parquet", "read_parquet"])),
        ("Feather", file("a.feather", b"ARROW1\0\0"), Refused(&["Feather", "read_feather"])),
        ("TensorFlow", file("a.tfrecord", &[9; 20]), Refused(&["TensorFlow", "TFRecordDataset"])),
        ("a failed download", file("a.csv", b"<!DOCTYPE html><html>"), Refused(&["a web page", "download"])),
        (
            "Git LFS",
            file("a.npz", b"version https://git-lfs.github.com/spec/v1\n"),
            Refused(&["Git LFS", "git lfs pull"]),
        ),
        ("text like magic bytes", file("a.csv", b"PAR1,FEA1,BM,MM\n1,0,1,0\n"), Read(1, 4, &[])),
    ]
}

/// What `rbm-gpu data` says of it: notes and classes.
fn said(dataset: &Dataset) -> String {
    let is_known = !dataset.classes.is_empty();
    let classes = is_known.then(|| format!("classes {}", dataset.classes.join(" ")));
    dataset.notes.iter().cloned().chain(classes).collect::<Vec<_>>().join("\n")
}

fn read(path: &Path) -> rbm_gpu::Result<Dataset> {
    Selection::default().load(&Source::Path(path.into()))
}

#[test]
fn files_are_read_or_refused_in_words() {
    let cases: Vec<_> = [arrays(), labels(), others(), foreign()].into_iter().flatten().collect();
    assert!(cases.len() > 70, "{}", cases.len());
    for (name, files, expected) in cases {
        let folder = tempfile::tempdir().unwrap();
        for (file, bytes) in &files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        let path = if let [(file, _)] = &files[..] { folder.path().join(file) } else { folder.path().into() };
        match (read(&path), expected) {
            (Ok(dataset), Read(count, units, words)) => {
                assert_eq!(
                    (dataset.train.rows.len(), dataset.train.rows.layout().units),
                    (count, units),
                    "{name}"
                );
                let said = said(&dataset);
                assert!(words.iter().all(|word| said.contains(word)), "{name}: {words:?} in {said}");
                assert!(!words.is_empty() || said.is_empty(), "{name}: {said}");
            }
            (Err(error), Refused(words)) => {
                let message = error.to_string();
                assert!(words.iter().all(|word| message.contains(word)), "{name}: {words:?} in {message}");
                assert_eq!(error.exit_code(), 2, "{name}");
            }
            (Ok(dataset), Refused(words)) => panic!("{name}: expected {words:?}, read as {}", said(&dataset)),
            (Err(error), _) => panic!("{name}: {error}"),
        }
    }
}

/// What is read has the right values, too.
#[test]
fn values_are_where_they_belong() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let first = |path: &Path| read(path).unwrap().train.rows.values(0).collect::<Vec<f32>>();
    let file = |name: &str, bytes: Vec<u8>| {
        fs::write(folder.join(name), bytes).unwrap();
        folder.join(name)
    };
    // Three cases of two values, column by column.
    let fortran = npy_of("'|u1'", "True", "(3, 2)", &[1, 0, 0, 0, 1, 1]);
    assert_eq!(first(&file("fortran.npy", fortran)), [1.0, 0.0]);
    let halves: Vec<u8> = [0x3c00_u16, 0x3800].iter().flat_map(|x| x.to_be_bytes()).collect();
    assert_eq!(first(&file("halves.npy", npy(">f2", "(1, 2)", &halves))), [1.0, 0.5]);
    // EMNIST's image of two rows and three columns is one of three rows and two columns.
    let emnist = file("emnist-digits-train-images-idx3-ubyte", idx(8, &[1, 2, 3], &[0, 255, 0, 255, 255, 0]));
    assert_eq!((first(&emnist), read(&emnist).unwrap().image), (vec![0.0, 1.0, 1.0, 1.0, 0.0, 0.0], (3, 2)));
    // Half transparent white before black.
    for (name, bytes) in [
        ("a.png", picture(ImageFormat::Png, [255, 255, 255, 102])),
        ("b.png", picture(ImageFormat::Png, [255, 0, 0, 255])),
    ] {
        fs::create_dir_all(folder.join("images")).unwrap();
        fs::write(folder.join("images").join(name), bytes).unwrap();
    }
    let images = read(&folder.join("images")).unwrap().train.rows;
    let of = |row: usize| images.values(row).map(|x| (x * 255.0).round() as u8).collect::<Vec<u8>>();
    assert_eq!((of(0)[..2].to_vec(), of(1)[..2].to_vec()), (vec![255, 102], vec![255, 54]));
}

/// Validation cases of their own stay what they are.
#[test]
fn a_validation_part_is_not_split_again() {
    let folder = tempfile::tempdir().unwrap();
    for file in ["train/x/a.png", "train/y/b.png", "val/x/c.png", "val/y/d.png", "test/x/e.png"] {
        let path = folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, png()).unwrap();
    }
    let source = Source::Path(folder.path().into());
    let dataset =
        Selection { classes: Some(vec!["y".into()]), ..Selection::default() }.load(&source).unwrap();
    let counts =
        (dataset.train.rows.len(), dataset.validation.map(|cases| cases.rows.len()), dataset.test.is_none());
    assert_eq!(counts, (1, Some(1), true));
    let share =
        Selection { validation: Some(0.5), ..Selection::default() }.load(&source).unwrap_err().to_string();
    assert!(share.contains("2 validation cases of its own"), "{share}");
}
