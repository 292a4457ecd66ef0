//! Where nothing may be sent to: whoever may name a webhook must not reach, through this server, what only this
//! server reaches (server-side request forgery, OWASP API7:2023).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// Where an address on the network is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// On the internet.
    Public,
    /// In somebody's own network, or on this machine: sent to where the Comune names the host.
    Private,
    /// Never sent to: link-local addresses, where clouds keep their machines' credentials, and what is no host.
    Never,
}

/// Where an address is.
pub fn reach(ip: IpAddr) -> Reach {
    match ip {
        IpAddr::V4(ip) => reach_v4(ip),
        IpAddr::V6(ip) => reach_v6(ip),
    }
}

fn reach_v4(ip: Ipv4Addr) -> Reach {
    let [a, b, c, _] = ip.octets();
    match (a, b, c) {
        _ if ip.is_private() || ip.is_loopback() => Reach::Private,
        // Shared by carriers (RFC 6598).
        (100, 64..=127, _) => Reach::Private,
        // "This network", link-local, protocol assignments, 6to4 relays, benchmarks, multicast, reserved, broadcast.
        (0 | 224..=255, ..) | (169, 254, _) | (192, 0, 0) | (192, 88, 99) | (198, 18..=19, _) => Reach::Never,
        _ if ip.is_documentation() => Reach::Never,
        _ => Reach::Public,
    }
}

fn reach_v6(ip: Ipv6Addr) -> Reach {
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        reach_v4(Ipv4Addr::new(a, b, c, d))
    };
    match ip.segments() {
        _ if ip.is_loopback() => Reach::Private,
        // An IPv4 address in disguise: mapped, NAT64, 6to4.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            embedded(high, low)
        }
        // Unique local (RFC 4193).
        [0xfc00..=0xfdff, ..] => Reach::Private,
        // Teredo, documentation, and other assignments that are no hosts.
        [0x2001, 0..=0x1ff | 0xdb8, ..] => Reach::Never,
        // What is routed on the internet.
        [0x2000..=0x3fff, ..] => Reach::Public,
        _ => Reach::Never,
    }
}

/// The host an address names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// As settings write it: a name in lower case, or an IP address without brackets.
    pub host: String,
    /// The IP address, where it is one.
    pub ip: Option<IpAddr>,
    /// Whether it is spoken to over TLS.
    pub secure: bool,
}

/// Reads the host of an http or https address; `None` for what cannot be sent to at all.
pub fn host(url: &str) -> Option<Named> {
    let url = Url::parse(url).ok()?;
    let secure = match url.scheme() {
        "https" => true,
        "http" => false,
        _ => return None,
    };
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() || url.port() == Some(0) {
        return None;
    }
    let (host, ip) = match url.host()? {
        Host::Domain(name) => (name.trim_end_matches('.').to_owned(), None),
        Host::Ipv4(ip) => (ip.to_string(), Some(IpAddr::V4(ip))),
        Host::Ipv6(ip) => (ip.to_string(), Some(IpAddr::V6(ip))),
    };
    (!host.is_empty()).then_some(Named { host, ip, secure })
}

/// Why an address is not sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    /// No address at all.
    #[error("it is no http or https address of a host")]
    Malformed,
    /// http to a host that the Comune does not name as its own.
    #[error("it must be https, unless the host is named in private_hosts")]
    Cleartext,
    /// In a private network, and not named.
    #[error("it leads into a private network, and its host is not named in private_hosts")]
    Private,
    /// Nobody's to send to.
    #[error("it leads where nothing may be sent to")]
    Never,
}

/// Whether an address may be sent to, as far as its text tells: what a name resolves to is looked at when it is.
/// Answers whether the host is one that the Comune names as its own.
///
/// # Errors
/// Why not.
pub fn check(url: &str, private_hosts: &[String]) -> Result<bool, Forbidden> {
    let named = host(url).ok_or(Forbidden::Malformed)?;
    let own = private_hosts.contains(&named.host);
    match named.ip.map(reach) {
        Some(Reach::Never) => return Err(Forbidden::Never),
        Some(Reach::Private) if !own => return Err(Forbidden::Private),
        _ => {}
    }
    if !named.secure && !own {
        return Err(Forbidden::Cleartext);
    }
    Ok(own)
}

/// Whether an address that a name resolved to may be connected to.
pub fn may_connect(ip: IpAddr, own: bool) -> bool {
    match reach(ip) {
        Reach::Public => true,
        Reach::Private => own,
        Reach::Never => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(ip: &str) -> Reach {
        reach(ip.parse().unwrap())
    }

    #[test]
    fn private_and_strange_addresses_are_told_from_public_ones() {
        for ip in ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "2a02::1", "100.63.0.1", "172.32.0.1"] {
            assert_eq!(of(ip), Reach::Public, "{ip}");
        }
        for ip in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "::1",
            "fd00::1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "2002:0a00:0001::1",
        ] {
            assert_eq!(of(ip), Reach::Private, "{ip}");
        }
        for ip in [
            "0.0.0.0",
            "169.254.169.254",
            "224.0.0.1",
            "255.255.255.255",
            "240.0.0.1",
            "192.0.2.1",
            "198.18.0.1",
            "::",
            "fe80::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "::ffff:169.254.169.254",
            "fec0::1",
            "100::1",
        ] {
            assert_eq!(of(ip), Reach::Never, "{ip}");
        }
    }

    #[test]
    fn every_spelling_of_an_address_is_read_as_what_it_is() {
        let none: [String; 0] = [];
        for url in ["https://127.1/", "https://2130706433/", "https://0x7f.0.0.1/", "https://[::ffff:127.0.0.1]/"] {
            assert_eq!(check(url, &none), Err(Forbidden::Private), "{url}");
        }
        assert_eq!(check("https://169.254.169.254/latest/", &["169.254.169.254".to_owned()]), Err(Forbidden::Never));
        assert_eq!(check("http://example.org/", &none), Err(Forbidden::Cleartext));
        assert_eq!(check("https://example.org/x", &none), Ok(false));
        assert_eq!(check("http://Protocollo.LAN./x", &["protocollo.lan".to_owned()]), Ok(true));
        for url in ["ftp://example.org/", "https://u:p@example.org/", "https://", "nonsense", "https://example.org:0/"]
        {
            assert_eq!(check(url, &none), Err(Forbidden::Malformed), "{url}");
        }
    }

    #[test]
    fn what_a_name_resolves_to_is_held_to_the_same() {
        let ip = |text: &str| text.parse().unwrap();
        assert!(may_connect(ip("1.1.1.1"), false));
        assert!(!may_connect(ip("10.0.0.1"), false));
        assert!(may_connect(ip("10.0.0.1"), true));
        assert!(!may_connect(ip("169.254.169.254"), true));
    }
}
