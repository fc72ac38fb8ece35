//! Files that only the program that wrote them should open, as a pickle can run any code: they are refused, with the line of
//! Python that converts them.

use std::{io::Read, path::Path};

use super::file;
use crate::error::{Result, bad_data};

/// Refuses a file of another program's own format, known by its first bytes or its name, with the line that converts it.
///
/// # Errors
/// [`crate::Error::Data`] if it is one; [`crate::Error::Read`].
pub fn refused(path: &Path) -> Result<()> {
    let mut start = Vec::new();
    file::opened(path)?.take(1 << 16).read_to_end(&mut start).map_err(crate::Error::read(path))?;
    let Some((kind, lines)) = conversion(path, &start) else { return Ok(()) };
    bad_data!(
        "{}: {kind}; in Python, this writes what can be read here:\n{}",
        path.display(),
        lines.join("\n")
    )
}

/// What a file is, and the lines that convert it.
fn conversion(path: &Path, start: &[u8]) -> Option<(&'static str, Vec<String>)> {
    let extension = path.extension().map_or(String::new(), |end| end.to_string_lossy().to_lowercase());
    let has = |text: &[u8]| start.windows(text.len()).any(|window| window == text);
    let is_pickle = matches!(start, [0x80, 2..=5, ..]);
    // As a Python string in a shell's quotes; a name that would end those is left to the user.
    let quoted = |end: &str| {
        let text = path.with_extension(end).display().to_string();
        let is_plain = !text.contains(['\\', '\'', '"', '$', '`', '!']) && !text.contains(char::is_control);
        if is_plain { format!("'{text}'") } else { format!("'FILE.{end}'") }
    };
    let (from, npz) = (quoted(&path.extension().unwrap_or_default().to_string_lossy()), quoted("npz"));
    let python = |code: String| format!("  python -c \"{code}\"");
    let is_torch =
        ["pt", "pth", "ckpt"].contains(&&*extension) || start.starts_with(b"PK") && has(b"/data.pkl");
    if is_torch {
        let to = quoted("safetensors");
        let code = format!(
            "import torch; from safetensors.torch import save_file; save_file({{k: v.contiguous() for k, v in \
             torch.load({from}, map_location='cpu', weights_only=True).items()}}, {to})"
        );
        return Some(("PyTorch's own file, a pickle, which can run any code", vec![python(code)]));
    }
    if extension == "mat" && start.starts_with(b"MATLAB 5.0") {
        let code = format!(
            "import numpy, scipy.io; numpy.savez({npz}, **{{k: v for k, v in scipy.io.loadmat({from}).items() if k[0] != '_'}})"
        );
        return Some(("a MATLAB file before version 7.3", vec![python(code)]));
    }
    if extension == "jld2" {
        // Julia stores the first index fastest.
        let code = format!(
            "import h5py, numpy; numpy.savez({npz}, **{{k: v[()].T for k, v in h5py.File({from}).items() if \
             isinstance(v, h5py.Dataset)}})"
        );
        return Some(("Julia's JLD2", vec![python(code)]));
    }
    if !is_pickle && !["pkl", "pickle", "joblib"].contains(&&*extension) {
        return None;
    }
    let module = if extension == "joblib" { "joblib" } else { "pickle" };
    let load = if extension == "joblib" {
        format!("joblib.load({from})")
    } else {
        format!("pickle.load(open({from}, 'rb'))")
    };
    let sklearn = format!(
        "import {module}, numpy; m = {load}; numpy.savez({npz}, **{{k: getattr(m, k) for k in ('components_', \
         'intercept_hidden_', 'intercept_visible_')}})"
    );
    let mut lines = vec!["  (a model of scikit-learn)".into(), python(sklearn)];
    if module == "pickle" {
        let pgm = format!(
            "import pickle, numpy; m = {load}; numpy.savez({npz}, weights=m.weights, **{{s + k: getattr(l, k) for s, l in \
             (('v_', m.vlayer), ('h_', m.hlayer)) for k in ('fields', 'gamma', 'theta', 'gamma_plus', 'gamma_minus', \
             'theta_plus', 'theta_minus') if hasattr(l, k)}})"
        );
        lines.extend(["  (a model of PGM, in its folder)".into(), python(pgm)]);
        let array = format!("import pickle, numpy; numpy.savez({npz}, x_train=numpy.asarray({load}))");
        lines.extend(["  (data)".into(), python(array)]);
    }
    Some(("a pickle of Python, which can run any code", lines))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_programs_are_refused_with_the_line_that_converts_them() {
        let folder = tempfile::tempdir().unwrap();
        for (name, start, expected) in [
            ("a.pkl", &b"\x80\x04"[..], "pickle.load(open("),
            ("a.joblib", b"anything", "joblib.load("),
            ("unnamed", b"\x80\x05...", "components_"),
            ("a.pt", b"PK\x03\x04", "save_file("),
            ("a", b"PK\x03\x04..archive/data.pkl", "weights_only=True"),
            ("a.mat", b"MATLAB 5.0 MAT-file", "loadmat("),
            ("a.jld2", b"HDF5-based Julia Data Format", "h5py.File("),
        ] {
            let path = folder.path().join(name);
            std::fs::write(&path, start).unwrap();
            let message = refused(&path).unwrap_err().to_string();
            assert!(message.contains(expected) && message.contains("python -c"), "{name}: {message}");
        }
        let path = folder.path().join("a.csv");
        std::fs::write(&path, "1,2").unwrap();
        refused(&path).unwrap();
    }
}
