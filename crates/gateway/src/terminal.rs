//! What the program says to whoever started it.

/// A line on standard output, for people and scripts.
#[expect(clippy::print_stdout, reason = "this is what the command line answers")]
pub(crate) fn say(line: &str) {
    println!("{line}");
}

#[expect(clippy::print_stderr, reason = "this is how the command line fails")]
pub(crate) fn complain(line: &str) {
    eprintln!("sportello: {line}");
}
