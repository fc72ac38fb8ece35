//! Sequence logos (Schneider and Stephens 1990) and logos of weights, as SVG: at each site the letters above each other.

use super::svg;
use crate::{rbm::Rbm, units::Marginals};

/// The most hidden units in a picture, and the most sites in all of their logos.
const MOST_UNITS: usize = 20;
const MOST_SITES: usize = 800;
/// Sites in a line.
const LINE: usize = 60;
/// Width of a site, height of a line of letters, and of the text above it, in pixels.
const SITE: f32 = 14.0;
const HEIGHT: f32 = 72.0;
const HEAD: f32 = 20.0;
/// Room for the scale at the left, and below a line.
const LEFT: f32 = 44.0;
const BELOW: f32 = 16.0;
/// Height of a capital letter in ems, as in most fonts without serifs.
const CAPITAL: f32 = 0.72;
/// A lower letter is left out: it could not be seen.
const LEAST: f32 = 0.5;

/// Letters in groups, each with a colour that people tell apart who see few (Okabe and Ito 2008): amino acids by what they
/// are like, then nucleotides.
const AMINO_ACIDS: [(&str, &str); 5] =
    [("DE", "#d55e00"), ("KRH", "#0072b2"), ("STNQ", "#009e73"), ("GPC", "#cc79a7"), ("AVLIMFWY", "#333333")];
const NUCLEOTIDES: [(&str, &str); 4] =
    [("A", "#009e73"), ("C", "#0072b2"), ("G", "#e69f00"), ("TU", "#d55e00")];
const OTHER: &str = "#999999";

/// Letters with a height at each site: up if it is positive, down if it is negative.
struct Logo {
    title: String,
    /// Sites × letters.
    heights: Vec<f32>,
}

/// The weights of the hidden units with the largest ones, a logo each: the height of a letter is |W|, above the line if it is
/// positive, the largest outermost. All have one scale.
pub fn filters(rbm: &Rbm, letters: &str) -> String {
    let (hidden, states) = (rbm.shape().hidden, letters.chars().count());
    let mut norms = vec![0.0_f64; hidden];
    for row in rbm.weights().chunks(hidden) {
        norms.iter_mut().zip(row).for_each(|(norm, &w)| *norm += f64::from(w).powi(2));
    }
    let mut order: Vec<usize> = (0..hidden).collect();
    order.sort_by(|&one, &other| norms[other].total_cmp(&norms[one]));
    order.truncate(MOST_UNITS.min(MOST_SITES / (rbm.shape().visible / states).max(1)).max(1));
    let named = if rbm.layers().hidden.units() == hidden { "hidden unit" } else { "hidden column" };
    let logo = |&unit: &usize| Logo {
        title: format!("{named} {unit}"),
        heights: rbm.weights().iter().skip(unit).step_by(hidden).copied().collect(),
    };
    let logos: Vec<Logo> = order.iter().map(logo).collect();
    let sides = logos.iter().flat_map(|logo| logo.heights.chunks(states)).flat_map(|site| {
        [site.iter().map(|h| h.max(0.0)).sum::<f32>(), site.iter().map(|h| (-h).max(0.0)).sum::<f32>()]
    });
    let most = sides.fold(f32::MIN_POSITIVE, f32::max);
    draw(&logos, letters, (-most, most))
}

/// Sequence logos of some sets of cases, each with its title: the height of a site is log₂ q less its entropy, in bits, the
/// letters have shares of it by their frequencies, the most frequent on top.
pub fn frequencies(sets: &[(&str, &Marginals)], letters: &str) -> String {
    let states = letters.chars().count();
    let logos: Vec<Logo> = sets
        .iter()
        .map(|(title, marginals)| Logo {
            title: format!("{title}, bits"),
            heights: marginals.means.chunks(states).flat_map(information).collect(),
        })
        .collect();
    draw(&logos, letters, (0.0, (states as f32).log2()))
}

/// The heights of the letters of a site from their frequencies.
fn information(frequencies: &[f64]) -> Vec<f32> {
    let entropy: f64 = frequencies.iter().filter(|&&p| p > 0.0).map(|p| -p * p.log2()).sum();
    let bits = ((frequencies.len() as f64).log2() - entropy).max(0.0);
    frequencies.iter().map(|p| (p.max(0.0) * bits) as f32).collect()
}

/// Draws logos below each other, in lines of sites, on a scale between these heights.
fn draw(logos: &[Logo], letters: &str, (low, high): (f32, f32)) -> String {
    let letters: Vec<char> = letters.chars().collect();
    let is_nucleic =
        letters.iter().filter(|letter| letter.is_alphabetic()).all(|letter| "ACGTUN".contains(*letter));
    let sites = logos.first().map_or(0, |logo| logo.heights.len() / letters.len());
    let lines = sites.div_ceil(LINE);
    let line_height = HEIGHT + BELOW;
    let one = HEAD + lines as f32 * line_height;
    let mut drawing =
        svg::Drawing::new(LEFT + SITE * sites.clamp(8, LINE) as f32 + 8.0, one * logos.len() as f32);
    for (number, letter) in letters.iter().enumerate() {
        let color = color(*letter, is_nucleic);
        // A height of 1, down to a base line of 0.
        drawing.define(&match letter.is_ascii_uppercase() || letter.is_ascii_digit() {
            true => format!(
                "<text id=\"l{number}\" x=\".5\" textLength=\"{}\" lengthAdjust=\"spacingAndGlyphs\" font-size=\"{}\" \
                 font-weight=\"bold\" fill=\"{color}\">{letter}</text>",
                SITE - 1.0,
                1.0 / CAPITAL
            ),
            // Gaps and the like have no height of their own.
            false => format!(
                "<rect id=\"l{number}\" x=\"3\" y=\"-1\" width=\"{}\" height=\"1\" fill=\"{color}\"/>",
                SITE - 6.0
            ),
        });
    }
    let scale = HEIGHT / (high - low);
    for (number, logo) in logos.iter().enumerate() {
        let top = one * number as f32;
        drawing.text((LEFT, top + 14.0), svg::Anchor::Start, &logo.title);
        for line in 0..lines {
            let top = top + HEAD + line as f32 * line_height;
            let zero = top + high * scale;
            let some = line * LINE..sites.min((line + 1) * LINE);
            drawing.line((LEFT, zero), (LEFT + SITE * some.len() as f32, zero));
            drawing.line((LEFT, top), (LEFT, top + HEIGHT));
            for end in [low, high] {
                drawing.text((LEFT - 4.0, zero - end * scale + 4.0), svg::Anchor::End, &format!("{end:.2}"));
            }
            for (at, site) in some.enumerate() {
                let x = LEFT + SITE * at as f32;
                if site % 10 == 9 || site == 0 {
                    let number = (site + 1).to_string();
                    drawing.text((x + SITE / 2.0, top + HEIGHT + 12.0), svg::Anchor::Middle, &number);
                }
                for (letter, y, height) in stack(&logo.heights[site * letters.len()..][..letters.len()]) {
                    if height * scale >= LEAST {
                        drawing.stretched(letter, (x, zero - y * scale), height * scale);
                    }
                }
            }
        }
    }
    drawing.finish()
}

/// Where the letters of a site are drawn: each letter's number, the height of its foot above the line, and its own height.
/// Small ones are next to the line.
fn stack(heights: &[f32]) -> Vec<(usize, f32, f32)> {
    let mut order: Vec<usize> =
        (0..heights.len()).filter(|&at| heights[at].is_finite() && heights[at] != 0.0).collect();
    order.sort_by(|&one, &other| heights[one].abs().total_cmp(&heights[other].abs()));
    let (mut up, mut down) = (0.0, 0.0);
    let mut placed = Vec::new();
    for at in order {
        let height = heights[at];
        if height > 0.0 {
            placed.push((at, up, height));
            up += height;
        } else {
            down += height;
            placed.push((at, down, -height));
        }
    }
    placed
}

fn color(letter: char, is_nucleic: bool) -> &'static str {
    let groups = if is_nucleic { &NUCLEOTIDES[..] } else { &AMINO_ACIDS };
    groups.iter().find(|(group, _)| group.contains(letter)).map_or(OTHER, |(_, color)| color)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rbm::Layers;

    #[test]
    fn letters_are_stacked_by_their_heights() {
        assert_eq!(information(&[0.25; 4]), [0.0; 4]);
        assert_eq!(information(&[1.0, 0.0, 0.0, 0.0]), [2.0, 0.0, 0.0, 0.0]);
        // One bit of two is uncertain.
        assert_eq!(information(&[0.5, 0.5, 0.0, 0.0]), [0.5, 0.5, 0.0, 0.0]);
        assert_eq!(
            stack(&[2.0, -1.0, 0.5, -3.0, 0.0]),
            [(2, 0.0, 0.5), (1, -1.0, 1.0), (0, 0.5, 2.0), (3, -4.0, 3.0)],
            "the largest are outermost"
        );
    }

    #[test]
    fn a_logo_of_weights_fills_its_scale() {
        let layers = Layers { visible: "2 potts:3".parse().unwrap(), hidden: "2 binary".parse().unwrap() };
        let mut parameters = vec![0.0; 12 + 6 + 2];
        // Weights of the second unit: +3 and −1 at the first site, −2 at the second.
        (parameters[1], parameters[3], parameters[9]) = (3.0, -1.0, -2.0);
        let svg = filters(&Rbm::from_parameters(layers, parameters), "A-C");
        let placed: Vec<&str> = svg.lines().filter(|line| line.starts_with("<use")).collect();
        // The line is at 20 + 36; the scale is 12 pixels a unit.
        assert_eq!(
            placed,
            [
                "<use href=\"#l1\" transform=\"matrix(1 0 0 12 44 68)\"/>",
                "<use href=\"#l0\" transform=\"matrix(1 0 0 36 44 56)\"/>",
                "<use href=\"#l1\" transform=\"matrix(1 0 0 24 58 80)\"/>",
            ]
        );
        let title = svg.find("hidden unit 1").unwrap();
        assert!(title < svg.find("hidden unit 0").unwrap(), "the strongest first");
    }
}
