//! The command line: what it does, what it refuses, and what it says of either.

mod demo;
mod doctor;
mod keys;
mod migrations;
mod privacy;
mod secret;
mod settings;
mod users;

use std::process::Output;

/// How a command ended and what it said.
#[derive(Debug)]
struct Ran {
    code: i32,
    said: String,
    complained: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("text");
        let code = output.status.code().expect("it ended by itself");
        Self { code, said: text(output.stdout), complained: text(output.stderr) }
    }
}

impl Ran {
    /// Runs the binary without a server's settings: a command and its flags.
    fn of(command: &[&str], flags: &[&str], environment: &[(&str, &str)]) -> Self {
        let arguments = [command, flags].concat();
        tests::server::sportello(&arguments).envs(environment.iter().copied()).output().expect("the binary").into()
    }

    /// Demands that it went well: what it said.
    #[track_caller]
    fn well(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.said
    }

    /// Demands that it was refused by the program, in so many words: what it complained of.
    #[track_caller]
    fn refused(self, words: &[&str]) -> String {
        self.failed(1, words)
    }

    /// Demands that it was refused by the command line itself.
    #[track_caller]
    fn misused(self, words: &[&str]) -> String {
        self.failed(2, words)
    }

    #[track_caller]
    fn failed(self, code: i32, words: &[&str]) -> String {
        assert_eq!(self.code, code, "{self:?}");
        for word in words {
            assert!(self.complained.contains(word), "nothing about {word}: {self:?}");
        }
        for panic in ["panicked", "RUST_BACKTRACE", "internal-error"] {
            assert!(!self.complained.contains(panic), "{self:?}");
        }
        self.complained
    }
}
