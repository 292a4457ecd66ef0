//! How fast it is: `cargo run --release -p tests --bin bench`.
//!
//! Real servers on both databases, with a thousand and with a million appointments, each measured in turn and
//! beside what it is compared with, in rounds, so that whatever else the machine does falls on all of them alike.
//! `docs/performance.md` says what the figures mean.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::as_conversions,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for the terminal: a surprise stops it with its place, and its figures are far from any limit"
)]

mod bulk;
mod client;
mod host;
mod load;
mod people;
mod report;
mod round;

use std::path::PathBuf;

use clap::Parser;

/// Measures Sportello on SQLite and PostgreSQL.
#[derive(Debug, Parser)]
#[command(name = "bench")]
struct Arguments {
    /// About a minute: fewer appointments, shorter and fewer rounds.
    #[arg(long)]
    quick: bool,
    /// How many appointments the small database has.
    #[arg(long, default_value_t = 1_000)]
    small: usize,
    /// How many appointments the large database has; a million unless --quick.
    #[arg(long)]
    large: Option<usize>,
    /// How many rounds.
    #[arg(long)]
    rounds: Option<usize>,
    /// Seconds for each figure in each round.
    #[arg(long)]
    seconds: Option<f64>,
    /// Clients that ask at the same time.
    #[arg(long, default_value_t = 32)]
    clients: usize,
    /// One database only: sqlite or postgres.
    #[arg(long)]
    only: Option<String>,
    /// Write the figures into docs/performance.md, and the plot and the data beside it.
    #[arg(long)]
    docs: bool,
    /// Where the data and the plot are written.
    #[arg(long, default_value = "target/bench")]
    output: PathBuf,
    /// The process that is measured, started by the one that measures.
    #[arg(long, hide = true)]
    host: Option<String>,
}

fn main() {
    let arguments = Arguments::parse();
    if let Some(task) = &arguments.host {
        let task = serde_json::from_str(task).expect("a task");
        return actix_web::rt::System::new().block_on(host::serve(task));
    }
    if cfg!(debug_assertions) {
        eprintln!("This is a debug build: its figures say nothing. Use cargo run --release -p tests --bin bench");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let report = runtime.block_on(round::measure(&round::Plan {
        small: arguments.small,
        large: arguments.large.unwrap_or(if arguments.quick { 100_000 } else { 1_000_000 }),
        rounds: arguments.rounds.unwrap_or(if arguments.quick { 2 } else { 3 }),
        seconds: arguments.seconds.unwrap_or(if arguments.quick { 0.5 } else { 1.5 }),
        clients: arguments.clients,
        only: arguments.only,
    }));
    println!("{}", report.table());
    report.write(&arguments.output, arguments.docs);
}
