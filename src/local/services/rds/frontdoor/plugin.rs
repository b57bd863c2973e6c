//! The authentication plugins of the engines: how a password is kept, and how a client proves that it knows it.

use sha_crypt::{PasswordHasher, ShaCrypt};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::local::process::engines::EngineKind;

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
            Plugin::Sha2 => {
                let salt = Sha256::digest([b"salt", password.as_bytes()].concat());
                #[expect(clippy::expect_used, reason = "SHA-crypt refuses no password and no salt of this length")]
                let hash = ShaCrypt::SHA256.hash_password_with_salt(password.as_bytes(), &salt[..15]).expect("a hash");
                // `$5$rounds=5000$salt$digest`; MySQL's has the thousands of rounds in hexadecimal, and no `$` after its 20 bytes of salt.
                let mut last = hash.as_str().rsplit('$');
                let (digest, salt) = (last.next().unwrap_or_default(), last.next().unwrap_or_default());
                format!("$A$005${salt}{digest}")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_the_engines() {
        // `SELECT PASSWORD('p')` of MariaDB 10.11.
        assert_eq!(Plugin::Native.hash("p"), "*7B9EBEED26AA52ED10C0F549FA863F13C39E0209");
        let hash = Plugin::Sha2.hash("p");
        assert_eq!((hash.len(), hash.matches('$').count()), (70, 3), "{hash}");
        assert_eq!(Plugin::Sha2.hash("p"), hash);
    }

    #[test]
    fn proofs_are_as_long_as_their_digests() {
        let scramble = b"abcdefghijklmnopqrst";
        assert_eq!(Plugin::Native.proof("p", scramble).len(), 20);
        assert_eq!(Plugin::Sha2.proof("p", scramble).len(), 32);
    }
}
