//! From which address a request comes, when a reverse proxy stands between.

use std::net::{IpAddr, Ipv6Addr};

use actix_web::http::header::{self, HeaderMap, HeaderName};

use crate::config::{Config, ForwardedHeader, Network};

/// Whose word is taken for where a request comes from.
#[derive(Debug, Clone)]
pub(crate) struct Proxies {
    trusted: Vec<Network>,
    header: ForwardedHeader,
}

impl Proxies {
    /// The proxies of the settings.
    pub(crate) fn new(config: &Config) -> Self {
        Self { trusted: config.server.trusted_proxies.clone(), header: config.server.forwarded_header }
    }

    /// The nearest hop that is no proxy of ours. What stands to the left of it in the header, anybody may have
    /// written.
    pub(crate) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = plain(peer);
        if !self.trusts(client) {
            return client;
        }
        for hop in self.hops(headers).iter().rev() {
            // A hop that is no address (`unknown`, `_hidden`) ends what is known.
            let Some(address) = address_of(hop) else { break };
            client = plain(address);
            if !self.trusts(client) {
                break;
            }
        }
        client
    }

    /// Whether a request came through a proxy that nobody has named: where it comes from is then not known.
    pub(crate) fn is_forwarded_by_a_stranger(&self, peer: IpAddr, headers: &HeaderMap) -> bool {
        let forwarded = [header::X_FORWARDED_FOR, header::FORWARDED, header::VIA];
        !self.trusts(plain(peer)) && forwarded.iter().any(|name| headers.contains_key(name))
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.0.contains(&address))
    }

    /// What the header says, nearest hop last, over all its lines.
    fn hops(&self, headers: &HeaderMap) -> Vec<String> {
        let name: HeaderName = match self.header {
            ForwardedHeader::XForwardedFor => header::X_FORWARDED_FOR,
            ForwardedHeader::Forwarded => header::FORWARDED,
        };
        let lines = headers.get_all(name).filter_map(|value| value.to_str().ok());
        let elements = lines.flat_map(|line| line.split(','));
        match self.header {
            ForwardedHeader::XForwardedFor => elements.map(|hop| hop.trim().to_owned()).collect(),
            ForwardedHeader::Forwarded => elements.map(for_of).collect(),
        }
    }
}

/// The `for` of an element of `Forwarded`; empty when it has none, which ends what is known.
fn for_of(element: &str) -> String {
    let pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let mut named = pairs.filter(|(name, _)| name.trim().eq_ignore_ascii_case("for"));
    named.next().map(|(_, value)| value.trim().trim_matches('"').to_owned()).unwrap_or_default()
}

/// `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:4711`.
fn address_of(hop: &str) -> Option<IpAddr> {
    if let Ok(address) = hop.parse() {
        return Some(address);
    }
    if let Some(rest) = hop.strip_prefix('[') {
        return rest.split(']').next()?.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    }
    hop.split_once(':')?.0.parse().ok()
}

/// An IPv4 address in IPv6 clothes is the IPv4 address.
fn plain(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// What is counted as one address: of IPv6 the /64, since whoever has one address there has all of them.
pub(crate) fn counted(address: IpAddr) -> IpAddr {
    match plain(address) {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn client(trusted: &[&str], header: ForwardedHeader, peer: &str, lines: &[(HeaderName, &str)]) -> String {
        let trusted = trusted.iter().map(|network| network.parse().unwrap()).collect();
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name.clone(), HeaderValue::from_str(value).unwrap());
        }
        Proxies { trusted, header }.client(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        use ForwardedHeader::XForwardedFor as X;
        let says = |hops| [(header::X_FORWARDED_FOR, hops)];
        for (trusted, peer, hops, expected) in [
            (&[][..], "127.0.0.1", "198.51.100.7", "127.0.0.1"),
            (&["10.0.0.0/8"], "192.0.2.9", "198.51.100.7", "192.0.2.9"),
            (&["10.0.0.0/8"], "10.1.2.3", "198.51.100.7", "198.51.100.7"),
            // What the client itself has written stands to the left and counts for nothing.
            (&["10.0.0.0/8"], "10.1.2.3", "203.0.113.1, 198.51.100.7", "198.51.100.7"),
            // Two proxies of ours, one behind the other.
            (&["10.0.0.0/8"], "10.1.2.3", "203.0.113.1, 198.51.100.7, 10.9.9.9", "198.51.100.7"),
            (&["10.0.0.0/8"], "10.1.2.3", "10.0.0.1", "10.0.0.1"),
            (&["10.0.0.0/8"], "10.1.2.3", "", "10.1.2.3"),
            (&["10.0.0.0/8"], "10.1.2.3", "198.51.100.7, unknown", "10.1.2.3"),
            (&["10.1.2.3"], "::ffff:10.1.2.3", "198.51.100.7:4711", "198.51.100.7"),
            (&["::1"], "::1", "2001:db8::1", "2001:db8::1"),
            (&["::1"], "::1", "[2001:db8::1]:4711", "2001:db8::1"),
        ] {
            assert_eq!(client(trusted, X, peer, &says(hops)), expected, "{peer} says {hops}");
        }
        let two = [(header::X_FORWARDED_FOR, "203.0.113.1"), (header::X_FORWARDED_FOR, "198.51.100.7")];
        assert_eq!(client(&["10.0.0.0/8"], X, "10.1.2.3", &two), "198.51.100.7", "the last line is the nearest");
        assert_eq!(
            client(&["10.0.0.0/8"], X, "10.1.2.3", &[(header::FORWARDED, "for=198.51.100.7")]),
            "10.1.2.3",
            "the other header is not the proxy's"
        );
    }

    #[test]
    fn the_standard_header_is_read() {
        for (value, expected) in [
            ("for=198.51.100.7", "198.51.100.7"),
            ("by=10.0.0.1;For=\"198.51.100.7:80\";proto=https", "198.51.100.7"),
            ("for=203.0.113.1, for=\"[2001:db8::1]:4711\"", "2001:db8::1"),
            ("for=203.0.113.1, proto=https", "127.0.0.1"),
            ("for=_hidden", "127.0.0.1"),
        ] {
            let lines = [(header::FORWARDED, value)];
            assert_eq!(client(&["127.0.0.1"], ForwardedHeader::Forwarded, "127.0.0.1", &lines), expected, "{value}");
        }
    }

    #[test]
    fn of_ipv6_the_network_is_counted() {
        let counted = |text: &str| counted(text.parse().unwrap()).to_string();
        assert_eq!(counted("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(counted("::ffff:192.0.2.1"), "192.0.2.1");
        assert_eq!(counted("192.0.2.1"), "192.0.2.1");
    }
}
