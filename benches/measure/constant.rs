//! Whether comparing a secret tells where a wrong one differs (THR-17): Welch's t over the times of two kinds of wrong ones, in
//! random order, as dudect has it ("dude, is my code constant time?", 2017). Below 5 there is nothing to see.

use std::hint::black_box;
use std::time::Instant;

use passgate::domain::{TokenHash, random};
use serde_json::{Value, json};

/// Comparisons a sample, as one is shorter than the clock's step.
const TIMES: usize = 32;
/// What takes longer than so many of all samples was interrupted.
const KEPT: f64 = 0.9;

/// Of each comparison of secrets, and of one that ends at the first difference, which shows that a difference would be seen.
pub(crate) fn measure(samples: usize) -> Value {
    let hash = TokenHash(random());
    let (mut first, mut last) = (hash, hash);
    first.0[0] ^= 1;
    last.0[31] ^= 1;
    let texts = [first.to_text(), last.to_text()];
    let (own, hashes) = (hash.to_text(), [first, last]);
    json!({
        "a form's value": t(samples, |kind| black_box(&hash).matches_text(black_box(&texts[kind]))),
        "a token's hash": t(samples, |kind| *black_box(&hash) == *black_box(&hashes[kind])),
        "to the first difference": t(samples, |kind| {
            let mut pairs = black_box(&own).bytes().zip(black_box(&texts[kind]).bytes());
            pairs.all(|(one, other)| black_box(one) == other)
        }),
    })
}

fn t(samples: usize, is_right: impl Fn(usize) -> bool) -> f64 {
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..samples {
        let kind = usize::from(random::<1>()[0] & 1);
        let begun = Instant::now();
        for _ in 0..TIMES {
            black_box(is_right(black_box(kind)));
        }
        times[kind].push(begun.elapsed().as_nanos() as f64);
    }
    let mut all: Vec<f64> = times.iter().flatten().copied().collect();
    all.sort_by(f64::total_cmp);
    let most = all[(all.len() as f64 * KEPT) as usize];
    let [one, other] =
        times.map(|times| Moments::of(times.into_iter().filter(|time| *time <= most).collect()));
    (one.mean - other.mean) / (one.variance / one.count + other.variance / other.count).sqrt()
}

struct Moments {
    count: f64,
    mean: f64,
    variance: f64,
}

impl Moments {
    fn of(times: Vec<f64>) -> Self {
        let count = times.len() as f64;
        let mean = times.iter().sum::<f64>() / count;
        let variance = times.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / (count - 1.0);
        Self { count, mean, variance }
    }
}
