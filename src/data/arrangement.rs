//! What the dimensions of an array of cases mean: which is the cases', which are an image's, and which is the colours'.

use super::{ImageSize, npy::Array, numbers::Values};

/// Images whose last dimension is the cases are at least this high.
const LEAST_SIDE: usize = 4;
/// Parts in ten thousand of red, green and blue in a grey level (ITU-R BT.709), as in images of a folder.
const LUMINANCE: [u32; 3] = [2126, 7152, 722];

/// Where the colours of a pixel are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Channels {
    None,
    /// Before height and width.
    First,
    /// After height and width.
    Last,
}

/// What the dimensions of an array mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrangement {
    /// Whether the cases are the last dimension instead of the first.
    cases_last: bool,
    channels: Channels,
    /// Three, or one.
    colours: usize,
    /// The number of values, or height and width.
    case: Vec<usize>,
    /// How it was read, if that is not plain.
    pub note: Option<String>,
}

impl Arrangement {
    /// Of an array of this shape; `labels` is the number of labels beside it. The first dimension is the cases', unless the
    /// labels say otherwise, or the others are no square images while the first two are.
    ///
    /// # Errors
    /// What was expected and found, and how to convert it.
    pub fn of(shape: &[usize], labels: Option<usize>) -> Result<Self, String> {
        let plain = |case: &[usize]| Self {
            cases_last: false,
            channels: Channels::None,
            colours: 1,
            case: case.to_vec(),
            note: None,
        };
        let last = |arrangement: Self, cases: usize, why: &str| Self {
            cases_last: true,
            note: Some(format!("{cases} cases, the last dimension of shape {shape:?}: {why}")),
            ..arrangement
        };
        let coloured = |case: [usize; 2], channels| Self {
            channels,
            colours: 3,
            note: Some("colours are read as grey, by luminance (0.2126 R + 0.7152 G + 0.0722 B)".into()),
            ..plain(&case)
        };
        let as_labels = "there are as many labels";
        let is_square = |a: usize, b: usize, cases: usize| a == b && a >= LEAST_SIDE && cases > a;
        let squares = "the first two are square images";
        Ok(match *shape {
            [a, b] if labels == Some(b) && a != b => last(plain(&[a]), b, as_labels),
            [a, b] => {
                let ImageSize(height, _) = ImageSize::guess(a);
                let note = (height >= 8 && b > 4 * a && labels.is_none()).then(|| {
                    format!(
                        "{a} cases of {b} values; if each column is a case, transpose it: np.save(\"new.npy\", a.T)"
                    )
                });
                Self { note, ..plain(&[b]) }
            }
            [a, b, c] if labels == Some(c) && a != c => last(plain(&[a, b]), c, as_labels),
            [a, b, c] if labels != Some(a) && is_square(a, b, c) => last(plain(&[a, b]), c, squares),
            [_, height, width] | [_, height, width, 1] | [_, 1, height, width] => plain(&[height, width]),
            [_, height, width, 3] => coloured([height, width], Channels::Last),
            [_, 3, height, width] => coloured([height, width], Channels::First),
            [a, b, 1, cases] if is_square(a, b, cases) => last(plain(&[a, b]), cases, squares),
            [a, b, 3, cases] if is_square(a, b, cases) => {
                let coloured = coloured([a, b], Channels::Last);
                let grey = coloured.note.clone().unwrap_or_default();
                let last = last(coloured, cases, squares);
                Self { note: last.note.map(|note| format!("{note}; {grey}")), ..last }
            }
            _ => {
                let convert = match shape.len() {
                    0 | 1 => "a.reshape(cases, -1)",
                    _ => "a.reshape(len(a), -1)",
                };
                return Err(format!(
                    "expected cases × values, cases × height × width, or either with 1 or 3 colours, found an array of shape \
                     {shape:?}; give it the cases as rows: np.save(\"new.npy\", {convert})"
                ));
            }
        })
    }

    /// The number of cases and the shape of one, if an array of this shape is arranged like this.
    pub fn cases(&self, shape: &[usize]) -> Option<(usize, Vec<usize>)> {
        let (&cases, case) = match self.cases_last {
            false => shape.split_first()?,
            true => shape.split_last()?,
        };
        let case = match (case, self.channels) {
            (&[height, width, colours], Channels::Last) | (&[colours, height, width], Channels::First) => {
                (colours == self.colours).then(|| vec![height, width])?
            }
            (_, Channels::First | Channels::Last) => return None,
            (&[height, width, 1] | &[1, height, width], Channels::None) => vec![height, width],
            (case, Channels::None) => case.to_vec(),
        };
        Some((cases, case))
    }

    /// Height and width of a case, if it has them.
    pub fn image(&self) -> Option<(usize, usize)> {
        match self.case[..] {
            [height, width] => Some((height, width)),
            _ => None,
        }
    }

    /// The number of values of a case.
    pub fn units(&self) -> usize {
        self.case.iter().product()
    }

    /// The values, case by case, as grey levels.
    pub fn arranged(&self, array: Array) -> Values {
        let pixels = self.units();
        let mut values = array.values;
        if self.cases_last {
            values = match values {
                Values::Bytes(bytes) => Values::Bytes(transposed(&bytes, pixels * self.colours)),
                Values::Floats(floats) => Values::Floats(transposed(&floats, pixels * self.colours)),
            };
        }
        if self.channels == Channels::None {
            return values;
        }
        let at = |pixel: usize| match self.channels {
            Channels::First => [pixel, pixel + pixels, pixel + 2 * pixels],
            _ => [3 * pixel, 3 * pixel + 1, 3 * pixel + 2],
        };
        let each = pixels * self.colours;
        match values {
            // A grey level between 0 and 1 is no byte.
            Values::Bytes(bytes) if bytes.iter().any(|&x| x > 1) => {
                let grey = |case: &[u8], pixel| {
                    let sum: u32 =
                        at(pixel).iter().zip(LUMINANCE).map(|(&at, part)| u32::from(case[at]) * part).sum();
                    (sum / 10_000) as u8
                };
                let cases = bytes.chunks(each.max(1));
                Values::Bytes(
                    cases.flat_map(|case| (0..pixels).map(move |pixel| grey(case, pixel))).collect(),
                )
            }
            values => {
                let grey = |case: &[f32], pixel| {
                    let parts = at(pixel).into_iter().zip(LUMINANCE);
                    parts.map(|(at, part)| f64::from(case[at]) * f64::from(part) / 1e4).sum::<f64>() as f32
                };
                let floats = values.floats();
                let cases = floats.chunks(each.max(1));
                Values::Floats(
                    cases.flat_map(|case| (0..pixels).map(move |pixel| grey(case, pixel))).collect(),
                )
            }
        }
    }
}

/// Turns rows into columns.
fn transposed<T: Copy>(values: &[T], rows: usize) -> Vec<T> {
    let columns = values.len().checked_div(rows).unwrap_or(0);
    (0..columns).flat_map(|column| (0..rows).map(move |row| values[row * columns + column])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(shape: &[usize], labels: Option<usize>) -> (usize, Vec<usize>, String) {
        let arrangement = Arrangement::of(shape, labels).unwrap();
        let (cases, case) = arrangement.cases(shape).unwrap();
        assert_eq!(arrangement.case, case, "{shape:?}");
        (cases, case, arrangement.note.unwrap_or_default())
    }

    #[test]
    fn dimensions_are_told_apart() {
        for (shape, labels, cases, case, note) in [
            (&[9, 4][..], None, 9, &[4][..], ""),
            (&[9, 4], Some(4), 4, &[9], "4 cases, the last dimension"),
            (&[9, 4], Some(9), 9, &[4], ""),
            (&[784, 60000], None, 784, &[60000], "transpose it"),
            (&[784, 60000], Some(60000), 60000, &[784], "as many labels"),
            (&[100, 7, 5], None, 100, &[7, 5], ""),
            (&[28, 28, 100], None, 100, &[28, 28], "square images"),
            (&[28, 28, 100], Some(28), 28, &[28, 100], ""),
            (&[28, 28, 28], Some(28), 28, &[28, 28], ""),
            (&[28, 28, 10], None, 28, &[28, 10], ""),
            (&[20, 30, 10], Some(10), 10, &[20, 30], "as many labels"),
            (&[9, 5, 7, 1], None, 9, &[5, 7], ""),
            (&[9, 1, 5, 7], None, 9, &[5, 7], ""),
            (&[9, 5, 7, 3], None, 9, &[5, 7], "luminance"),
            (&[9, 3, 5, 7], None, 9, &[5, 7], "luminance"),
            (&[8, 8, 3, 90], None, 90, &[8, 8], "luminance"),
            (&[8, 8, 1, 90], None, 90, &[8, 8], "square images"),
        ] {
            let (found_cases, found, said) = read(shape, labels);
            assert_eq!((found_cases, &found[..]), (cases, case), "{shape:?} {labels:?}");
            assert!(if note.is_empty() { said.is_empty() } else { said.contains(note) }, "{shape:?}: {said}");
        }
        for shape in [&[][..], &[9], &[9, 5, 7, 4], &[2, 2, 2, 2, 2]] {
            assert!(Arrangement::of(shape, None).unwrap_err().contains("np.save"), "{shape:?}");
        }
        let odd = Arrangement::of(&[9, 5, 7, 3], None).unwrap();
        assert_eq!((odd.cases(&[9, 5, 7]), odd.cases(&[9, 5, 7, 4])), (None, None));
    }

    #[test]
    fn values_follow_their_cases() {
        let of = |shape: &[usize], labels, values| {
            Arrangement::of(shape, labels).unwrap().arranged(Array { shape: shape.to_vec(), values })
        };
        let columns = of(&[3, 2], Some(2), Values::Floats(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]));
        assert_eq!(columns, Values::Floats(vec![1.0, 3.0, 5.0, 2.0, 4.0, 6.0]));
        let last = of(&[2, 2, 1, 3], None, Values::Bytes(vec![255, 0, 0, 0, 255, 0, 0, 0, 255, 10, 10, 10]));
        assert_eq!(last, Values::Bytes(vec![54, 182, 18, 10]));
        let first = of(&[1, 3, 1, 2], None, Values::Floats(vec![1.0, 0.0, 0.0, 0.5, 0.0, 0.0]));
        assert_eq!(first, Values::Floats(vec![0.2126, 0.3576]));
        // Bytes of 0 and 1.
        let bits = of(&[1, 1, 1, 3], None, Values::Bytes(vec![1, 1, 0]));
        assert_eq!(bits, Values::Bytes(vec![1, 1, 0]));
        let bits = of(&[1, 2, 1, 3], None, Values::Bytes(vec![1, 1, 0, 0, 0, 0]));
        assert_eq!(bits, Values::Floats(vec![0.9278, 0.0]));
    }
}
