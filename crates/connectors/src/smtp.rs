//! E-mail, handed to a mail server over SMTP.
//!
//! TLS is rustls with AWS-LC; certificates are checked as for every other connection (see [`jwks`](crate::jwks)). Each
//! e-mail has a connection of its own: they are seconds apart, and one that a server has closed meanwhile would be a
//! failure nobody wants.

use std::time::Duration;

use futures_util::future::BoxFuture;
use lettre::{
    Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{
        Attachment as Part, Mailbox, MultiPart,
        header::{ContentType, HeaderName, HeaderValue},
    },
    transport::smtp::{
        authentication::Credentials,
        client::{Tls, TlsParameters},
    },
};
use platform::ports::{Email, MailDenied, Mailer};

use crate::outgoing::{chain, is_this_machine};

/// How a mail server is reached.
#[derive(Clone)]
pub struct SmtpServer {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether the connection is encrypted, and from when on.
    pub security: Security,
    /// Allow an unencrypted connection to another machine.
    pub allow_cleartext: bool,
    /// User and password, where it wants them.
    pub credentials: Option<(String, String)>,
    /// The address that everything is sent from.
    pub from: String,
    /// How long one e-mail may take, from connecting to the server's last word.
    pub time_out: Duration,
}

// It holds a password.
impl std::fmt::Debug for SmtpServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SmtpServer").field("port", &self.port).field("security", &self.security).finish_non_exhaustive()
    }
}

/// Whether a connection is encrypted, and from when on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// Never.
    None,
    /// From the command STARTTLS on; a server that does not offer it is not spoken to (RFC 3207).
    StartTls,
    /// From the first byte (RFC 8314).
    Implicit,
}

/// Why no e-mail can be sent with these settings.
#[derive(Debug, thiserror::Error)]
pub enum SmtpError {
    /// The sender is no address.
    #[error("`from` is not an e-mail address")]
    From,
    /// Passwords and personal data would be readable on the way.
    #[error("without TLS only this machine may be spoken to: set tls, or allow_cleartext")]
    Cleartext,
    /// TLS cannot be set up.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}

/// Sends e-mail through one mail server.
#[derive(Debug)]
pub struct SmtpMailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Address,
    time_out: Duration,
}

impl SmtpMailer {
    /// A connector; nothing is connected yet.
    ///
    /// # Errors
    ///
    /// Settings that cannot be meant.
    pub fn new(server: SmtpServer) -> Result<Self, SmtpError> {
        crate::install_crypto_provider();
        let from: Address = server.from.parse().map_err(|_no_address| SmtpError::From)?;
        if server.security == Security::None && !server.allow_cleartext && !is_this_machine(&server.host) {
            return Err(SmtpError::Cleartext);
        }
        let tls = match server.security {
            Security::None => Tls::None,
            Security::StartTls => Tls::Required(parameters(&server.host)?),
            Security::Implicit => Tls::Wrapper(parameters(&server.host)?),
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(server.host)
            .port(server.port)
            .tls(tls)
            .timeout(Some(server.time_out));
        if let Some((user, password)) = server.credentials {
            builder = builder.credentials(Credentials::new(user, password));
        }
        Ok(Self { transport: builder.build(), from, time_out: server.time_out })
    }

    async fn hand_over(&self, email: &Email) -> Result<(), MailDenied> {
        let message = self.message(email)?;
        let sending = self.transport.send(message);
        match tokio::time::timeout(self.time_out, sending).await {
            Err(_elapsed) => Err(MailDenied::Temporary("smtp-timeout".to_owned())),
            Ok(Ok(_response)) => Ok(()),
            Ok(Err(error)) => Err(denial(&error)),
        }
    }

    fn message(&self, email: &Email) -> Result<Message, MailDenied> {
        let never = |what: &str| MailDenied::Permanent(what.to_owned());
        let address = |text: &str| text.parse::<Address>().map_err(|_no_address| never("bad-address"));
        let mailbox = |name: &str, address| Mailbox::new(Some(line(name)).filter(|name| !name.is_empty()), address);
        let host = self.from.domain();
        let mut builder = Message::builder()
            .from(mailbox(&email.sender_name, self.from.clone()))
            .to(mailbox(&email.to_name, address(&email.to)?))
            .subject(line(&email.subject))
            .message_id(Some(format!("<{}@{host}>", email.id)))
            .date_now()
            // RFC 3834: no out-of-office note comes back, and no other program answers.
            .raw_header(header("Auto-Submitted", "auto-generated"))
            .raw_header(header("Content-Language", email.lang.tag()));
        if let Some(reply_to) = &email.reply_to {
            builder = builder.reply_to(Mailbox::new(None, address(reply_to)?));
        }
        let words = MultiPart::alternative_plain_html(email.text.clone(), email.html.clone());
        let mut whole = MultiPart::mixed().multipart(words);
        for attachment in &email.attachments {
            let media_type = ContentType::parse(&attachment.media_type).map_err(|_unknown| never("bad-attachment"))?;
            whole = whole.singlepart(Part::new(attachment.name.clone()).body(attachment.body.clone(), media_type));
        }
        builder.multipart(whole).map_err(|_incomplete| never("bad-message"))
    }
}

impl Mailer for SmtpMailer {
    fn send<'a>(&'a self, email: &'a Email) -> BoxFuture<'a, Result<(), MailDenied>> {
        Box::pin(self.hand_over(email))
    }
}

fn parameters(host: &str) -> Result<TlsParameters, SmtpError> {
    TlsParameters::builder(host.to_owned()).build_rustls().map_err(|error| SmtpError::Tls(chain(&error)))
}

/// A line break would begin another header.
fn line(text: &str) -> String {
    text.split(char::is_control).collect::<Vec<_>>().join(" ").trim().to_owned()
}

fn header(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

/// What a server said, as a word: its own text may repeat the address.
fn denial(error: &lettre::transport::smtp::Error) -> MailDenied {
    let Some(code) = error.status() else {
        // No connection, no TLS, a connection that broke.
        let word = if error.is_timeout() {
            "smtp-timeout"
        } else if error.is_tls() {
            "smtp-tls"
        } else {
            "smtp-unreachable"
        };
        return MailDenied::Temporary(word.to_owned());
    };
    let code = u16::from(code);
    let word = format!("smtp-{code}");
    // That credentials are not accepted says nothing about the recipient: somebody will mend the settings.
    let about_us = matches!(code, 530 | 534 | 535 | 538);
    if error.is_permanent() && !about_us { MailDenied::Permanent(word) } else { MailDenied::Temporary(word) }
}

#[cfg(test)]
mod tests {
    use kernel::Lang;
    use platform::ports::Attachment;

    use super::*;

    fn server(host: &str, security: Security) -> SmtpServer {
        SmtpServer {
            host: host.to_owned(),
            port: 1,
            security,
            allow_cleartext: false,
            credentials: None,
            from: "sportello@comune.example".to_owned(),
            time_out: Duration::from_secs(5),
        }
    }

    fn email() -> Email {
        Email {
            sender_name: "Città di Bugliano\r\nBcc: altri@example.org".to_owned(),
            reply_to: Some("urp@comune.example".to_owned()),
            to_name: "Niccolò Prova".to_owned(),
            to: "niccolo@example.org".to_owned(),
            subject: "Appuntamento\nconfermato: sì".to_owned(),
            text: "Buongiorno".to_owned(),
            html: "<p>Buongiorno</p>".to_owned(),
            lang: Lang::It,
            attachments: vec![Attachment {
                name: "appuntamento.ics".to_owned(),
                media_type: "text/calendar; charset=utf-8; method=PUBLISH".to_owned(),
                body: "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n".to_owned(),
            }],
            id: "01980000-0000-7000-8000-000000000050".to_owned(),
        }
    }

    #[test]
    fn without_tls_only_this_machine() {
        for host in ["localhost", "127.0.0.1", "::1"] {
            assert!(SmtpMailer::new(server(host, Security::None)).is_ok(), "{host}");
        }
        for host in ["mail.example", "localhost.mail.example", "10.0.0.1"] {
            let refused = SmtpMailer::new(server(host, Security::None));
            assert!(matches!(refused, Err(SmtpError::Cleartext)), "{host}");
            let allowed = SmtpServer { allow_cleartext: true, ..server(host, Security::None) };
            assert!(SmtpMailer::new(allowed).is_ok(), "{host}");
        }
        let nobody = SmtpServer { from: "nobody".to_owned(), ..server("localhost", Security::None) };
        assert!(matches!(SmtpMailer::new(nobody), Err(SmtpError::From)));
    }

    #[tokio::test]
    async fn no_value_begins_another_header() {
        let mailer = SmtpMailer::new(server("localhost", Security::None)).unwrap();
        let written = String::from_utf8(mailer.message(&email()).unwrap().formatted()).unwrap();
        let (head, _) = written.split_once("\r\n\r\n").unwrap();
        let names: Vec<_> = head
            .split("\r\n")
            .filter(|line| !line.starts_with([' ', '\t']))
            .filter_map(|line| line.split_once(':').map(|(name, _)| name.to_lowercase()))
            .collect();
        for name in ["from", "to", "subject", "message-id", "date", "auto-submitted", "content-language", "reply-to"] {
            assert_eq!(names.iter().filter(|found| *found == name).count(), 1, "{name} in {head}");
        }
        assert!(!names.contains(&"bcc".to_owned()), "{head}");
        assert!(head.contains("<01980000-0000-7000-8000-000000000050@comune.example>"), "{head}");
        assert!(head.is_ascii(), "{head}");
    }

    #[tokio::test]
    async fn an_address_that_is_none_is_refused_for_good() {
        let mailer = SmtpMailer::new(server("localhost", Security::None)).unwrap();
        let nowhere = Email { to: "x".to_owned(), ..email() };
        assert_eq!(mailer.send(&nowhere).await, Err(MailDenied::Permanent("bad-address".to_owned())));
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_may_come_back() {
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let gone = SmtpServer { port: closed, ..server("127.0.0.1", Security::None) };
        let denied = SmtpMailer::new(gone).unwrap().send(&email()).await;
        assert_eq!(denied, Err(MailDenied::Temporary("smtp-unreachable".to_owned())));
    }
}
