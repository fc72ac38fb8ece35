//! Words in the names of columns, of keys, and before numbers: what is a cost, what should grow, what counts.

/// Names of costs; specific ones come first.
pub const COSTS: [&str; 25] = [
    "training_reconstruction_error",
    "reconstruction_error",
    "reconstruction error",
    "recon_error",
    "recon error",
    "cost",
    "loss",
    "error",
    "mse",
    "xent",
    "cross_entropy",
    "cross-entropy",
    "cross entropy",
    "err",
    "nll",
    "rmse",
    "mae",
    "bce",
    "objective",
    "perplexity",
    "score",
    "free_energy",
    "free-energy",
    "free energy",
    "energy",
];

/// Names of what should grow, used if no cost is found: scikit-learn prints a pseudo-likelihood.
pub const GAINS: [&str; 10] = [
    "pseudo-likelihood",
    "pseudo_likelihood",
    "pseudolikelihood",
    "log-likelihood",
    "likelihood",
    "loglik",
    "log-pl",
    "log_pl",
    "pll",
    "elbo",
];

/// Words that make a name one of a cost, or of what should grow.
const COST_WORDS: [&str; 20] = [
    "cost",
    "loss",
    "error",
    "err",
    "mse",
    "rmse",
    "mae",
    "bce",
    "xent",
    "nll",
    "entropy",
    "objective",
    "perplexity",
    "score",
    "energy",
    "likelihood",
    "pseudolikelihood",
    "loglik",
    "pll",
    "elbo",
];

/// Words that may stand beside them in a name: `train_loss`, `val/loss`, `loss_epoch`. `capital-loss` is no cost.
const BESIDE_COSTS: [&str; 43] = [
    "train",
    "training",
    "trn",
    "tr",
    "val",
    "valid",
    "validation",
    "test",
    "testing",
    "eval",
    "dev",
    "epoch",
    "step",
    "batch",
    "minibatch",
    "mean",
    "avg",
    "average",
    "total",
    "sum",
    "running",
    "smooth",
    "smoothed",
    "final",
    "reconstruction",
    "recon",
    "rec",
    "squared",
    "square",
    "root",
    "free",
    "cross",
    "binary",
    "categorical",
    "pseudo",
    "log",
    "neg",
    "negative",
    "model",
    "rbm",
    "layer",
    "per",
    "sample",
];

/// Words for a number that counts.
const COUNTERS: [&str; 18] = [
    "epoch",
    "epochs",
    "ep",
    "step",
    "steps",
    "iteration",
    "iterations",
    "iter",
    "iters",
    "it",
    "batch",
    "minibatch",
    "update",
    "updates",
    "round",
    "sweep",
    "layer",
    "rbm",
];

/// Words for what else stands in a log of training.
const MEASURES: [&str; 21] = [
    "acc",
    "accuracy",
    "lr",
    "learning",
    "rate",
    "time",
    "seconds",
    "second",
    "sec",
    "wall",
    "elapsed",
    "momentum",
    "auc",
    "precision",
    "recall",
    "samples",
    "duration",
    "timestamp",
    "index",
    "unnamed",
    "global",
];

/// The words of a name, in lower case: parted by signs, or where small letters are followed by a capital.
pub fn words(name: &str) -> Vec<String> {
    let (mut words, mut word, mut was_small) = (Vec::new(), String::new(), false);
    for letter in name.chars() {
        if !letter.is_alphanumeric() || was_small && letter.is_uppercase() {
            words.extend(Some(std::mem::take(&mut word)).filter(|word| !word.is_empty()));
        }
        if letter.is_alphanumeric() {
            word.extend(letter.to_lowercase());
        }
        was_small = letter.is_lowercase();
    }
    words.extend(Some(word).filter(|word| !word.is_empty()));
    words
}

fn is_number(word: &str) -> bool {
    word.chars().all(|letter| letter.is_ascii_digit())
}

/// Whether this is the name of a cost, or of what should grow, in whole words.
pub fn is_cost(name: &str) -> bool {
    let words = words(name);
    let is = |list: &[&str], word: &String| list.contains(&word.as_str());
    words.iter().any(|word| is(&COST_WORDS, word))
        && words.iter().all(|word| is(&COST_WORDS, word) || is(&BESIDE_COSTS, word) || is_number(word))
}

/// Whether a name has a cost's in it, as `capital-loss` and `glossary` have.
pub fn resembles_cost(name: &str) -> bool {
    let name = name.to_lowercase();
    ["cost", "loss", "error"].iter().any(|word| name.contains(word))
}

/// Whether a word stands before a number that counts.
pub fn is_counter(word: &str) -> bool {
    COUNTERS.contains(&word)
}

/// Whether this is the name of a column that counts epochs or steps.
pub fn counts(name: &str) -> bool {
    let words = words(name);
    words.iter().any(|word| is_counter(word))
        && words
            .iter()
            .all(|word| is_counter(word) || ["global", "train", "number", "n"].contains(&word.as_str()))
}

/// Whether a name is one that stands in logs only: of a cost, of a count, or of another measure of training.
pub fn is_of_training(name: &str) -> bool {
    let is_measure = |word: &String| {
        MEASURES.contains(&word.as_str()) || BESIDE_COSTS.contains(&word.as_str()) || is_number(word)
    };
    is_cost(name) || counts(name) || words(name).iter().all(is_measure)
}

/// Whether a name is of cases that are held out.
fn is_held_out(word: &str) -> bool {
    ["val", "valid", "validation", "test", "testing", "eval", "dev"].contains(&word)
}

/// Whether a name fits a key.
type Fits<'a> = dyn Fn(&str, &str) -> bool + 'a;

/// The name to take: exactly one of `keys`, else one that has its words, else one that contains it; earlier keys come first. Of
/// several, training comes before what is held out, and means of epochs before single steps. `counts` says how many numbers each
/// has.
pub fn choose(names: &[(String, usize)], keys: &[&str]) -> Option<usize> {
    let is_exact = |name: &str, key: &str| name.eq_ignore_ascii_case(key);
    let has_words = |name: &str, key: &str| {
        let (name, key) = (words(name), words(key));
        !key.is_empty() && name.windows(key.len()).any(|part| part == key)
    };
    let contains = |name: &str, key: &str| key.len() > 3 && name.to_lowercase().contains(&key.to_lowercase());
    let rank = |&(at, count): &(usize, usize)| {
        let words = words(&names[at].0);
        (
            count < 2,
            words.iter().any(|word| is_held_out(word)),
            words.last().is_some_and(|word| word == "step"),
            at,
        )
    };
    keys.iter().find_map(|key| {
        let ways: [&Fits; 3] = [&is_exact, &has_words, &contains];
        ways.iter().find_map(|fits| {
            let fitting = (0..names.len()).filter(|&at| names[at].1 > 0 && fits(&names[at].0, key));
            fitting.map(|at| (at, names[at].1)).min_by_key(rank).map(|(at, _)| at)
        })
    })
}
