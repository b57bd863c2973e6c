//! Identifiers, injected: random in the product, counted in tests.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rand::RngExt;

/// Where identifiers come from.
#[derive(Clone, Debug, Default)]
pub enum Ids {
    #[default]
    Random,
    /// 1, 2, 3, … in place of randomness.
    Counted(Arc<AtomicU64>),
}

const LOWER: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
const UPPER: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
const HEX: &[u8] = b"0123456789abcdef";

impl Ids {
    pub fn counted() -> Self {
        Ids::Counted(Arc::new(AtomicU64::new(0)))
    }

    fn draw(&self, alphabet: &[u8], length: usize) -> String {
        match self {
            Ids::Random => {
                let mut random = rand::rng();
                (0..length).map(|_| char::from(alphabet[random.random_range(0..alphabet.len())])).collect()
            }
            Ids::Counted(next) => format!("{:0>length$}", next.fetch_add(1, Ordering::Relaxed) + 1),
        }
    }

    /// Lower-case letters and digits, as in API ids and generated names.
    pub fn lower(&self, length: usize) -> String {
        self.draw(LOWER, length)
    }

    /// Upper-case letters and digits, as in access key and resource ids.
    pub fn upper(&self, length: usize) -> String {
        self.draw(UPPER, length)
    }

    pub fn hex(&self, length: usize) -> String {
        match self {
            // A number has sixteen digits at once; every request draws some.
            Ids::Random => {
                let mut digits = String::with_capacity(length + 16);
                while digits.len() < length {
                    digits.push_str(&format!("{:016x}", rand::random::<u64>()));
                }
                digits.truncate(length);
                digits
            }
            Ids::Counted(_) => self.draw(HEX, length),
        }
    }

    /// `vpc-0123456789abcdef0`: EC2's form.
    pub fn ec2(&self, prefix: &str) -> String {
        format!("{prefix}-0{}", self.hex(16))
    }

    /// A UUID, as in request ids.
    pub fn uuid(&self) -> String {
        let hex = self.hex(32);
        format!("{}-{}-4{}-a{}-{}", &hex[0..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32])
    }
}
