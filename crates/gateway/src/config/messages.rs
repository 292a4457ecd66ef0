//! How people are written to: the mail server, App IO, and how often the queue is looked at.

use std::{path::PathBuf, sync::Arc, time::Duration};

use connectors::{
    AppIo, SmtpMailer,
    smtp::{Security, SmtpServer},
};
use platform::ports::{IoMessages, Mailer};
use serde::{Deserialize, Serialize};

use super::ConfigError;

/// How people are written to.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MessagesConfig {
    /// The mail server. Absent: no e-mail is sent.
    pub smtp: Option<SmtpConfig>,
    /// Where App IO is.
    pub app_io_base_url: String,
    /// How often the queue is looked at, in seconds.
    pub poll_seconds: u32,
    /// How long a gateway may take over a message before another one sends it, in seconds.
    pub lease_seconds: u32,
}

impl Default for MessagesConfig {
    fn default() -> Self {
        Self {
            smtp: None,
            app_io_base_url: "https://api.io.pagopa.it/api/v1".to_owned(),
            poll_seconds: 5,
            lease_seconds: 120,
        }
    }
}

/// A mail server.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmtpConfig {
    /// Its name or address.
    pub host: String,
    /// Its port; absent: 465 with `tls = "implicit"`, 25 without TLS, else 587.
    pub port: Option<u16>,
    /// Whether the connection is encrypted.
    #[serde(default)]
    pub tls: TlsMode,
    /// Allow a connection without TLS to another machine.
    #[serde(default)]
    pub allow_cleartext: bool,
    /// Its user.
    pub username: Option<String>,
    /// The file with the password.
    pub password_file: Option<PathBuf>,
    /// The address that everything is sent from.
    pub from: String,
    /// How long one e-mail may take, in seconds.
    #[serde(default = "default_timeout")]
    pub timeout_seconds: u32,
}

const fn default_timeout() -> u32 {
    20
}

/// Whether the connection to a mail server is encrypted, and from when on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TlsMode {
    /// Never; on this machine only.
    None,
    /// From STARTTLS on, and not without it.
    #[default]
    Starttls,
    /// From the first byte.
    Implicit,
}

impl MessagesConfig {
    /// What sends e-mail, where there is a mail server.
    ///
    /// # Errors
    /// When the settings cannot be meant, or the password cannot be read.
    pub fn mailer(&self) -> Result<Option<Arc<dyn Mailer>>, ConfigError> {
        let Some(smtp) = &self.smtp else { return Ok(None) };
        let wrong = |setting, reason: String| ConfigError::Messages { setting, reason };
        let credentials = match (&smtp.username, &smtp.password_file) {
            (None, None) => None,
            (Some(user), Some(path)) => {
                let read = std::fs::read_to_string(path);
                let password =
                    read.map_err(|error| wrong("smtp.password_file", format!("{}: {error}", path.display())))?;
                Some((user.clone(), password.trim().to_owned()))
            }
            _ => return Err(wrong("smtp", "give username and password_file, or neither".to_owned())),
        };
        if smtp.timeout_seconds == 0 || smtp.timeout_seconds >= self.lease_seconds {
            let reason = "must be at least 1 and less than messages.lease_seconds".to_owned();
            return Err(wrong("smtp.timeout_seconds", reason));
        }
        let (security, port) = match smtp.tls {
            TlsMode::None => (Security::None, 25),
            TlsMode::Starttls => (Security::StartTls, 587),
            TlsMode::Implicit => (Security::Implicit, 465),
        };
        let server = SmtpServer {
            host: smtp.host.clone(),
            port: smtp.port.unwrap_or(port),
            security,
            allow_cleartext: smtp.allow_cleartext,
            credentials,
            from: smtp.from.clone(),
            time_out: Duration::from_secs(u64::from(smtp.timeout_seconds)),
        };
        let mailer = SmtpMailer::new(server).map_err(|error| wrong("smtp", error.to_string()))?;
        Ok(Some(Arc::new(mailer)))
    }

    /// What speaks with App IO.
    ///
    /// # Errors
    /// When the address cannot be used.
    pub fn app_io(&self) -> Result<Arc<dyn IoMessages>, ConfigError> {
        let wrong = |error: connectors::app_io::AppIoError| ConfigError::Messages {
            setting: "app_io_base_url",
            reason: error.to_string(),
        };
        Ok(Arc::new(AppIo::new(&self.app_io_base_url).map_err(wrong)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(smtp: &str) -> Result<bool, String> {
        let config: MessagesConfig = toml::from_str(&format!("[smtp]\n{smtp}")).map_err(|error| error.to_string())?;
        config.mailer().map(|mailer| mailer.is_some()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_mail_server_is_spoken_to_as_can_be_meant() {
        assert!(MessagesConfig::default().mailer().unwrap().is_none());
        let local = "host = '127.0.0.1'\nfrom = 'a@b.example'\ntls = 'none'";
        assert_eq!(with(local), Ok(true));
        for (smtp, word) in [
            ("host = 'mail.example'\nfrom = 'a@b.example'\ntls = 'none'", "TLS"),
            ("host = '127.0.0.1'\nfrom = 'b.example'\ntls = 'none'", "from"),
            (&format!("{local}\nusername = 'x'"), "password_file"),
            (&format!("{local}\nusername = 'x'\npassword_file = '/nowhere/at/all'"), "/nowhere/at/all"),
            (&format!("{local}\ntimeout_seconds = 120"), "timeout_seconds"),
            (&format!("{local}\npassword = 'x'"), "password"),
        ] {
            assert!(with(smtp).unwrap_err().contains(word), "{smtp}");
        }
    }

    #[test]
    fn app_io_is_spoken_to_over_https() {
        assert!(MessagesConfig::default().app_io().is_ok());
        let open = MessagesConfig { app_io_base_url: "http://api.example".to_owned(), ..MessagesConfig::default() };
        assert!(open.app_io().unwrap_err().to_string().contains("app_io_base_url"));
    }
}
