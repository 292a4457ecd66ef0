//! What settings may be, and what a change makes of them.

use validator::ValidationError;

use super::model::{IdentitySettings, SettingsPatch, TenantSettings};
use crate::tenants::Tenant;

fn refused(code: &'static str, words: &'static str) -> ValidationError {
    ValidationError::new(code).with_message(words.into())
}

/// A line of text that says something.
///
/// # Errors
/// For blanks at its ends and for control characters.
pub fn one_line(text: &str) -> Result<(), ValidationError> {
    if text.trim() != text || text.is_empty() || text.chars().any(char::is_control) {
        return Err(refused("line", "one line, without blanks around it"));
    }
    Ok(())
}

/// An address cannot break out of a header.
///
/// # Errors
/// For spaces and control characters.
pub fn one_word(text: &str) -> Result<(), ValidationError> {
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(refused("email", "no spaces or control characters"));
    }
    Ok(())
}

/// Digits, and what people write between them.
///
/// # Errors
/// For anything else.
pub fn phone_number(text: &str) -> Result<(), ValidationError> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    if !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit() || " ()./-".contains(c)) {
        return Ok(());
    }
    Err(refused("phone", "digits, spaces, `()./-` and a leading `+`"))
}

/// The month and the day of `MM-DD`, of any year: 29 February is a date too.
pub fn parse_month_and_day(text: &str) -> Option<(i64, i64)> {
    let date: jiff::civil::Date = format!("2028-{text}").parse().ok()?;
    Some((i64::from(date.month()), i64::from(date.day())))
}

/// A day of the year.
///
/// # Errors
/// When there is no such day.
pub fn month_and_day(text: &str) -> Result<(), ValidationError> {
    if text.len() == 5 && parse_month_and_day(text).is_some() {
        return Ok(());
    }
    Err(refused("date", "a month and a day, MM-DD"))
}

fn is_host(host: &str, letters: fn(char) -> bool) -> bool {
    !host.is_empty() && host.chars().all(|c| letters(c) || c.is_ascii_digit() || c == '.' || c == '-')
}

/// An https address of a page.
///
/// # Errors
/// For anything else.
pub fn web_address(text: &str) -> Result<(), ValidationError> {
    let sound = text.strip_prefix("https://").is_some_and(|rest| {
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        is_host(host, |c| c.is_ascii_alphabetic()) && path.chars().all(|c| c.is_ascii_graphic())
    });
    if sound { Ok(()) } else { Err(refused("url", "an https address")) }
}

/// Whether a text is an origin as browsers write it (RFC 6454 §6.2): https, or http on this machine.
pub fn is_origin(text: &str) -> bool {
    let (secure, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
        (Some(rest), _) => (true, rest),
        (_, Some(rest)) => (false, rest),
        _ => return false,
    };
    let (host, port) = rest.split_once(':').map_or((rest, None), |(host, port)| (host, Some(port)));
    let sound_port = port.is_none_or(|port| {
        (1..=5).contains(&port.len()) && port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok()
    });
    // A browser leaves the scheme's own port out, so one that is written would never be met.
    let own_port = port == Some(if secure { "443" } else { "80" });
    let sound_host =
        if secure { is_host(host, |c| c.is_ascii_lowercase()) } else { ["localhost", "127.0.0.1"].contains(&host) };
    text.len() <= 200 && sound_port && !own_port && sound_host
}

/// Origins of sites. One that stands there twice is kept once.
///
/// # Errors
/// When one is none.
pub fn origins(origins: &[String]) -> Result<(), ValidationError> {
    if !origins.iter().all(|origin| is_origin(origin)) {
        return Err(refused("origin", "origins such as https://servizi.comune.example, without path or own port"));
    }
    Ok(())
}

/// Hosts, as the addresses of webhooks name them.
///
/// # Errors
/// When one is none.
pub fn hosts(hosts: &[String]) -> Result<(), ValidationError> {
    let is_one = |host: &String| {
        let literal = host.parse::<std::net::Ipv6Addr>().map_or_else(|_| host.clone(), |ip| format!("[{ip}]"));
        (1..=253).contains(&host.len())
            && crate::webhooks::addresses::host(&format!("https://{literal}/")).is_some_and(|named| named.host == *host)
    };
    if hosts.iter().all(is_one) {
        return Ok(());
    }
    Err(refused("host", "host names in lower case or IP addresses, without port or path"))
}

fn each_once(origins: Vec<String>) -> Vec<String> {
    let mut kept: Vec<String> = Vec::with_capacity(origins.len());
    for origin in origins {
        if !kept.contains(&origin) {
            kept.push(origin);
        }
    }
    kept
}

/// What a change makes of the settings and of the Comune itself.
pub fn apply(patch: SettingsPatch, settings: &mut TenantSettings, tenant: &mut Tenant) {
    fn set<T>(place: &mut T, value: Option<T>) {
        if let Some(value) = value {
            *place = value;
        }
    }
    set(&mut tenant.name, patch.name);
    set(&mut tenant.patron_name, patch.patron_name);
    if let Some(day) = patch.patron_day {
        let day = day.as_deref().and_then(parse_month_and_day);
        tenant.patron_month = day.map(|(month, _)| month);
        tenant.patron_day = day.map(|(_, day)| day);
        if day.is_none() {
            tenant.patron_name = None;
        }
    }
    set(&mut settings.email, patch.email);
    set(&mut settings.phone, patch.phone);
    set(&mut settings.website, patch.website);
    set(&mut settings.privacy_notice_url, patch.privacy_notice_url);
    set(&mut settings.cors_origins, patch.cors_origins.map(|origins| each_once(origins.unwrap_or_default())));
    set(&mut settings.hold_minutes, patch.hold_minutes);
    set(&mut settings.private_hosts, patch.private_hosts.map(|hosts| each_once(hosts.unwrap_or_default())));
    if let Some(messages) = patch.messages {
        messages.apply(&mut settings.messages);
    }
    if let Some(pdnd) = patch.pdnd {
        pdnd.apply(&mut settings.pdnd);
    }
    match patch.identity {
        None => {}
        Some(None) => settings.identity = IdentitySettings::default(),
        Some(Some(patch)) => set(&mut settings.identity.minimum_assurance, patch.minimum_assurance),
    }
}

/// The patron saint's day as it is written.
pub fn patron_day(tenant: &Tenant) -> Option<String> {
    tenant.patron_month.zip(tenant.patron_day).map(|(month, day)| format!("{month:02}-{day:02}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Assurance;

    #[test]
    fn an_origin_is_written_as_browsers_write_it() {
        for good in ["https://a.example", "https://a.example:8443", "http://localhost:3000", "http://127.0.0.1"] {
            assert!(is_origin(good), "{good}");
        }
        for bad in [
            "*",
            "null",
            "https://A.example",
            "https://a.example/",
            "https://a.example:443",
            "https://a.example:99999",
            "https://a.example:",
            "http://a.example",
            "http://localhost:80",
            "ftp://a.example",
            "https://",
            "https://u@a.example",
            "https://*.example",
        ] {
            assert!(!is_origin(bad), "{bad}");
        }
        let twice = ["https://a.example".to_owned(), "https://a.example".to_owned()];
        assert_eq!(each_once(twice.into()), ["https://a.example"]);
    }

    #[test]
    fn a_host_is_named_as_addresses_name_it() {
        let named = |host: &str| hosts(&[host.to_owned()]).is_ok();
        for good in ["protocollo.lan", "localhost", "127.0.0.1", "::1", "fd00::1"] {
            assert!(named(good), "{good}");
        }
        for bad in ["", "Protocollo.lan", "protocollo.lan:80", "a/b", "127.1", "u@a", "a b", "fd00:0::1", "[::1]"] {
            assert!(!named(bad), "{bad}");
        }
    }

    #[test]
    fn a_patron_day_is_a_month_and_a_day() {
        assert_eq!(parse_month_and_day("06-24"), Some((6, 24)));
        assert_eq!(parse_month_and_day("02-29"), Some((2, 29)));
        for bad in ["13-01", "24/06", "2-9", "02-30"] {
            assert!(month_and_day(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn addresses_are_https() {
        for good in ["https://www.comune.bugliano.example", "https://x.example/a?b=c#d"] {
            assert!(web_address(good).is_ok(), "{good}");
        }
        for bad in ["http://x.example", "https://", "https:///x", "https://x.example/a b", "javascript:alert(1)"] {
            assert!(web_address(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_absent_stays_and_what_is_null_goes() {
        let mut tenant = crate::tenants::tests::tenant();
        tenant.patron_name = Some("San Giovanni".to_owned());
        (tenant.patron_month, tenant.patron_day) = (Some(6), Some(24));
        let mut settings = TenantSettings { hold_minutes: Some(9), phone: Some("1".to_owned()), ..Default::default() };
        let read = |text: &str| serde_json::from_str::<SettingsPatch>(text).unwrap();
        apply(read(r#"{"hold_minutes":null,"email":"a@b.example"}"#), &mut settings, &mut tenant);
        assert_eq!((settings.hold_minutes, settings.phone.as_deref()), (None, Some("1")));
        assert_eq!(settings.email.as_deref(), Some("a@b.example"));
        apply(read(r#"{"identity":{"minimum_assurance":"l3"}}"#), &mut settings, &mut tenant);
        apply(read(r#"{"identity":{}}"#), &mut settings, &mut tenant);
        assert_eq!(settings.identity.minimum(), Assurance::L3);
        apply(read(r#"{"identity":null}"#), &mut settings, &mut tenant);
        assert_eq!(settings.identity.minimum(), Assurance::L2);
        assert_eq!(patron_day(&tenant).as_deref(), Some("06-24"));
        apply(read(r#"{"patron_day":null}"#), &mut settings, &mut tenant);
        assert_eq!((patron_day(&tenant), tenant.patron_name), (None, None));
    }
}
