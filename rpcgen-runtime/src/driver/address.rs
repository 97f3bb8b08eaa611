//! Addresses: which transport, and where.
//!
//! Knows: the text of an address, and what is near enough for plain TCP. Does not know: sockets.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

/// Where a server listens and a client connects.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// `tcp://HOST:PORT`. As a place to listen, port 0 takes a free one.
    Tcp {
        /// `HOST:PORT`; an IPv6 address in brackets.
        authority: String,
    },
    /// `thread://NAME`: this process. Messages are handed over as they are, without encoding.
    Thread {
        /// Any text without spaces.
        name: String,
    },
}

/// A text that is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an address: {why}; write tcp://HOST:PORT or thread://NAME")]
pub struct AddressError {
    /// What was given.
    pub text: String,
    /// What is wrong with it.
    pub why: &'static str,
}

impl Address {
    /// Whether messages are handed over as they are.
    pub(crate) fn is_in_process(&self) -> bool {
        matches!(self, Self::Thread { .. })
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let wrong = |why| AddressError { text: text.chars().take(200).collect(), why };
        let (scheme, rest) = text.split_once("://").ok_or_else(|| wrong("it has no scheme"))?;
        match scheme {
            "tcp" => {
                let (host, port) = rest.rsplit_once(':').ok_or_else(|| wrong("it has no port"))?;
                if host.is_empty() || host.contains('/') {
                    return Err(wrong("it has no host"));
                }
                if host.contains(':') && !(host.starts_with('[') && host.ends_with(']')) {
                    return Err(wrong("an IPv6 address stands in brackets"));
                }
                port.parse::<u16>().map_err(|_| wrong("its port is no number up to 65535"))?;
                Ok(Self::Tcp { authority: rest.to_owned() })
            }
            "thread" if rest.is_empty() || rest.contains(char::is_whitespace) => Err(wrong("it has no name")),
            "thread" => Ok(Self::Thread { name: rest.to_owned() }),
            "tls" | "unix" => Err(wrong("this version speaks tcp and thread only")),
            _ => Err(wrong("its scheme is unknown")),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { authority } => write!(f, "tcp://{authority}"),
            Self::Thread { name } => write!(f, "thread://{name}"),
        }
    }
}

/// Whether plain TCP may listen on all of these without being told so: nobody beyond this machine can reach them.
pub(crate) fn is_loopback_only(addresses: &[SocketAddr]) -> bool {
    !addresses.is_empty() && addresses.iter().all(|address| address.ip().to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_come_back_as_they_were_written() {
        for text in ["tcp://127.0.0.1:4500", "tcp://[::1]:0", "tcp://bank.example:1", "thread://bank"] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn wrong_addresses_are_refused_with_what_is_wrong() {
        let why = |text: &str| text.parse::<Address>().unwrap_err().why;
        assert_eq!(why("127.0.0.1:4500"), "it has no scheme");
        assert_eq!(why("tcp://127.0.0.1"), "it has no port");
        assert_eq!(why("tcp://:80"), "it has no host");
        assert_eq!(why("tcp://::1:80"), "an IPv6 address stands in brackets");
        assert_eq!(why("tcp://a:70000"), "its port is no number up to 65535");
        assert_eq!(why("thread://"), "it has no name");
        assert_eq!(why("http://a:1"), "its scheme is unknown");
    }

    #[test]
    fn only_loopback_addresses_are_near_enough_for_plain_tcp() {
        let near = |text: &str| is_loopback_only(&[text.parse().unwrap()]);
        assert!(near("127.0.0.1:1") && near("127.9.9.9:1") && near("[::1]:1") && near("[::ffff:127.0.0.1]:1"));
        assert!(!near("0.0.0.0:1") && !near("[::]:1") && !near("192.168.0.1:1") && !near("[::ffff:10.0.0.1]:1"));
        assert!(!is_loopback_only(&[]));
    }
}
