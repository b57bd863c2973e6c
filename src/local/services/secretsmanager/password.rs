//! `GetRandomPassword`.

use rand::RngExt;
use serde::Deserialize;

use super::faults::SecretFault;

const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const DIGITS: &str = "0123456789";
const PUNCTUATION: &str = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

/// What a password is made of.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Wish {
    pub password_length: Option<usize>,
    pub exclude_characters: Option<String>,
    pub exclude_numbers: Option<bool>,
    pub exclude_punctuation: Option<bool>,
    pub exclude_uppercase: Option<bool>,
    pub exclude_lowercase: Option<bool>,
    pub include_space: Option<bool>,
    pub require_each_included_type: Option<bool>,
}

/// A random password; with one character of each type at least unless the wish says otherwise.
pub(super) fn random(wish: &Wish) -> Result<String, SecretFault> {
    let length = wish.password_length.unwrap_or(32);
    if !(1..=4096).contains(&length) {
        return Err(SecretFault::InvalidParameter(
            "InvalidParameterException: PasswordLength must be between 1 and 4096.".into(),
        ));
    }
    let excluded = wish.exclude_characters.as_deref().unwrap_or_default();
    let types = [
        (LOWER, wish.exclude_lowercase.unwrap_or(false)),
        (UPPER, wish.exclude_uppercase.unwrap_or(false)),
        (DIGITS, wish.exclude_numbers.unwrap_or(false)),
        (PUNCTUATION, wish.exclude_punctuation.unwrap_or(false)),
        (" ", !wish.include_space.unwrap_or(false)),
    ];
    let types = types.into_iter().filter(|(_, left_out)| !left_out);
    let types: Vec<Vec<char>> = types
        .map(|(all, _)| all.chars().filter(|c| !excluded.contains(*c)).collect::<Vec<char>>())
        .filter(|left| !left.is_empty())
        .collect();
    let all: Vec<char> = types.concat();
    if all.is_empty() {
        return Err(SecretFault::InvalidParameter(
            "The password can't be generated: no character is left to choose from.".into(),
        ));
    }
    let each = wish.require_each_included_type.unwrap_or(true);
    if each && length < types.len() {
        return Err(SecretFault::InvalidParameter("The password length is too short for the required types.".into()));
    }
    let mut random = rand::rng();
    let mut pick = |from: &[char]| from[random.random_range(0..from.len())];
    let mut password: Vec<char> = if each { types.iter().map(|one| pick(one)).collect() } else { Vec::new() };
    while password.len() < length {
        password.push(pick(&all));
    }
    for last in (1..password.len()).rev() {
        password.swap(last, random.random_range(0..=last));
    }
    Ok(password.into_iter().collect())
}

#[cfg(test)]
mod tests {

    use super::*;

    #[test]
    fn a_password_has_each_type_and_nothing_excluded() {
        for _ in 0..200 {
            let wish =
                Wish { password_length: Some(8), exclude_characters: Some("abc\"@/\\".into()), ..Wish::default() };
            let password = random(&wish).unwrap();
            assert_eq!(password.chars().count(), 8);
            assert!(!password.contains(['a', 'b', 'c', '"', '@', '/', '\\', ' ']), "{password}");
            for all in [LOWER, UPPER, DIGITS, PUNCTUATION] {
                assert!(password.contains(|c| all.contains(c)), "{password}");
            }
        }
        let nothing = Wish {
            exclude_lowercase: Some(true),
            exclude_uppercase: Some(true),
            exclude_numbers: Some(true),
            exclude_punctuation: Some(true),
            ..Wish::default()
        };
        assert!(random(&nothing).is_err());
        assert!(random(&Wish { password_length: Some(3), ..Wish::default() }).is_err());
    }
}
