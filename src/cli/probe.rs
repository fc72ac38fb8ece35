//! `rbm-gpu probe`

use std::{process::ExitCode, time::Instant};

use rbm_gpu::{
    Error, Result,
    data::Cases,
    inference::ModelOptions,
    memory,
    probe::{Classifier, Labelled},
};
use serde_json::json;

use super::{outputs, print, print_json};

#[derive(clap::Args)]
pub struct Options {
    #[command(flatten)]
    model: ModelOptions,
    /// L2 penalty on the weights of the logistic regression
    #[arg(long, value_name = "X", default_value_t = 1e-5)]
    l2: f64,
    /// Most steps of the optimiser
    #[arg(long, value_name = "N", default_value_t = 300)]
    steps: u64,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
}

pub fn run(options: &Options) -> Result<ExitCode> {
    if !(options.l2 >= 0.0 && options.l2.is_finite()) {
        return Err(Error::Usage(format!("--l2 must be at least 0 and finite, found {}", options.l2)));
    }
    if options.steps == 0 {
        return Err(Error::Usage("--steps must be at least 1, found 0".into()));
    }
    let found = options.model.open()?;
    let (source, dataset) = options.model.load(&found)?;
    let dataset = dataset.judging();
    let (Some(test), true) = (&dataset.test, dataset.classes.len() > 1) else {
        return Err(Error::Usage(format!(
            "{source}: a probe needs at least two classes and test cases, found {} classes and {} test cases; name the \
             classes of a CSV file by --label-column, and split test cases off by --validation 0.2",
            dataset.classes.len(),
            dataset.test.as_ref().map_or(0, |test| test.rows.len())
        )));
    };
    let cases = dataset.train.rows.len() + test.rows.len();
    let units = found.rbm.shape().visible.saturating_add(found.rbm.shape().hidden);
    let what = format!("the values and the features of {cases} cases");
    memory::check(&what, memory::product(&[cases, units, 4]), "choose fewer cases with --limit")?;
    // The classifier's parameters, and twice ten earlier ones and their gradients, as L-BFGS keeps them.
    let classes = dataset.classes.len();
    let what = format!("the parameters of {classes} classes");
    memory::check(&what, memory::product(&[classes, units, 22, 8]), "choose fewer with --classes")?;
    let mut inference = options.model.inference(&found.rbm, 0)?;
    let mut features = |cases: &Cases| inference.transform(&cases.rows);
    let of_features = measure(
        options,
        (&features(&dataset.train)?, &features(test)?),
        (&dataset.train, test),
        dataset.classes.len(),
    )?;
    let values = |cases: &Cases| -> Vec<f32> {
        (0..cases.rows.len()).flat_map(|case| cases.rows.values(case)).collect()
    };
    let of_values = measure(
        options,
        (&values(&dataset.train), &values(test)),
        (&dataset.train, test),
        dataset.classes.len(),
    )?;
    if options.json {
        print_json(&json!({
            "model": found.path.to_string_lossy(), "data": source.to_string(), "classes": dataset.classes.len(),
            "train_cases": dataset.train.rows.len(), "test_cases": test.rows.len(),
            "features_train_error": of_features.train, "features_test_error": of_features.test,
            "values_train_error": of_values.train, "values_test_error": of_values.test,
        }));
        return Ok(ExitCode::SUCCESS);
    }
    print(format!(
        "{}: logistic regression of {} classes of {source}: {} training and {} test cases, on {}\n\n{:24}{:>12}{:>12}\n",
        found.path.display(),
        dataset.classes.len(),
        dataset.train.rows.len(),
        test.rows.len(),
        inference.device(),
        "",
        "train error",
        "test error"
    ));
    let shape = found.rbm.shape();
    print(outputs::notes(&dataset));
    for (what, errors) in [
        (format!("{} features, p(h|v)", shape.hidden), of_features),
        (format!("{} values", shape.visible), of_values),
    ] {
        print(format!(
            "{what:24}{:>10.2} %{:>10.2} %   {:.1} s\n",
            1e2 * errors.train,
            1e2 * errors.test,
            errors.seconds
        ));
    }
    Ok(ExitCode::SUCCESS)
}

struct Errors {
    train: f64,
    test: f64,
    seconds: f64,
}

/// Learns from the training cases, and returns the share of wrong classes.
fn measure(
    options: &Options,
    (train, test): (&[f32], &[f32]),
    cases: (&Cases, &Cases),
    classes: usize,
) -> Result<Errors> {
    let start = Instant::now();
    fn labelled<'a>(values: &'a [f32], cases: &'a Cases) -> Labelled<'a> {
        let labels = cases.labels.as_deref().unwrap_or_default();
        Labelled { values, units: values.len() / cases.rows.len(), labels }
    }
    let (train, test) = (labelled(train, cases.0), labelled(test, cases.1));
    let classifier = Classifier::learn(train, classes, options.l2, options.steps)?;
    let (train, test) = (classifier.error(train), classifier.error(test));
    Ok(Errors { train, test, seconds: start.elapsed().as_secs_f64() })
}
