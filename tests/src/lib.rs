//! The harness: the real binary over HTTP, on a fresh SQLite file and on a fresh PostgreSQL database.
//!
//! * [`Server`]: one running `sportello`, seeded or empty, that can be killed and started again on the same data
//! * [`Client`] and [`Answer`]: what a test says to it and what it demands of the answer
//! * [`both_databases!`]: one test body, run on each database
//! * [`Counterpart`]: a program that is not ours at the other end of what the server says outside
//! * [`postgres`]: a throw-away cluster per test process; nothing to install but the server's binaries
//!
//! Everything a test process makes lies in one temporary folder and ends with the process, however it ends
//! (see [`reaper`]).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: a surprise here should stop the test, with its place"
)]

pub mod client;
pub mod counterparts;
pub mod postgres;
pub mod reaper;
mod seed;
pub mod server;
mod setup;

pub use client::{Answer, Client};
pub use counterparts::Counterpart;
pub use server::{Credentials, Server, seal, secret};
pub use setup::{Backend, Setup};

/// Runs test bodies on both databases: `both_databases!(status, booking);` makes, for each
/// `async fn status(server: Server)` of the module, the tests `status::sqlite` and `status::postgres`.
///
/// The server is [`Server::demo`]; another maker `fn(Backend) -> Server` goes before an arrow:
/// `both_databases!(with_short_holds => a_hold_expires);`.
///
/// The bodies stay ordinary functions, so `rustfmt` and editors see them, and one that is not listed here is
/// reported by the compiler as unused.
#[macro_export]
macro_rules! both_databases {
    ($($body:ident),+ $(,)?) => { $crate::both_databases!($crate::Server::demo => $($body),+); };
    ($maker:expr => $($body:ident),+ $(,)?) => {
        $(
            mod $body {
                #[allow(unused_imports, reason = "the maker is usually a path of the harness")]
                use super::*;

                #[tokio::test(flavor = "multi_thread")]
                async fn sqlite() {
                    super::$body(($maker)($crate::Backend::Sqlite)).await;
                }

                #[tokio::test(flavor = "multi_thread")]
                async fn postgres() {
                    if $crate::Backend::Postgres.available() {
                        super::$body(($maker)($crate::Backend::Postgres)).await;
                    }
                }
            }
        )+
    };
}

/// Today as the Comuni live it (Europe/Rome).
#[expect(clippy::disallowed_methods, reason = "the server under test runs by the machine's clock, so its tests do too")]
pub fn today() -> jiff::civil::Date {
    jiff::Timestamp::now().in_tz("Europe/Rome").expect("the zone is built in").date()
}

/// Whether this run rewrites the committed files that it would otherwise compare: `BLESS=1`.
#[expect(clippy::disallowed_methods, reason = "a switch of the test run, not a setting of the product")]
pub fn blessing() -> bool {
    std::env::var("BLESS").is_ok_and(|value| value == "1")
}

/// Whether this run makes the contract of the code the released one: `RELEASE=1`.
#[expect(clippy::disallowed_methods, reason = "a switch of the test run, not a setting of the product")]
pub fn releasing() -> bool {
    std::env::var("RELEASE").is_ok_and(|value| value == "1")
}

/// Tells the person at the terminal, also when the test runner swallows the output of tests that pass.
pub(crate) fn say(line: &str) {
    use std::io::Write;
    // Nobody to tell is no reason to fail.
    let _ = writeln!(std::io::stderr(), "{line}");
}
