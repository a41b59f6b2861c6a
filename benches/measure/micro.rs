//! Single steps of a request, by criterion, each with a budget in nanoseconds. `tests/allocations.rs` has the budgets of their
//! allocations, which hold on any machine and are a test.

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use criterion::{BatchSize, Criterion};
use serde_json::{Value, json};

use crate::hot::Hot;

/// Name and budget.
const BUDGETS: [(&str, f64); 6] = [
    ("decide", 100.0),
    ("session check", 250.0),
    ("path, as most are", 60.0),
    ("path, an odd one", 500.0),
    ("cookie", 400.0),
    ("header sanitiser", 1_500.0),
];

/// Nanoseconds of each step beside its budget. Criterion keeps what it found in the folder, and tells how it compares with the
/// last time.
pub(crate) fn measure(folder: &Path, length: Duration) -> Value {
    let hot = Hot::new();
    let (permit, request) = (hot.permit(), hot.request());
    let resamples = if length < Duration::from_secs(1) { 1_001 } else { 100_000 };
    let mut criterion = Criterion::default()
        .output_directory(folder)
        .nresamples(resamples)
        .warm_up_time(length / 3)
        .measurement_time(length)
        .without_plots();
    criterion.bench_function("decide", |bencher| bencher.iter(|| black_box(hot.decide())));
    criterion.bench_function("session check", |bencher| bencher.iter(|| black_box(hot.check())));
    criterion.bench_function("path, as most are", |bencher| bencher.iter(|| black_box(hot.canonical())));
    criterion.bench_function("path, an odd one", |bencher| bencher.iter(|| black_box(hot.canonical_odd())));
    criterion.bench_function("cookie", |bencher| bencher.iter(|| black_box(hot.read_cookie())));
    criterion.bench_function("header sanitiser", |bencher| {
        let fresh = || request.clone();
        bencher.iter_batched_ref(fresh, |request| hot.sanitise(request, &permit), BatchSize::SmallInput);
    });
    criterion.final_summary();
    BUDGETS.iter().map(|(name, budget)| result(folder, name, *budget)).collect()
}

fn result(folder: &Path, name: &str, budget: f64) -> Value {
    let file = folder.join(name).join("new/estimates.json");
    let found: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    json!({ "step": name, "ns": found["median"]["point_estimate"], "budget_ns": budget })
}
