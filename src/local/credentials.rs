//! Access keys: who a signature belongs to, and the temporary keys that STS gives out.
//!
//! The home's own key is `test`/`test` (other users of the machine are kept out by [`super::guard`]). IAM puts its users'
//! keys here. A session's secret and token are derived from one secret of the home, so that nothing has to be stored:
//! the token carries who it is and until when, under a MAC.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{PoisonError, RwLock};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use rand::RngExt;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::clock::Timestamp;
use super::home::Home;
use super::ids::Ids;
use super::scope::Caller;
use super::store::replace;

/// The access key id of the home's own key.
pub const ROOT_KEY: &str = "test";
/// Its secret: known to all, good for nothing outside this machine.
pub const ROOT_SECRET: &str = "test";

/// A secret access key, a session's token, an API key: it does not show itself in logs.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    pub fn new(secret: impl Into<String>) -> Self {
        Secret(secret.into())
    }

    /// The secret itself: for signing, and for the one answer that shows it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Whose key it is, and what it signs with.
#[derive(Clone, Debug)]
pub struct Identity {
    pub caller: Caller,
    pub secret: Secret,
}

/// An access key that IAM gave to a user.
#[derive(Clone, Debug)]
pub struct UserKey {
    pub user: String,
    pub arn: String,
    pub secret: Secret,
}

/// Temporary credentials, as STS hands them out.
#[derive(Clone, Debug)]
pub struct Session {
    pub access_key_id: String,
    pub secret: Secret,
    pub token: Secret,
    pub expires: Timestamp,
}

/// Why a key is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    #[error("The security token included in the request is invalid.")]
    Unknown,
    #[error("The security token included in the request is expired")]
    Expired,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    key: String,
    caller: Caller,
    expires: i64,
}

/// Every access key that is good in this cloud.
pub struct Keyring {
    file: PathBuf,
    master: RwLock<Option<[u8; 32]>>,
    users: RwLock<HashMap<String, UserKey>>,
}

impl Keyring {
    /// The keys of `home`; its secret is read, or made, on first use.
    pub fn new(home: &Home) -> Self {
        Keyring { file: home.keys().join("session.key"), master: RwLock::default(), users: RwLock::default() }
    }

    /// Who signs with `access_key_id` (and `token`, for temporary keys), and the secret to check the signature with.
    ///
    /// # Errors
    /// The key is not known, the token is not its own, or it has expired.
    pub fn identify(&self, access_key_id: &str, token: Option<&str>, now: Timestamp) -> Result<Identity, Rejected> {
        match token.filter(|token| !token.is_empty()) {
            Some(token) => self.identify_session(access_key_id, token, now),
            None if access_key_id == ROOT_KEY => {
                Ok(Identity { caller: Caller::Root, secret: Secret::new(ROOT_SECRET) })
            }
            None => {
                let users = self.users.read().unwrap_or_else(PoisonError::into_inner);
                let key = users.get(access_key_id).ok_or(Rejected::Unknown)?;
                let caller = Caller::User { name: key.user.clone(), arn: key.arn.clone() };
                Ok(Identity { caller, secret: key.secret.clone() })
            }
        }
    }

    fn identify_session(&self, access_key_id: &str, token: &str, now: Timestamp) -> Result<Identity, Rejected> {
        let master = self.master().map_err(|_| Rejected::Unknown)?;
        let (claims, mac) = token.split_once('.').ok_or(Rejected::Unknown)?;
        let mac = URL_SAFE_NO_PAD.decode(mac).map_err(|_| Rejected::Unknown)?;
        keyed(&master, "token", claims).verify_slice(&mac).map_err(|_| Rejected::Unknown)?;
        let claims = URL_SAFE_NO_PAD.decode(claims).map_err(|_| Rejected::Unknown)?;
        let claims: Claims = serde_json::from_slice(&claims).map_err(|_| Rejected::Unknown)?;
        if claims.key != access_key_id {
            return Err(Rejected::Unknown);
        }
        if claims.expires <= now.millis() {
            return Err(Rejected::Expired);
        }
        Ok(Identity { caller: claims.caller, secret: session_secret(&master, access_key_id) })
    }

    /// Makes temporary credentials for `caller`.
    ///
    /// # Errors
    /// The home's secret cannot be read or made.
    pub fn issue(&self, caller: Caller, expires: Timestamp, ids: &Ids) -> io::Result<Session> {
        let master = self.master()?;
        let access_key_id = format!("ASIA{}", ids.upper(16));
        let claims = Claims { key: access_key_id.clone(), caller, expires: expires.millis() };
        let claims = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&claims)?);
        let mac = URL_SAFE_NO_PAD.encode(keyed(&master, "token", &claims).finalize().into_bytes());
        let secret = session_secret(&master, &access_key_id);
        Ok(Session { access_key_id, secret, token: Secret(format!("{claims}.{mac}")), expires })
    }

    /// A user's access key becomes valid. IAM calls it when a key is made or activated, and for each one at start.
    pub fn put_user_key(&self, access_key_id: &str, key: UserKey) {
        self.users.write().unwrap_or_else(PoisonError::into_inner).insert(access_key_id.to_owned(), key);
    }

    /// A user's access key is no longer valid.
    pub fn remove_user_key(&self, access_key_id: &str) {
        self.users.write().unwrap_or_else(PoisonError::into_inner).remove(access_key_id);
    }

    fn master(&self) -> io::Result<[u8; 32]> {
        if let Some(master) = *self.master.read().unwrap_or_else(PoisonError::into_inner) {
            return Ok(master);
        }
        let mut slot = self.master.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(master) = *slot {
            return Ok(master);
        }
        let master = match std::fs::read(&self.file) {
            Ok(bytes) => bytes.try_into().map_err(|_| io::Error::other("session.key is not 32 bytes long"))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mut fresh = [0u8; 32];
                rand::rng().fill(&mut fresh);
                replace(&self.file, &fresh)?;
                fresh
            }
            Err(error) => return Err(error),
        };
        *slot = Some(master);
        Ok(master)
    }
}

fn keyed(master: &[u8; 32], purpose: &str, text: &str) -> Hmac<Sha256> {
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(master).expect("HMAC takes a key of any length");
    mac.update(purpose.as_bytes());
    mac.update(&[0]);
    mac.update(text.as_bytes());
    mac
}

fn session_secret(master: &[u8; 32], access_key_id: &str) -> Secret {
    let mut secret = STANDARD.encode(keyed(master, "secret", access_key_id).finalize().into_bytes());
    secret.truncate(40);
    Secret(secret)
}

#[cfg(test)]
mod tests {

    use super::*;

    fn keyring() -> (tempfile::TempDir, Keyring) {
        let dir = tempfile::tempdir().unwrap();
        let keyring = Keyring::new(&Home::open(dir.path()).unwrap());
        (dir, keyring)
    }

    fn role() -> Caller {
        Caller::Role { role_arn: "arn:aws:iam::000000000000:role/r".into(), arn: "arn:…".into() }
    }

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    #[test]
    fn a_session_is_known_by_its_token_alone_until_it_expires() {
        let (dir, keyring) = keyring();
        let session = keyring.issue(role(), NOW.plus_millis(5), &Ids::Random).unwrap();
        let again = Keyring::new(&Home::open(dir.path()).unwrap());
        let found = again.identify(&session.access_key_id, Some(session.token.expose()), NOW).unwrap();
        assert_eq!((found.caller, found.secret), (role(), session.secret));
        let late = again.identify(&session.access_key_id, Some(session.token.expose()), NOW.plus_millis(5));
        assert_eq!(late.unwrap_err(), Rejected::Expired);
    }

    #[test]
    fn a_token_that_was_touched_or_belongs_to_another_key_is_unknown() {
        let (_dir, keyring) = keyring();
        let session = keyring.issue(role(), NOW.plus_millis(5), &Ids::Random).unwrap();
        let good = session.token.expose();
        for (key, token) in [
            ("ASIAOTHER", good.to_owned()),
            (&*session.access_key_id, format!("e{good}")),
            (&*session.access_key_id, format!("{good}A")),
            (&*session.access_key_id, good.replace('.', "")),
            (&*session.access_key_id, "x".into()),
            (ROOT_KEY, good.to_owned()),
        ] {
            assert_eq!(keyring.identify(key, Some(&token), NOW).unwrap_err(), Rejected::Unknown, "{key} {token}");
        }
        assert_eq!(keyring.identify(&session.access_key_id, None, NOW).unwrap_err(), Rejected::Unknown);
    }

    #[test]
    fn a_session_does_not_show_its_secrets() {
        let (_dir, keyring) = keyring();
        let session = keyring.issue(role(), NOW, &Ids::Random).unwrap();
        let shown = format!("{session:?}");
        assert!(shown.contains(&session.access_key_id), "{shown}");
        for secret in [&session.secret, &session.token] {
            assert!(!shown.contains(secret.expose()), "{shown}");
        }
    }

    #[test]
    fn the_root_key_and_users_keys_are_known() {
        let (_dir, keyring) = keyring();
        assert_eq!(keyring.identify("test", None, NOW).unwrap().caller, Caller::Root);
        let key = UserKey { user: "u".into(), arn: "arn".into(), secret: Secret::new("s") };
        keyring.put_user_key("AKIA1", key);
        assert_eq!(keyring.identify("AKIA1", Some(""), NOW).unwrap().secret.expose(), "s");
        keyring.remove_user_key("AKIA1");
        assert_eq!(keyring.identify("AKIA1", None, NOW).unwrap_err(), Rejected::Unknown);
    }
}
