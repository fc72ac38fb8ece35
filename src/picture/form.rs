//! What the cases of a layer look like.

use crate::{
    data::Encoding,
    units::{Kind, Layer},
};

/// The form in which cases of a layer are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// An image of this height and width: a pixel for each unit.
    Image(usize, usize),
    /// Potts units: their number, and the number of states of each.
    Sites(usize, usize),
    /// Columns without a common meaning: their number.
    Columns(usize),
}

impl Form {
    /// The form of a layer whose units, one pixel each, would make an image of this height and width. Of units that are not
    /// binary, a line is no image.
    pub fn of(layer: &Layer, (height, width): (usize, usize)) -> Self {
        let columns = layer.columns();
        match layer.blocks() {
            [first, rest @ ..] if rest.iter().all(|block| block.kind == first.kind) => match first.kind {
                Kind::Potts { states } => Self::Sites(layer.units(), states as usize),
                Kind::Binary => Self::Image(height, width),
                _ if height > 1 && height * width == columns => Self::Image(height, width),
                _ => Self::Columns(columns),
            },
            // A layer without units is no picture, either.
            _ => Self::Columns(columns),
        }
    }

    /// Height and width of a picture that has a pixel for each column of the layer: sites are lines of states.
    pub fn tile(self) -> (usize, usize) {
        match self {
            Self::Image(height, width) => (height, width),
            Self::Sites(sites, states) => (sites, states),
            Self::Columns(columns) => (1, columns),
        }
    }

    /// Grey levels of states or means, row by row, for pictures of [`Form::tile`]: numbers by the range of `of`, shares as they
    /// are. `None` if the columns have no common scale.
    pub fn greys(self, encoding: &Encoding, states: &[f32], of: &[f32]) -> Option<Vec<f32>> {
        match self {
            Self::Sites(..) => Some(states.to_vec()),
            Self::Image(..) | Self::Columns(_) => encoding.greys(states, of),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_has_a_pixel_for_each_column() {
        for (kinds, image, form) in [
            ("12 binary", (3, 4), Form::Image(3, 4)),
            ("12 binary", (1, 12), Form::Image(1, 12)),
            ("12 spin", (3, 4), Form::Image(3, 4)),
            ("5 gaussian, 7 gaussian", (3, 4), Form::Image(3, 4)),
            ("7 gaussian", (1, 7), Form::Columns(7)),
            ("9 potts:4", (3, 3), Form::Sites(9, 4)),
            ("1 potts:4, 8 potts:3", (3, 3), Form::Columns(28)),
            ("4 binary, 3 potts:3, 2 gaussian", (3, 3), Form::Columns(15)),
        ] {
            let layer: Layer = kinds.parse().unwrap();
            assert_eq!(Form::of(&layer, image), form, "{kinds}");
            assert_eq!(form.tile().0 * form.tile().1, layer.columns(), "{kinds}");
        }
    }

    #[test]
    fn reconstructions_have_the_greys_of_their_cases() {
        let layer: Layer = "4 gaussian".parse().unwrap();
        let (means, deviations) = (vec![10.0; 4], vec![2.0; 4]);
        let encoding = Encoding { means, deviations, ..Encoding::new(layer) };
        let cases = [-1.0, 0.0, 0.5, 1.0];
        let form = Form::of(&encoding.layer, (2, 2));
        assert_eq!(form.greys(&encoding, &cases, &cases), Some(vec![0.0, 0.5, 0.75, 1.0]));
        assert_eq!(form.greys(&encoding, &[0.0, 0.0, 3.0, -3.0], &cases), Some(vec![0.5, 0.5, 1.0, 0.0]));
        let mixed = Encoding::new("1 binary, 3 gaussian".parse().unwrap());
        assert_eq!(Form::of(&mixed.layer, (2, 2)).greys(&mixed, &cases, &cases), None);
    }
}
