//! From a source to a data set: reads the file by its kind, then takes the selection from it.

use std::path::Path;

use super::{
    Cases, Dataset, Encoding, ImageSize, Selection, Source, Switch, alignment, file, generated, hdf5, idx,
    images, known, npy, recognised, spread_out, svmlight, table, weights,
};
use recognised::Reading;

use crate::error::{Error, Result, bad_data, list, usage};

/// Makes the error for data with another number of columns than a model's.
type Misfit<'a> = &'a dyn Fn(usize) -> Result<()>;

impl Selection {
    /// Finds, reads and checks a data set, and takes the selection from it.
    ///
    /// # Errors
    /// [`Error::Data`] and [`Error::Read`] say which file, what was expected and what was found; [`Error::Usage`] if
    /// nothing would be left.
    pub fn load(&self, source: &Source) -> Result<Dataset> {
        self.clone().encoded(source, None)
    }

    /// [`Selection::load`] for units that are known: of a model, encoded as its training data were. `misfit` makes the error for
    /// data with another number of columns.
    ///
    /// # Errors
    /// Those of [`Selection::load`] and `misfit`.
    pub fn load_for(
        &self,
        source: &Source,
        known: &Encoding,
        misfit: impl Fn(usize) -> Result<()>,
    ) -> Result<Dataset> {
        let others = self.trained.as_ref().map_or(Vec::new(), |trained| trained.others.clone());
        self.clone().of_encoding(known, others).encoded(source, Some((known, &misfit)))
    }

    /// Loads data and encodes them.
    fn encoded(self, source: &Source, known: Option<(&Encoding, Misfit)>) -> Result<Dataset> {
        let dataset = self.part(source)?;
        if let Some((known, misfit)) = known {
            let columns = dataset.encoding.file_columns();
            if columns != known.file_columns() {
                misfit(columns)?;
            }
        }
        let encoding = match (known, &self.visible) {
            (Some((encoding, _)), _) => encoding.clone(),
            (None, Some(kinds)) if dataset.encoding.columns.is_empty() => {
                let columns = dataset.encoding.file_columns();
                if let Some(units) = kinds.units().filter(|&units| units != columns) {
                    return usage!(
                        "‹visible› {kinds}: these are {units} units, but {source} has {columns} columns"
                    );
                }
                Encoding { layer: kinds.layer(columns), ..dataset.encoding.clone() }
            }
            (None, _) => dataset.encoding.clone(),
        };
        if encoding.layer.is_binary() && !dataset.encoding.layer.is_binary() {
            return usage!(
                "{source}: expected numbers from 0 to 1 for binary units, found data of {}",
                dataset.encoding.layer
            );
        }
        let encoding = match known.is_none() && self.standardize != Some(Switch::Off) {
            true => encoding.standardised(&dataset.train),
            false => encoding,
        };
        let dataset = dataset.encoded(encoding, source)?;
        if dataset.train.rows.has_missing()
            && let Some(column) = dataset.train.rows.density().iter().position(|mean| mean.is_nan())
        {
            let unit = dataset.encoding.layer.places().position(|place| place.column == column);
            return bad_data!(
                "{source}: expected a value in every column, found none in column {} of {}; leave it out",
                unit.unwrap_or(column) + 1,
                dataset.encoding.file_columns()
            );
        }
        Ok(dataset)
    }

    /// The part of a data set that is selected, as it is in the file.
    fn part(&self, source: &Source) -> Result<Dataset> {
        self.check()?;
        let mut dataset = source.read(self)?;
        if let Some(option) = self.of_alignments().filter(|_| dataset.encoding.letters.is_none()) {
            return usage!("‹{option}› is for alignments of sequences, and {source} is none; leave it out");
        }
        if let Some(path) = &self.weights {
            dataset.train.weights = Some(weights::read(path, dataset.train.rows.len())?);
        }
        if let Some(share) = self.reweight {
            dataset = dataset.reweighted(share, source)?;
        }
        if self.is_inverted() {
            if self.is_raw() || !dataset.encoding.layer.is_binary() {
                return usage!("‹invert› is for binary units, found data of {}", dataset.encoding.layer);
            }
            dataset = dataset.invert();
        }
        if let Some(ImageSize(height, width)) = self.image {
            let units = dataset.train.rows.layout().units;
            if height * width != units {
                return usage!("‹image› {height}x{width}: the cases of {source} have {units} values");
            }
            dataset.image = (height, width);
        }
        if let Some(classes) = &self.classes {
            let wanted = classes.iter().map(|class| class_index(class, &dataset, source));
            let wanted = wanted.collect::<Result<Vec<u32>>>()?;
            dataset.train = of_classes(&dataset.train, &wanted);
            dataset.test = dataset.test.map(|test| of_classes(&test, &wanted));
            dataset.validation = dataset.validation.map(|cases| of_classes(&cases, &wanted));
            if dataset.train.rows.is_empty() {
                return bad_data!("{source}: no training case is of the classes {}", classes.join(", "));
            }
        }
        dataset.test = dataset.test.filter(|test| !test.rows.is_empty());
        dataset.validation = dataset.validation.filter(|cases| !cases.rows.is_empty());
        if let Some(limit) = self.limit {
            dataset.train = spread(&dataset.train, limit);
            dataset.test = dataset.test.map(|test| spread(&test, limit));
            dataset.validation = dataset.validation.map(|cases| spread(&cases, limit));
        }
        if let (Some(share), Some(cases)) =
            (self.validation.filter(|&share| share > 0.0), &dataset.validation)
        {
            return usage!(
                "‹validation› {share}: {source} has {} validation cases of its own; leave the option out",
                cases.rows.len()
            );
        }
        if let Some(share) = self.validation.filter(|&share| share > 0.0) {
            dataset.split(share);
            let [train, validation] =
                [Some(&dataset.train), dataset.validation.as_ref()].map(|c| c.map_or(0, |c| c.rows.len()));
            if train == 0 || validation == 0 {
                return usage!(
                    "‹validation› {share} of {} training cases would leave {train} to train on and {validation} to \
                     validate on; each needs at least 1",
                    train + validation
                );
            }
        }
        Ok(dataset)
    }
}

impl Source {
    /// Finds, reads and checks the whole data set.
    ///
    /// # Errors
    /// [`Error::Data`] and [`Error::Read`] say which file, what was expected and what was found.
    pub fn load(&self) -> Result<Dataset> {
        Selection::default().load(self)
    }

    /// The whole data set, read with what the selection says about its meaning.
    fn read(&self, selection: &Selection) -> Result<Dataset> {
        match self {
            Self::Mnist => known::MNIST.load(),
            Self::FashionMnist => known::FASHION_MNIST.load(),
            Self::BarsAndStripes(n) => Ok(generated::bars_and_stripes(*n)),
            Self::Shifter => Ok(generated::shifter()),
            Self::Path(path) => read_path(path, selection),
        }
    }
}

fn read_path(path: &Path, selection: &Selection) -> Result<Dataset> {
    if path.is_dir() {
        return if idx::is_folder(path) { idx::load(path) } else { images::load(path) };
    }
    if let Some((file, inner)) = hdf5::inside(path) {
        return hdf5::load(&crate::hdf5::File::open(&file)?, Some(&inner), selection);
    }
    std::fs::metadata(path).map_err(Error::read(path))?;
    let name = path.file_name().map_or(String::new(), |name| name.to_string_lossy().to_lowercase());
    let unpacked = name.strip_suffix(".gz").unwrap_or(&name);
    let ending = unpacked.rsplit_once('.').map_or("", |(_, ending)| ending);
    // What a file is, its first bytes say, whatever its name.
    let head = file::head(path, recognised::HEAD)?;
    let kind = recognised::by_head(&head);
    let refuse = |what: &str, advice: &str| bad_data!("{}: this is {what}: {advice}", path.display());
    match kind.or_else(|| recognised::by_ending(ending)).map(|kind| (kind.what, kind.reading)) {
        Some((_, Reading::Npy)) => {
            return npy::load(&path.display().to_string(), file::open(path)?, selection);
        }
        Some((_, Reading::Idx)) => return idx::load_file(path),
        Some((_, Reading::Hdf5)) => return hdf5::load(&crate::hdf5::File::open(path)?, None, selection),
        Some((_, Reading::Zip)) if ending != "npz" => return read_archive(path, selection),
        Some((what, Reading::Refused(advice))) => return refuse(what, advice),
        _ => {}
    }
    match ending {
        "npy" => npy::load(&path.display().to_string(), file::open(path)?, selection),
        "npz" if unpacked == name => {
            let file = std::io::BufReader::new(file::opened(path)?);
            npy::load_npz(&path.display().to_string(), file, selection)
        }
        "csv" | "tsv" | "txt" | "tab" | "dat" | "data" | "amat" | "asc" => {
            table::load(path, file::open(path)?, selection)
        }
        "svmlight" | "libsvm" | "svm" => svmlight::load(path, file::open(path)?, selection),
        extension => match alignment::Form::of(extension) {
            Some(form) => alignment::load(path, file::open(path)?, form, selection),
            None if hdf5::EXTENSIONS.contains(&extension) => {
                bad_data!("{}: expected an HDF5 file, found other bytes", path.display())
            }
            None if table::is_of_numbers(&file::head(path, file::LINES)?) => {
                table::load(path, file::open(path)?, selection)
            }
            None => bad_data!(
                "{}: expected a folder of IDX files or images, or a file that ends in .npy, .npz, .h5, .csv, .svmlight, .fasta, \
                 .a2m or .sto; found another kind of file; if it is a table of text, name it .csv",
                path.display()
            ),
        },
    }
}

/// A ZIP archive: of NumPy's arrays, or another, which is refused.
fn read_archive(path: &Path, selection: &Selection) -> Result<Dataset> {
    let name = path.display().to_string();
    let open = || Ok::<_, Error>(std::io::BufReader::new(file::opened(path)?));
    if file::head(path, 2)? != [b'P', b'K'] {
        return bad_data!("{name}: this is a ZIP archive packed by gzip: unpack it: gunzip {name}");
    }
    let names = npy::file_names(&name, open()?)?;
    match recognised::archive(&names) {
        None => npy::load_npz(&name, open()?, selection),
        Some((what, advice)) => bad_data!("{name}: this is {what}: {advice}; it has {}", list(names)),
    }
}

fn class_index(class: &str, Dataset { classes, notes, .. }: &Dataset, source: &Source) -> Result<u32> {
    match classes.iter().position(|name| name == class) {
        Some(index) => Ok(index as u32),
        None if classes.is_empty() => {
            usage!(
                "‹classes› {class}: {source} has no classes; for a CSV file, name their column with ‹label-column›{}",
                notes
                    .iter()
                    .find(|note| note.starts_with("no labels"))
                    .map_or(String::new(), |note| format!("; {note}"))
            )
        }
        None => {
            usage!("‹classes› {class}: there is no such class in {source}; there are {}", classes.join(", "))
        }
    }
}

fn of_classes(cases: &Cases, wanted: &[u32]) -> Cases {
    let labels = cases.labels.iter().flatten().enumerate();
    let kept: Vec<usize> = labels.filter(|(_, label)| wanted.contains(label)).map(|(case, _)| case).collect();
    cases.select(&kept)
}

/// At most `limit` cases, evenly spread.
fn spread(cases: &Cases, limit: usize) -> Cases {
    cases.select(&spread_out(cases.rows.len(), limit))
}
