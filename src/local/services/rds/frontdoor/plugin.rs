//! The authentication plugins of the engines: how a password is kept, and how a client proves that it knows it.

use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::process::engines::EngineKind;

/// The plugin under which an engine keeps the passwords of users that IAM vouches for, and of our own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plugin {
    /// `mysql_native_password`: MariaDB's default. MySQL 9 no longer has it.
    Native,
    /// `caching_sha2_password`: MySQL's default since 8.0.
    Sha2,
}

impl Plugin {
    pub(crate) fn of(engine: EngineKind) -> Self {
        if engine == EngineKind::MySql { Plugin::Sha2 } else { Plugin::Native }
    }

    pub(super) fn named(name: &[u8]) -> Option<Self> {
        [Plugin::Native, Plugin::Sha2].into_iter().find(|plugin| plugin.name().as_bytes() == name)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Plugin::Native => "mysql_native_password",
            Plugin::Sha2 => "caching_sha2_password",
        }
    }

    /// What a client sends in proof of `password`, given the scramble of the engine's greeting.
    pub(super) fn proof(self, password: &str, scramble: &[u8]) -> Vec<u8> {
        match self {
            // SHA1(password) XOR SHA1(scramble + SHA1(SHA1(password)))
            Plugin::Native => {
                let once = Sha1::digest(password.as_bytes());
                let mixed = Sha1::new().chain_update(scramble).chain_update(Sha1::digest(once)).finalize();
                once.iter().zip(mixed).map(|(a, b)| a ^ b).collect()
            }
            // SHA256(password) XOR SHA256(SHA256(SHA256(password)) + scramble)
            Plugin::Sha2 => {
                let once = Sha256::digest(password.as_bytes());
                let twice = Sha256::digest(Sha256::digest(once));
                let mixed = Sha256::new().chain_update(twice).chain_update(scramble).finalize();
                once.iter().zip(mixed).map(|(a, b)| a ^ b).collect()
            }
        }
    }

    /// How the engine keeps `password` in `mysql.user`. The same password has always the same hash: its salt comes from it.
    pub(crate) fn hash(self, password: &str) -> String {
        match self {
            // `*` and SHA1(SHA1(password)) in upper-case hexadecimal.
            Plugin::Native => format!("*{}", hex::encode_upper(Sha1::digest(Sha1::digest(password.as_bytes())))),
            // Five thousand rounds; MySQL writes the thousands in hexadecimal.
            Plugin::Sha2 => {
                let salt = &hex::encode(Sha256::digest([b"salt", password.as_bytes()].concat()))[..20];
                format!("$A$005${salt}{}", sha256_crypt(password.as_bytes(), salt.as_bytes(), 5000))
            }
        }
    }

    /// The words that make a user known to the engine by such a hash.
    pub(crate) fn identified(self, hash: &str) -> String {
        match self {
            Plugin::Native => format!("IDENTIFIED VIA {} USING '{hash}'", self.name()),
            Plugin::Sha2 => format!("IDENTIFIED WITH {} AS '{hash}'", self.name()),
        }
    }
}

/// SHA-256 crypt (<https://www.akkadia.org/drepper/SHA-crypt.txt>) as MySQL has it: with a salt of 20 bytes, where
/// everybody else, the crates too, cuts it at 16.
fn sha256_crypt(password: &[u8], salt: &[u8], rounds: u32) -> String {
    let repeated = |digest: &[u8], length: usize| digest.iter().copied().cycle().take(length).collect::<Vec<u8>>();
    let inner = Sha256::digest([password, salt, password].concat());
    let mut first =
        Sha256::new().chain_update(password).chain_update(salt).chain_update(repeated(&inner, password.len()));
    let mut bits = password.len();
    while bits > 0 {
        first.update(if bits & 1 == 1 { &inner[..] } else { password });
        bits >>= 1;
    }
    let mut sum = first.finalize();
    let of_password = repeated(&Sha256::digest(password.repeat(password.len())), password.len());
    let of_salt = repeated(&Sha256::digest(salt.repeat(16 + usize::from(sum[0]))), salt.len());
    for round in 0..rounds {
        let (begin, end) = if round % 2 == 1 { (&of_password[..], &sum[..]) } else { (&sum[..], &of_password[..]) };
        let mut next = Sha256::new().chain_update(begin);
        if round % 3 != 0 {
            next.update(&of_salt);
        }
        if round % 7 != 0 {
            next.update(&of_password);
        }
        sum = next.chain_update(end).finalize();
    }
    crypt_text(&sum)
}

/// The digest in the alphabet and the order of `crypt(3)`: three bytes that lie ten apart, then the last two.
fn crypt_text(digest: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut text = String::with_capacity(43);
    let mut put = |high: u8, middle: u8, low: u8, letters: u32| {
        let bits = u32::from(high) << 16 | u32::from(middle) << 8 | u32::from(low);
        text.extend((0..letters).map(|at| char::from(ALPHABET[(bits >> (6 * at)) as usize & 63])));
    };
    for at in 0..10 {
        let mut three = [digest[at], digest[at + 10], digest[at + 20]];
        three.rotate_right(at % 3);
        put(three[0], three[1], three[2], 4);
    }
    put(0, digest[31], digest[30], 3);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_the_engines() {
        // `SELECT PASSWORD('p')` of MariaDB 10.11.
        assert_eq!(Plugin::Native.hash("p"), "*7B9EBEED26AA52ED10C0F549FA863F13C39E0209");
        // `CREATE USER t IDENTIFIED BY 'p'` in MySQL 9.7.4, whose default is ten thousand rounds.
        let salt = *b"on\x01\x0bx+L\x06\x19ImR\x1cH|V1UY\x07";
        assert_eq!(sha256_crypt(b"p", &salt, 10_000), "eph0IrcMLycmd2RjWv.FFbmSrNADg1D3CAc9go2LkJ1");
        let hash = Plugin::Sha2.hash("p");
        assert_eq!((hash.len(), &hash[..7]), (70, "$A$005$"), "{hash}");
    }

    #[test]
    fn proofs_are_as_long_as_their_digests() {
        let scramble = b"abcdefghijklmnopqrst";
        assert_eq!(Plugin::Native.proof("p", scramble).len(), 20);
        assert_eq!(Plugin::Sha2.proof("p", scramble).len(), 32);
    }
}
