//! IPv4 blocks as EC2 reads them.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// An IPv4 block, its host bits zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cidr {
    base: u32,
    prefix: u8,
}

impl Cidr {
    /// Reads `address/prefix`. Host bits are cleared, as `CreateVpc` and `CreateSubnet` say they do.
    pub(super) fn lenient(text: &str) -> Option<Self> {
        let (address, prefix) = text.split_once('/')?;
        let (address, prefix) = (Ipv4Addr::from_str(address).ok()?, prefix.parse::<u8>().ok()?);
        (prefix <= 32).then(|| Cidr { base: u32::from(address) & mask(prefix), prefix })
    }

    /// Reads `address/prefix` with no host bits set.
    pub(super) fn exact(text: &str) -> Option<Self> {
        Self::lenient(text).filter(|cidr| cidr.to_string() == text)
    }

    pub(super) const fn prefix(self) -> u8 {
        self.prefix
    }

    pub(super) fn overlaps(self, other: Cidr) -> bool {
        let shorter = mask(self.prefix.min(other.prefix));
        self.base & shorter == other.base & shorter
    }

    pub(super) fn contains(self, other: Cidr) -> bool {
        self.prefix <= other.prefix && self.overlaps(other)
    }

    pub(super) fn holds(self, address: Ipv4Addr) -> bool {
        u32::from(address) & mask(self.prefix) == self.base
    }

    /// The addresses that AWS leaves to the user: all but the first four and the last.
    pub(super) fn usable(self) -> impl Iterator<Item = Ipv4Addr> {
        let size = 1_u64 << (32 - u32::from(self.prefix));
        let base = u64::from(self.base);
        (base + 4..base + size.max(1) - 1).map(|address| Ipv4Addr::from(u32::try_from(address).unwrap_or(u32::MAX)))
    }

    pub(super) fn usable_count(self) -> usize {
        (1_usize << (32 - u32::from(self.prefix))).saturating_sub(5)
    }
}

const fn mask(prefix: u8) -> u32 {
    if prefix == 0 { 0 } else { u32::MAX << (32 - prefix) }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Ipv4Addr::from(self.base), self.prefix)
    }
}

/// Is this an IPv6 block?
pub(super) fn is_ipv6(text: &str) -> bool {
    text.split_once('/').is_some_and(|(address, prefix)| {
        Ipv6Addr::from_str(address).is_ok() && prefix.parse::<u8>().is_ok_and(|prefix| prefix <= 128)
    })
}

#[cfg(test)]
mod tests {

    use super::*;

    #[test]
    fn blocks_are_read_compared_and_counted() {
        let vpc = Cidr::exact("10.0.0.0/16").unwrap();
        let subnet = Cidr::lenient("10.0.1.7/24").unwrap();
        assert_eq!(subnet.to_string(), "10.0.1.0/24");
        assert!(vpc.contains(subnet) && !subnet.contains(vpc) && vpc.overlaps(subnet));
        assert!(!subnet.overlaps(Cidr::exact("10.0.2.0/24").unwrap()));
        assert_eq!(subnet.usable_count(), 251);
        assert_eq!(subnet.usable().next().unwrap().to_string(), "10.0.1.4");
        assert_eq!(subnet.usable().count(), 251);
        for bad in ["10.0.0.1/16", "10.0.0/8", "10.0.0.0/33", "10.0.0.0", "", "a/8"] {
            assert_eq!(Cidr::exact(bad), None, "{bad}");
        }
        assert!(Cidr::exact("0.0.0.0/0").unwrap().holds(Ipv4Addr::LOCALHOST));
    }
}
