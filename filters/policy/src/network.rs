//! Networks in CIDR notation.

use std::{fmt, net::IpAddr, str::FromStr};

use thiserror::Error;

/// A block of addresses of one family: `10.0.0.0/8`, `fd00::/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network {
    first: IpAddr,
    prefix: u8,
}

/// Why a text is no network.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum NetworkError {
    /// No address before the slash.
    #[error("a network is an address, `/` and a number of bits, such as 10.0.0.0/8")]
    Syntax,
    /// An IPv4 address written as IPv6.
    #[error("an IPv4 network is written as IPv4")]
    MappedAddress,
    /// More bits than the address has.
    #[error("an address of this family has {max} bits")]
    TooManyBits {
        /// 32 or 128.
        max: u8,
    },
    /// Bits behind the prefix are set.
    #[error("the address has bits set behind the first {prefix}: the network is {network}")]
    HostBits {
        /// Length of the prefix.
        prefix: u8,
        /// What was probably meant.
        network: Network,
    },
}

impl Network {
    /// The network of one address.
    #[must_use]
    pub fn of_address(address: IpAddr) -> Self {
        let first = address.to_canonical();
        Self { first, prefix: if first.is_ipv4() { 32 } else { 128 } }
    }

    /// Whether the address lies in it; IPv4-mapped IPv6 addresses count as IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        masked(address.to_canonical(), self.prefix) == Some(self.first)
            && self.first.is_ipv4() == address.to_canonical().is_ipv4()
    }

    /// Number of bits that are fixed.
    #[must_use]
    pub fn prefix(&self) -> u8 {
        self.prefix
    }

    /// First address.
    #[must_use]
    pub fn first(&self) -> IpAddr {
        self.first
    }
}

/// The address with all bits behind the prefix cleared; none when it has fewer bits than that.
pub(crate) fn masked(address: IpAddr, prefix: u8) -> Option<IpAddr> {
    match address {
        IpAddr::V4(v4) => {
            let shift = 32_u32.checked_sub(u32::from(prefix))?;
            Some(IpAddr::V4((v4.to_bits() & u32::MAX.checked_shl(shift).unwrap_or(0)).into()))
        }
        IpAddr::V6(v6) => {
            let shift = 128_u32.checked_sub(u32::from(prefix))?;
            Some(IpAddr::V6((v6.to_bits() & u128::MAX.checked_shl(shift).unwrap_or(0)).into()))
        }
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, prefix) = text.split_once('/').ok_or(NetworkError::Syntax)?;
        let address: IpAddr = address.parse().map_err(|_| NetworkError::Syntax)?;
        if prefix.is_empty() || prefix.len() > 3 || !prefix.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(NetworkError::Syntax);
        }
        if address.to_canonical() != address {
            return Err(NetworkError::MappedAddress);
        }
        let max = if address.is_ipv4() { 32 } else { 128 };
        let prefix: u8 = prefix.parse().map_err(|_| NetworkError::TooManyBits { max })?;
        let first = masked(address, prefix).ok_or(NetworkError::TooManyBits { max })?;
        let network = Self { first, prefix };
        if first == address { Ok(network) } else { Err(NetworkError::HostBits { prefix, network }) }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_holds_its_addresses_and_no_others() {
        for (network, address, holds) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/8", "::ffff:10.0.0.1", true),
            ("0.0.0.0/0", "1.2.3.4", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "1.2.3.4", false),
            ("::/0", "2001::1", true),
            ("fd00::/8", "fdff::1", true),
            ("1.2.3.4/32", "1.2.3.4", true),
            ("1.2.3.4/32", "1.2.3.5", false),
        ] {
            let network: Network = network.parse().unwrap();
            assert_eq!(network.contains(address.parse().unwrap()), holds, "{network} and {address}");
        }
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in [
            "10.0.0.0",
            "10.0.0/8",
            "10.0.0.0/",
            "10.0.0.0/33",
            "10.0.0.0/256",
            "::/129",
            "10.0.0.0/+8",
            "x/8",
        ] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
        let error = "10.1.0.0/8".parse::<Network>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "the address has bits set behind the first 8: the network is 10.0.0.0/8"
        );
        assert_eq!("::ffff:10.0.0.0/104".parse::<Network>(), Err(NetworkError::MappedAddress));
    }
}
