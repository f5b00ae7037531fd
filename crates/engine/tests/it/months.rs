//! Months of a pool in simulated time, from a seed: people come and go by day and week, the provider sells out, loses
//! answers and is slow, logins fail, processes end. A guard looks at each write when it is sent, an observer compares the
//! account with the rows every half hour, and in the end it is told what was paid, whom it served, and what the same demand
//! costs where each environment buys its own VM.
//!
//! `ALFRED_MONTHS_SEEDS=500` runs more seeds, `ALFRED_MONTHS_FIRST=17` begins at another, `ALFRED_MONTHS_DAYS=30` makes them
//! shorter.

mod bill;
mod demand;
mod guard;
mod observer;
mod run;
mod weather;

use std::panic::AssertUnwindSafe;

use bill::Bill;
use run::{Months, Run};

/// Few enough for a debug build to take seconds.
const SEEDS: u64 = 2;

/// Long enough for contracts to renew, to be let lapse, and to end.
const DAYS: u64 = 110;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn run(seed: u64, days: u64) -> Months {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime can be made");
    runtime.block_on(async move { Run::new(seed, days).play().await })
}

#[test]
fn no_vm_is_lost_wasted_or_given_to_two_in_months() {
    let (first, count) = (setting("ALFRED_MONTHS_FIRST", 1), setting("ALFRED_MONTHS_SEEDS", SEEDS));
    let days = setting("ALFRED_MONTHS_DAYS", DAYS);
    let (mut pool, mut each, mut failed, mut again, mut cancelled) =
        (Bill::default(), Bill::default(), Vec::new(), 0, 0);
    for seed in first..first + count {
        let Ok(months) = std::panic::catch_unwind(AssertUnwindSafe(|| run(seed, days))) else {
            println!(
                "seed {seed} failed; again: ALFRED_MONTHS_FIRST={seed} ALFRED_MONTHS_SEEDS=1 cargo test -p alfred-engine \
                 --test it months::no_vm"
            );
            failed.push(seed);
            continue;
        };
        println!(
            "seed {seed}: {}, {} crashes, {} orders, {} cancelled, {} served by cancelled VMs, {} asked\n  pool: {}\n  each: {}",
            months.rule,
            months.crashes,
            months.orders,
            months.cancelled,
            months.served_by_cancelled,
            months.asked,
            months.pool,
            months.each
        );
        pool += &months.pool;
        each += &months.each;
        again += months.served_by_cancelled;
        cancelled += months.cancelled;
    }
    println!("months: {count} seeds of {days} days\n  pool: {pool}\n  each: {each}");
    assert!(failed.is_empty(), "failed seeds: {failed:?}");
    assert!(pool.idle() < each.idle(), "a pool must waste less than buying for each: {pool}; {each}");
    if days >= DAYS && count >= SEEDS {
        assert!(cancelled > 0 && again > 0, "VMs were cancelled and used until their end: {cancelled}, {again}");
    }
}

#[test]
fn a_seed_repeats_its_months() {
    assert_eq!(run(5, 12), run(5, 12));
    assert_ne!(run(5, 12), run(6, 12), "another seed is another run");
}
