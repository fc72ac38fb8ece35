//! Kinds of files that are no text, by their first bytes: what a file is, whatever its name, and what to do with one that is
//! not read.

/// The first bytes of a file that tell its kind.
pub const HEAD: u64 = 600;

/// What becomes of a kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// As a NumPy array.
    Npy,
    /// As an archive of NumPy arrays, if it is one.
    Zip,
    /// As an IDX file.
    Idx,
    /// As an HDF5 file.
    Hdf5,
    /// Not at all: what to do instead.
    Refused(&'static str),
}
use Reading::{Hdf5, Idx, Npy, Refused, Zip};

/// Bytes at a position.
type Magic = (usize, &'static [u8]);

/// A kind of file.
#[derive(Clone, Copy, Debug)]
pub struct FileKind {
    /// All of these bytes are there; none, if the kind is told by its ending.
    magic: &'static [Magic],
    /// The endings of its name, in lower case, that tell it.
    endings: &'static [&'static str],
    /// What it is, for messages.
    pub what: &'static str,
    /// What becomes of it.
    pub reading: Reading,
}

const fn magic(magic: &'static [Magic], what: &'static str, reading: Reading) -> FileKind {
    FileKind { magic, endings: &[], what, reading }
}

const fn ending(endings: &'static [&'static str], what: &'static str, advice: &'static str) -> FileKind {
    FileKind { magic: &[], endings, what, reading: Refused(advice) }
}

const FOLDER: &str = "expected a folder of images, one case each; one picture of many tiles is cut up in Python: \
                      np.save(\"new.npy\", np.asarray(Image.open(\"old\").convert(\"L\")).reshape(ROWS, HEIGHT, COLUMNS, \
                      WIDTH).swapaxes(1, 2).reshape(-1, HEIGHT, WIDTH))";
const PICKLE: &str = "only Python reads it, and runs what is in it, so open only what you trust: \
                      np.save(\"new.npy\", np.asarray(pickle.load(open(\"old.pkl\", \"rb\"))))";
const JOBLIB: &str = "only Python reads it, and runs what is in it, so open only what you trust: \
                      np.save(\"new.npy\", np.asarray(joblib.load(\"old.joblib\")))";
const TORCH: &str = "in Python, for a tensor: np.save(\"new.npy\", torch.load(\"old.pt\").numpy())";
const EXCEL: &str =
    "save the sheet as CSV, or in Python: pd.read_excel(\"old.xlsx\").to_csv(\"new.csv\", index=False)";
const PARQUET: &str = "in Python: pd.read_parquet(\"old.parquet\").to_csv(\"new.csv\", index=False)";
const FEATHER: &str = "in Python: pd.read_feather(\"old.feather\").to_csv(\"new.csv\", index=False)";
const NUMBERS: &str =
    "expected one of unsigned bytes; in Python: np.save(\"new.npy\", idx2numpy.convert_from_file(\"old\"))";
const R: &str = "in R: write.csv(NAME, \"new.csv\", row.names = FALSE)";
const UNPACK: &str = "unpack it, and name the file or the folder inside";
const DOWNLOAD: &str = "the download went wrong: get the file itself";

/// All kinds.
const KINDS: &[FileKind] = &[
    magic(&[(0, b"\x93NUMPY")], "a NumPy array", Npy),
    magic(&[(0, b"PK\x03\x04")], "a ZIP archive", Zip),
    magic(&[(0, b"PK\x05\x06")], "an empty ZIP archive", Zip),
    magic(&[(0, b"\0\0\x08")], "an IDX file", Idx),
    magic(&[(0, b"\0\0\x09")], "an IDX file of signed bytes", Refused(NUMBERS)),
    magic(&[(0, b"\0\0\x0b")], "an IDX file of 16-bit integers", Refused(NUMBERS)),
    magic(&[(0, b"\0\0\x0c")], "an IDX file of 32-bit integers", Refused(NUMBERS)),
    magic(&[(0, b"\0\0\x0d")], "an IDX file of 32-bit floats", Refused(NUMBERS)),
    magic(&[(0, b"\0\0\x0e")], "an IDX file of 64-bit floats", Refused(NUMBERS)),
    magic(&[(0, b"\x89PNG\r\n")], "a PNG image", Refused(FOLDER)),
    magic(&[(0, b"\xff\xd8\xff")], "a JPEG image", Refused(FOLDER)),
    magic(&[(0, b"BM"), (6, b"\0\0\0\0")], "a BMP image", Refused(FOLDER)),
    magic(&[(0, b"GIF87a")], "a GIF image", Refused(FOLDER)),
    magic(&[(0, b"GIF89a")], "a GIF image", Refused(FOLDER)),
    magic(&[(0, b"RIFF"), (8, b"WEBP")], "a WebP image", Refused(FOLDER)),
    magic(&[(0, b"II*\0")], "a TIFF image", Refused(FOLDER)),
    magic(&[(0, b"MM\0*")], "a TIFF image", Refused(FOLDER)),
    magic(&[(4, b"ftypavif")], "an AVIF image", Refused(FOLDER)),
    magic(&[(4, b"ftypheic")], "a HEIC image", Refused(FOLDER)),
    magic(
        &[(0, b"MATLAB 5.0 MAT-file")],
        "a MATLAB file",
        Refused("in Python: np.save(\"new.npy\", scipy.io.loadmat(\"old.mat\")[\"NAME\"])"),
    ),
    magic(&[(0, b"\x89HDF\r\n\x1a\n")], "an HDF5 file", Hdf5),
    magic(&[(512, b"\x89HDF\r\n\x1a\n")], "a MATLAB file in HDF5", Hdf5),
    magic(&[(0, b"PAR1\x15")], "a Parquet table", Refused(PARQUET)),
    magic(&[(0, b"ARROW1\0\0")], "a Feather table", Refused(FEATHER)),
    magic(&[(0, b"FEA1\0")], "a Feather table", Refused(FEATHER)),
    magic(&[(0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")], "an Excel workbook", Refused(EXCEL)),
    magic(
        &[(0, b"SQLite format 3\0")],
        "an SQLite database",
        Refused(
            "in Python: pd.read_sql(\"select * from NAME\", sqlite3.connect(\"old.db\")).to_csv(\"new.csv\", index=False)",
        ),
    ),
    magic(&[(0, b"RDX2\nX\n")], "R's data", Refused(R)),
    magic(&[(0, b"RDX3\nX\n")], "R's data", Refused(R)),
    magic(&[(0, b"X\n\0\0\0")], "R's data", Refused(R)),
    magic(&[(257, b"ustar\0")], "a tar archive", Refused(UNPACK)),
    magic(&[(257, b"ustar  \0")], "a tar archive", Refused(UNPACK)),
    magic(&[(0, b"7z\xbc\xaf\x27\x1c")], "a 7-Zip archive", Refused(UNPACK)),
    magic(&[(0, b"Rar!\x1a\x07")], "a RAR archive", Refused(UNPACK)),
    magic(&[(0, b"BZh"), (4, b"1AY&SY")], "a file packed by bzip2", Refused("unpack it: bunzip2 FILE")),
    magic(&[(0, b"\xfd7zXZ\0")], "a file packed by xz", Refused("unpack it: unxz FILE")),
    magic(&[(0, b"\x28\xb5\x2f\xfd")], "a file packed by zstd", Refused("unpack it: unzstd FILE")),
    magic(&[(0, b"\x1f\x8b")], "a file packed twice by gzip", Refused("unpack it: gunzip FILE")),
    magic(&[(0, b"%PDF-")], "a PDF document", Refused("export its table as CSV")),
    magic(
        &[(0, b"version https://git-lfs")],
        "a pointer of Git LFS instead of the file",
        Refused("fetch the file: git lfs pull"),
    ),
    magic(&[(0, b"<!DOCTYPE html")], "a web page", Refused(DOWNLOAD)),
    magic(&[(0, b"<!doctype html")], "a web page", Refused(DOWNLOAD)),
    magic(&[(0, b"<html")], "a web page", Refused(DOWNLOAD)),
    // By the pickle's protocol.
    magic(&[(0, b"\x80\x02")], "a pickle of Python", Refused(PICKLE)),
    magic(&[(0, b"\x80\x03")], "a pickle of Python", Refused(PICKLE)),
    magic(&[(0, b"\x80\x04\x95")], "a pickle of Python", Refused(PICKLE)),
    magic(&[(0, b"\x80\x05\x95")], "a pickle of Python", Refused(PICKLE)),
    ending(&["pkl", "pickle"], "a pickle of Python", PICKLE),
    ending(&["joblib"], "a file of joblib", JOBLIB),
    ending(&["pt", "pth"], "a file of PyTorch", TORCH),
    ending(
        &["tfrecord", "tfrecords"],
        "records of TensorFlow",
        "in Python: np.save(\"new.npy\", np.stack([np.frombuffer(tf.train.Example.FromString(r.numpy())\
         .features.feature[\"NAME\"].bytes_list.value[0], np.uint8) for r in tf.data.TFRecordDataset(\"old.tfrecord\")]))",
    ),
    ending(&["safetensors"], "a model's file", "name the data set; models go to other commands"),
];

/// ZIP archives with a file of such a name are these.
const ARCHIVES: [(&str, &str, &str); 3] = [
    ("xl/workbook", "an Excel workbook", EXCEL),
    ("data.pkl", "a file of PyTorch", TORCH),
    ("content.xml", "a spreadsheet of OpenDocument", "save the sheet as CSV"),
];

/// The kind of a file by its first bytes; those of one packed by gzip are unpacked. `None` for text and unknown bytes.
pub fn by_head(head: &[u8]) -> Option<&'static FileKind> {
    let has = |&(at, bytes): &Magic| head.get(at..).is_some_and(|rest| rest.starts_with(bytes));
    KINDS.iter().find(|kind| !kind.magic.is_empty() && kind.magic.iter().all(has))
}

/// The kind of a file by the ending of its name, in lower case, if its bytes do not tell.
pub fn by_ending(ending: &str) -> Option<&'static FileKind> {
    KINDS.iter().find(|kind| kind.endings.contains(&ending))
}

/// What a ZIP archive with these files is, and what to do; `None` if it has NumPy's arrays.
pub fn archive<S: AsRef<str>>(names: &[S]) -> Option<(&'static str, &'static str)> {
    let has = |part: &str| names.iter().any(|name| name.as_ref().contains(part));
    if names.iter().any(|name| name.as_ref().ends_with(".npy")) {
        return None;
    }
    let known = ARCHIVES.iter().find(|(part, _, _)| has(part));
    Some(known.map_or(("a ZIP archive without NumPy's arrays", UNPACK), |&(_, what, advice)| (what, advice)))
}
