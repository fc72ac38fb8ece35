//! `rbm-gpu transform`

use std::process::ExitCode;

use rbm_gpu::{
    Result,
    data::{
        Cases, Source,
        npy::{Array, Values, write_array, write_npz},
        table,
    },
    hdf5::{self, Content},
    inference::{Inference, ModelOptions},
    memory,
    output::Target,
    units::{Kind, Layer},
};

use super::{
    outputs::{self, HDF5, Output},
    print,
};

#[derive(clap::Args)]
pub struct Options {
    #[command(flatten)]
    model: ModelOptions,
    /// Data set; short for --data
    #[arg(value_name = "DATA", conflicts_with = "data")]
    cases: Option<Source>,
    /// Which cases go into an .npy file; an .npz or .h5 file has all
    #[arg(long, value_name = "SET", value_enum, default_value_t = Set::Train)]
    set: Set,
    #[command(flatten)]
    output: Output,
}

/// A part of a data set.
#[derive(Clone, Copy, PartialEq, clap::ValueEnum)]
enum Set {
    Train,
    Validation,
    Test,
}

pub fn run(options: &Options) -> Result<ExitCode> {
    let target = options.output.target("features.npy", &["npy", "npz", "csv", "h5", "hdf5"])?;
    let is_hdf5 = HDF5.contains(&&*target.extension());
    let found = options.model.open()?;
    let mut model = options.model.clone();
    model.data.data = options.cases.clone().or(model.data.data);
    let (source, dataset) = model.load(&found)?;
    let cases: usize = dataset.parts().map(|cases| cases.rows.len()).sum();
    let hidden = found.rbm.shape().hidden;
    let what = format!("{hidden} features of {cases} cases");
    memory::check(&what, memory::product(&[cases, hidden, 4]), "choose fewer cases with --limit")?;
    let mut inference = model.inference(&found.rbm, 0)?;
    let mut shapes = Vec::new();
    let sets = [
        (Set::Train, "train", Some(&dataset.train)),
        (Set::Validation, "validation", dataset.validation.as_ref()),
        (Set::Test, "test", dataset.test.as_ref()),
    ];
    if is_hdf5 || target.extension() == "npz" {
        let mut arrays = Vec::new();
        for (_, name, cases) in sets {
            let Some(cases) = cases else { continue };
            let features = features(&mut inference, cases)?;
            shapes.push(format!("x_{name} {:?}", features.shape));
            arrays.push((format!("x_{name}"), features));
            if let Some(labels) = &cases.labels {
                // Classes that are numbers stay these numbers.
                let label = |&label: &u32| {
                    let class = dataset.classes.get(label as usize).and_then(|class| class.parse().ok());
                    class.unwrap_or(label as f32)
                };
                let values = Values::Floats(labels.iter().map(label).collect());
                arrays.push((format!("y_{name}"), Array { shape: vec![labels.len()], values }));
            }
        }
        match is_hdf5 {
            true => write_hdf5(&target, arrays, &found.rbm.layers().hidden)?,
            false => {
                target.write(|out| write_npz(out, arrays.iter().map(|(name, array)| (&**name, array))))?
            }
        }
    } else {
        let cases = sets.into_iter().find_map(|(set, _, cases)| cases.filter(|_| set == options.set));
        let Some(cases) = cases else {
            return Err(rbm_gpu::Error::Usage(format!("--set: {source} has no such cases; choose another")));
        };
        let features = features(&mut inference, cases)?;
        shapes.push(format!("{:?}", features.shape));
        match target.extension().as_str() {
            // Columns without names: v1 and so on would be those of the data.
            "csv" => target.write(|out| table::write_numbers(out, "h", hidden, &features.values.floats()))?,
            _ => target.write(|out| write_array(out, &features))?,
        }
    }
    print(format!(
        "{}: p(h|v) of {source}, on {}: {}\n{}  {}\n",
        found.path.display(),
        inference.device(),
        shapes.join(", "),
        outputs::notes(&dataset),
        target.path().display()
    ));
    Ok(ExitCode::SUCCESS)
}

/// Writes the arrays as HDF5: those of the training cases as rbms has them, `samples` and `labels`.
fn write_hdf5(target: &Target, arrays: Vec<(String, Array)>, hidden: &Layer) -> Result<()> {
    // Means of states of 0 and 1 are from 0 to 1.
    let kind = if hidden.blocks().iter().all(|block| !block.kind.is_signed() && block.kind != Kind::Relu) {
        "bernoulli"
    } else {
        "continuous"
    };
    let arrays = arrays.into_iter().map(|(name, array)| match &*name {
        "x_train" => ("samples".into(), Content::Array(array)),
        "y_train" => ("labels".into(), Content::Array(array)),
        _ => (name, Content::Array(array)),
    });
    let kind = ("variable_type".to_string(), Content::Text(kind.into()));
    let contents: Vec<(String, Content)> = arrays.chain([kind]).collect();
    target.write(|out| hdf5::write(out, contents.iter().map(|(name, content)| (&**name, content.clone()))))
}

fn features(inference: &mut Inference, cases: &Cases) -> Result<Array> {
    let values = Values::Floats(inference.transform(&cases.rows)?);
    Ok(Array { shape: vec![cases.rows.len(), inference.shape().hidden], values })
}
