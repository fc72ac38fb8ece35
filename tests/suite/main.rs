//! All tests in one program, as 23 programs take minutes to link. `cargo test kernels::` runs those of kernels.rs.

#[path = "../common/mod.rs"]
mod common;

mod alignments;
mod arrays;
mod cli;
mod dependencies;
mod doctor;
mod earlier;
mod exact;
mod examples;
mod exchange;
mod faults;
mod files;
mod gauge;
mod golden;
mod interruptions;
mod kernels;
mod levels;
mod likelihood;
mod logs;
mod memory;
mod missing;
mod outputs;
mod question;
mod report;
mod resume;
mod rng;
mod sampling;
mod scores;
mod shaders;
mod sparse;
mod stationary;
mod terminal;
mod training;
mod units;
