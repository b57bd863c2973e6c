//! Who may reach a lab's database from outside: rules of its security group, one for each machine that asked.

use super::http::{HttpClient, HttpError};
use super::steps::check::{CheckError, Endpoint};
use crate::aws::network::{Entry, NewEntry};
use crate::aws::{Aws, AwsError};
use crate::lab::model::{HttpCheck, HttpExpectation, RequestBody};
use crate::plan::Instance;
use crate::plan::names::{TAG_ACCESS, TAG_ENV, TAG_LAB};
use http_body_util::Full;
use indexmap::IndexMap;
use serde::Serialize;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// The port that the lab's database listens on, on AWS.
pub const PORT: u16 = 3306;
/// The output that says where the API tells callers their address.
pub const ADDRESS_PATH: &str = "AddressPath";

/// The widest ranges that are let in: one office or one home.
const WIDEST_IPV4: u8 = 24;
const WIDEST_IPV6: u8 = 64;

/// Addresses to let in: one, or a small network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    address: IpAddr,
    bits: u8,
}

impl Range {
    /// This address and no other.
    pub fn only(address: IpAddr) -> Self {
        Range { address, bits: if address.is_ipv4() { 32 } else { 128 } }
    }

    /// A network's address has zeros where its hosts differ.
    fn begins_its_network(self) -> bool {
        let (address, width) = match self.address {
            IpAddr::V4(address) => (u128::from(u32::from(address)), 32),
            IpAddr::V6(address) => (u128::from(address), 128),
        };
        let free = width - u32::from(self.bits);
        address.trailing_zeros().min(width) >= free
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

impl FromStr for Range {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address
            .parse()
            .map_err(|_| "write an address or a range, such as 203.0.113.7 or 203.0.113.0/28".to_owned())?;
        let Some(bits) = bits else { return Ok(Range::only(address)) };
        let (widest, most) = if address.is_ipv4() { (WIDEST_IPV4, 32) } else { (WIDEST_IPV6, 128) };
        let written = !bits.is_empty() && bits.bytes().all(|b| b.is_ascii_digit());
        let bits: Option<u8> = bits.parse().ok().filter(|bits| written && *bits <= most);
        let range = Range { address, bits: bits.ok_or_else(|| format!("after the `/` comes a number up to {most}"))? };
        if range.bits < widest {
            return Err(format!(
                "/{} would open the database to strangers: a range is at most one network, /{widest}",
                range.bits
            ));
        }
        if !range.begins_its_network() {
            return Err(format!("no network of /{} begins at {address}", range.bits));
        }
        Ok(range)
    }
}

/// Who asks: a person on a machine. It is the name by which a rule is found again.
pub fn asker(person: &str) -> String {
    let machine = rustix::system::uname();
    let name = format!("{person}@{}", machine.nodename().to_string_lossy());
    // What tags may hold, and descriptions of rules too.
    name.chars().map(|c| if c.is_ascii_alphanumeric() || "+-=._:/@".contains(c) { c } else { '_' }).take(128).collect()
}

/// One way in that labctl has made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Way {
    pub rule: String,
    pub cidr: String,
    /// Who asked for it.
    pub of: String,
}

/// The security group of a lab's database, with the rules that labctl has made in it. Rules of others are never touched.
#[derive(Debug)]
pub struct Door<'a> {
    pub aws: &'a Aws,
    pub instance: &'a Instance,
    pub group: &'a str,
}

/// What came of opening.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Opened {
    pub cidr: String,
    /// A rule let it in before.
    pub was_open: bool,
    /// That rule is another's, who may close it: a group has one rule for a range. Their name, where labctl made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by_another: Option<String>,
    /// What was open for the same machine and is closed now.
    pub closed: Vec<Way>,
}

impl Door<'_> {
    /// What labctl has opened, sorted by who asked.
    pub async fn ways(&self) -> Result<Vec<Way>, AwsError> {
        let mut ways: Vec<Way> = self.aws.entries(self.group, PORT).await?.into_iter().filter_map(way).collect();
        ways.sort_by(|a, b| (&a.of, &a.cidr).cmp(&(&b.of, &b.cidr)));
        Ok(ways)
    }

    /// Lets a range in, and then closes what was open for the same machine: nobody is locked out in between.
    pub async fn open(&self, of: &str, range: Range) -> Result<Opened, AwsError> {
        let cidr = range.to_string();
        let (ours, others): (Vec<Way>, Vec<Way>) = self.ways().await?.into_iter().partition(|way| way.of == of);
        let (same, old): (Vec<Way>, Vec<Way>) = ours.into_iter().partition(|way| way.cidr == cidr);
        let mut was_open = !same.is_empty();
        let mut by_another = None;
        if !was_open {
            let description = format!("labctl access: {of}");
            let Instance { lab, env } = self.instance;
            let tags = [(TAG_ACCESS, of), (TAG_LAB, lab), (TAG_ENV, env)];
            let new = NewEntry { group: self.group, port: PORT, cidr: &cidr, description: &description, tags: &tags };
            was_open = self.aws.add_entry(&new).await?.is_none();
            let other = others.into_iter().find(|way| way.cidr == cidr);
            by_another = was_open.then(|| other.map_or_else(|| "somebody".to_owned(), |way| way.of));
        }
        self.close(&old).await?;
        Ok(Opened { cidr, was_open, by_another, closed: old })
    }

    pub async fn close(&self, ways: &[Way]) -> Result<(), AwsError> {
        for way in ways {
            self.aws.remove_entry(self.group, &way.rule).await?;
        }
        Ok(())
    }
}

fn way(Entry { id, cidr, mut tags }: Entry) -> Option<Way> {
    Some(Way { rule: id, cidr, of: tags.remove(TAG_ACCESS)? })
}

/// Why the API did not tell this machine's address.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    #[error(transparent)]
    Check(#[from] CheckError),
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error("{0}")]
    NoRequest(String),
    #[error("the API answered {status}: {body}")]
    Answer { status: u16, body: String },
}

/// The address that this machine is seen at: the lab's own API tells it.
pub async fn own_address(endpoint: &Endpoint<'_>, path: &str) -> Result<IpAddr, AddressError> {
    let request = HttpCheck {
        method: "GET".to_owned(),
        path: path.to_owned(),
        headers: IndexMap::new(),
        body: RequestBody::Empty,
        repeat: 1,
        expect: HttpExpectation::default(),
    };
    let mut request = endpoint.request(&request).map_err(AddressError::NoRequest)?;
    endpoint.entry().sign(&mut request).map_err(AddressError::NoRequest)?;
    let answer = HttpClient::new()?.send(request.map(Full::new)).await?;
    let told = serde_json::from_slice(answer.body()).ok().and_then(|body: serde_json::Value| {
        body.get("address").and_then(|address| address.as_str()).and_then(|address| address.parse().ok())
    });
    told.ok_or_else(|| AddressError::Answer {
        status: answer.status().as_u16(),
        body: String::from_utf8_lossy(answer.body()).chars().take(200).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::{Range, asker};

    fn range(text: &str) -> Result<String, String> {
        text.parse::<Range>().map(|range| range.to_string())
    }

    #[test]
    fn an_address_is_a_range_of_one_and_a_range_at_most_one_network() {
        for (text, expected) in [
            ("203.0.113.7", "203.0.113.7/32"),
            ("203.0.113.7/32", "203.0.113.7/32"),
            ("203.0.113.0/24", "203.0.113.0/24"),
            ("2001:db8::1", "2001:db8::1/128"),
            ("2001:DB8:0:1::/64", "2001:db8:0:1::/64"),
        ] {
            assert_eq!(range(text).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn what_is_no_range_or_too_wide_is_refused_with_the_reason() {
        for (text, reason) in [
            ("0.0.0.0/0", "would open the database to strangers"),
            ("::/0", "would open the database to strangers"),
            ("10.0.0.0/23", "at most one network, /24"),
            ("2001:db8::/63", "at most one network, /64"),
            ("203.0.113.7/28", "no network of /28 begins at 203.0.113.7"),
            ("2001:db8::1/127", "no network of /127 begins"),
            ("203.0.113.7/33", "a number up to 32"),
            ("203.0.113.7/+8", "a number up to 32"),
            ("203.0.113.7/", "a number up to 32"),
            ("2001:db8::/129", "a number up to 128"),
            ("203.0.113", "write an address or a range"),
            ("example.net", "write an address or a range"),
            ("", "write an address or a range"),
        ] {
            let problem = range(text).unwrap_err();
            assert!(problem.contains(reason), "{text}: {problem}");
        }
    }

    #[test]
    fn whoever_asks_has_a_name_that_a_tag_may_hold() {
        let name = asker("Ada Lovelace");
        assert!(name.starts_with("Ada_Lovelace@") && name.len() <= 128, "{name}");
        assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || "+-=._:/@".contains(c)), "{name}");
    }
}
