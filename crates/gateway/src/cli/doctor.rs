//! `sportello doctor`: what is wrong with an installation, and how to mend it.

use std::process::ExitCode;

use serde_json::json;

use crate::{
    config::Flags,
    doctor::{
        self,
        checks::{Finding, Level},
    },
    terminal::say,
};

/// Exit code 1 when there is a problem; a warning is none.
pub(super) async fn run(flags: &Flags, as_json: bool) -> ExitCode {
    let findings = doctor::examine(flags).await;
    let sound = findings.iter().all(|finding| finding.level != Level::Problem);
    if as_json {
        let told = json!({ "ok": sound, "findings": findings });
        say(&serde_json::to_string_pretty(&told).unwrap_or_default());
    } else {
        findings.iter().for_each(tell);
    }
    if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn tell(finding: &Finding) {
    let word = match finding.level {
        Level::Ok => "ok",
        Level::Warning => "warning",
        Level::Problem => "problem",
    };
    say(&format!("{word:8} {}: {}", finding.check, finding.found));
    if let Some(mend) = &finding.mend {
        say(&format!("         {mend}"));
    }
}
