//! Malware is looked for by ClamAV's daemon, over its socket (`INSTREAM`, clamd(8)).

use std::{fmt, path::PathBuf, str::FromStr, time::Duration};

use documents::ports::{Content, ScanFailure, Scanner, Verdict};
use futures_util::{StreamExt, future::BoxFuture};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpStream, UnixStream},
    time::timeout,
};

/// The longest answer that is read, in bytes.
const LONGEST_ANSWER: u64 = 1000;

/// How long a connection to it may take: it is near, or not there.
const CONNECTED_WITHIN: Duration = Duration::from_secs(5);

/// What its names begin with for what it did not look through, since it is too large or too deep for its settings. With
/// `AlertExceedsMax` it tells; that is no malware, and no reason to delete anything.
const LIMITS: &str = "Heuristics.Limits.Exceeded";

/// Where the daemon listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClamdAddress {
    /// `unix:/run/clamav/clamd.ctl`.
    Unix(PathBuf),
    /// `tcp:127.0.0.1:3310`. It is spoken to in the clear: on this machine, or in a network that is the Comune's own.
    Tcp(String),
}

impl FromStr for ClamdAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("unix", path)) if path.starts_with('/') => Ok(Self::Unix(PathBuf::from(path))),
            Some(("tcp", address)) if address.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()) => {
                Ok(Self::Tcp(address.to_owned()))
            }
            _ => Err("unix:/PATH or tcp:HOST:PORT".to_owned()),
        }
    }
}

impl fmt::Display for ClamdAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp(address) => write!(f, "tcp:{address}"),
        }
    }
}

/// ClamAV's daemon.
#[derive(Debug)]
pub struct Clamd {
    address: ClamdAddress,
    time_out: Duration,
}

impl Clamd {
    /// Nothing is asked of it yet. `time_out` is for a whole file.
    pub const fn new(address: ClamdAddress, time_out: Duration) -> Self {
        Self { address, time_out }
    }

    async fn ask(&self, content: Content) -> Result<Verdict, ScanFailure> {
        match &self.address {
            ClamdAddress::Unix(path) => asked(connected(UnixStream::connect(path)).await?, content).await,
            ClamdAddress::Tcp(address) => asked(connected(TcpStream::connect(address)).await?, content).await,
        }
    }
}

async fn connected<S>(connecting: impl Future<Output = std::io::Result<S>>) -> Result<S, ScanFailure> {
    let late = |_elapsed| ScanFailure::Unreachable("there was no connection within five seconds".to_owned());
    timeout(CONNECTED_WITHIN, connecting).await.map_err(late)?.map_err(broken)
}

impl Scanner for Clamd {
    fn scan(&self, content: Content) -> BoxFuture<'_, Result<Verdict, ScanFailure>> {
        Box::pin(async move { timeout(self.time_out, self.ask(content)).await.unwrap_or(Err(ScanFailure::TimedOut)) })
    }
}

async fn asked(daemon: impl AsyncRead + AsyncWrite + Unpin, mut content: Content) -> Result<Verdict, ScanFailure> {
    let (reading, mut writing) = tokio::io::split(daemon);
    // It may answer, and hang up, while it is still being sent to: then the answer says why.
    let sending = async {
        writing.write_all(b"zINSTREAM\0").await.map_err(broken)?;
        while let Some(piece) = content.next().await {
            let piece = piece.map_err(broken)?;
            let length =
                u32::try_from(piece.len()).map_err(|_long| ScanFailure::Refused("a piece is too long".to_owned()))?;
            if length > 0 {
                writing.write_all(&length.to_be_bytes()).await.map_err(broken)?;
                writing.write_all(&piece).await.map_err(broken)?;
            }
        }
        writing.write_all(&0_u32.to_be_bytes()).await.map_err(broken)?;
        writing.flush().await.map_err(broken)
    };
    let sent = sending.await;
    let mut answer = Vec::new();
    let read = reading.take(LONGEST_ANSWER).read_to_end(&mut answer).await;
    if answer.is_empty() {
        return Err(sent
            .err()
            .or(read.map_err(broken).err())
            .unwrap_or_else(|| ScanFailure::Refused("it hung up without an answer".to_owned())));
    }
    verdict(&String::from_utf8_lossy(&answer), sent)
}

/// What an answer says. A file that was not sent to its end is not clean.
fn verdict(answer: &str, sent: Result<(), ScanFailure>) -> Result<Verdict, ScanFailure> {
    let answer = answer.trim_end_matches('\0').trim();
    let told = answer.strip_prefix("stream:").unwrap_or(answer).trim();
    if let Some(name) = told.strip_suffix(" FOUND") {
        let name = name.trim();
        if name.starts_with(LIMITS) {
            return Err(ScanFailure::Refused(name.chars().take(200).collect()));
        }
        return Ok(Verdict::Infected(name.to_owned()));
    }
    if told == "OK" {
        return sent.map(|()| Verdict::Clean);
    }
    Err(ScanFailure::Refused(told.chars().take(200).collect()))
}

#[expect(clippy::needless_pass_by_value, reason = "the form map_err wants")]
fn broken(error: std::io::Error) -> ScanFailure {
    ScanFailure::Unreachable(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_understood_or_is_no_verdict() {
        let read = |answer: &str| verdict(answer, Ok(()));
        assert_eq!(read("stream: OK\0"), Ok(Verdict::Clean));
        assert_eq!(
            read("stream: Eicar-Test-Signature FOUND\0"),
            Ok(Verdict::Infected("Eicar-Test-Signature".to_owned()))
        );
        for answer in [
            "INSTREAM size limit exceeded. ERROR\0",
            "stream: Heuristics.Limits.Exceeded FOUND\0",
            "stream: Heuristics.Limits.Exceeded.MaxFileSize FOUND\0",
            "stream: NOT OK\0",
            "OK then",
            "UNKNOWN COMMAND\0",
        ] {
            assert!(matches!(read(answer), Err(ScanFailure::Refused(_))), "{answer}");
        }
        let half = || Err(ScanFailure::TimedOut);
        assert_eq!(verdict("stream: OK\0", half()), Err(ScanFailure::TimedOut));
        assert!(verdict("stream: X FOUND\0", half()).is_ok());
    }

    #[test]
    fn an_address_is_a_socket_or_a_port() {
        for good in ["unix:/run/clamav/clamd.ctl", "tcp:127.0.0.1:3310", "tcp:[::1]:3310"] {
            assert_eq!(good.parse::<ClamdAddress>().map(|address| address.to_string()), Ok(good.to_owned()));
        }
        for bad in ["", "unix:relative", "tcp:127.0.0.1", "127.0.0.1:3310", "tcp:host:99999"] {
            assert!(bad.parse::<ClamdAddress>().is_err(), "{bad}");
        }
    }
}
