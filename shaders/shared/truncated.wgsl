
// The standard normal distribution above a bound z, as in src/units/truncated.rs, where the polynomials' coefficients are.

const HALF_LOG_TWO_PI = 0.9189385332;
const SQRT_HALF_PI_INVERSE = 0.3989422804; // 1/√2π

struct Tail {
    // log(Q(z)/φ(z)): of the Mills ratio.
    log_mills: f32,
    // ⟨x − z⟩ and ⟨(x − z)²⟩ for x > z.
    excess: f32,
    square: f32,
}

// Q(a)/φ(a), a ≥ 0.
fn mills(a: f32) -> f32 {
    return mills_polynomial((a - 4.0) / (a + 4.0)) / (a + 3.0);
}

fn normal_density(a: f32) -> f32 {
    return SQRT_HALF_PI_INVERSE * exp(-min(0.5 * a * a, 87.0));
}

fn tail_above(z: f32) -> Tail {
    let a = abs(z);
    if z >= 0.0 {
        let t = (a - 4.0) / (a + 4.0);
        let width = a + 2.5;
        return Tail(log(mills(a)), excess_polynomial(t) / width, square_polynomial(t) / width / width);
    }
    let density = normal_density(a);
    let upper = 1.0 - density * mills(a);
    let excess = density / upper + a;
    return Tail(log(upper) + 0.5 * a * a + HALF_LOG_TWO_PI, excess, 1.0 + a * excess);
}

// What is below and above the middle of the range that a uniform number stands for.
fn below(u: f32) -> f32 {
    return u + 0x1p-25;
}

fn above(u: f32) -> f32 {
    return (1.0 - u) - 0x1p-25;
}

// Φ⁻¹(p), given both p and 1 − p: Giles 2010, "Approximating the erfinv function", in single precision.
fn normal_quantile(p: f32, rest: f32) -> f32 {
    let w = -log(4.0 * p * rest);
    return 1.41421356 * (p - rest) * select(erfinv_far(sqrt(max(w, 0.0)) - 3.0), erfinv_near(w - 2.5), w < 5.0);
}

// y ≥ 0 with Q(z + y) = share·Q(z), for z ≥ −1. Newton's method on log Q, which is concave, from a bound above.
fn quantile_above(z: f32, share: f32) -> f32 {
    let start = tail_above(z);
    let fall = -log(min(share, 1.0));
    let root = sqrt(z * z + 2.0 * fall);
    var y = root - z;
    if z >= 0.0 {
        y = 2.0 * fall / max(z + root, 0x1p-100);
    }
    for (var step = 0u; step < NEWTON_STEPS; step++) {
        let now = tail_above(z + y);
        let gone = now.log_mills - start.log_mills - y * (z + 0.5 * y);
        y = max(y + (gone + fall) / (now.excess + z + y), 0.0);
    }
    return y;
}

// A draw of s ≥ 0 from the density ∝ e^(xs − γs²/2): `share` of it lies above s, `rest` = 1 − share below.
fn rectified_draw(x: f32, gamma: f32, share: f32, rest: f32) -> f32 {
    let z = -x / sqrt(gamma);
    var y: f32;
    if z > -1.0 {
        y = quantile_above(z, share);
    } else {
        // Hardly anything is cut off: from the whole distribution.
        let cut = normal_density(-z) * mills(-z);
        y = normal_quantile(max(cut + rest * (1.0 - cut), 0x1p-126), share * (1.0 - cut)) - z;
    }
    return max(y, 0.0) / sqrt(gamma);
}
