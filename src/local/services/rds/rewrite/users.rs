//! Users that IAM vouches for.

use super::{Edits, Kind, Rules, SqlError, Token, unsupported};

/// `AWSAuthenticationPlugin` becomes the engine's own plugin with an internal password that only the front door knows.
pub(super) fn edit(statement: &[Token<'_>], rules: &Rules<'_>, edits: &mut Edits) -> Result<(), SqlError> {
    if !statement.first().is_some_and(|token| token.is_any(&["CREATE", "ALTER"]))
        || !statement.get(1).is_some_and(|token| token.is("USER"))
    {
        return Ok(());
    }
    for (at, window) in statement.windows(3).enumerate() {
        let [identified, with, plugin] = window else { continue };
        if !identified.is("IDENTIFIED") || !with.is_any(&["WITH", "VIA"]) {
            continue;
        }
        let plugin_name = plugin.value();
        if plugin_name.eq_ignore_ascii_case(b"AWSAuthenticationPlugin") {
            let user = user_before(&statement[..at])
                .ok_or_else(|| unsupported("AWSAuthenticationPlugin for a user that is not named"))?;
            let end = match &statement[at + 3..] {
                [with, text, ..] if with.is_any(&["AS", "USING"]) && text.kind == Kind::Text => {
                    if text.value() != b"RDS" {
                        return Err(unsupported("AWSAuthenticationPlugin AS anything but 'RDS'"));
                    }
                    text.end()
                }
                _ => return Err(unsupported("AWSAuthenticationPlugin without AS 'RDS'")),
            };
            edits.replace(identified.start, end, (rules.vouched_for)(&user));
        } else if with.is("WITH") {
            // `IDENTIFIED WITH plugin BY 'password'`: the engine keeps it under its own default plugin where it lacks that one.
            let absent: &[&str] = match rules.mariadb {
                true => &["mysql_native_password", "caching_sha2_password"],
                false => &["mysql_native_password"],
            };
            let known = absent.iter().any(|name| plugin_name.eq_ignore_ascii_case(name.as_bytes()));
            if known && statement.get(at + 3).is_some_and(|token| token.is("BY")) {
                edits.replace(with.start, plugin.end(), "");
                // The blank after the plugin's name stays; the one before goes.
                if let Some(blank) = with.start.checked_sub(1).filter(|blank| *blank >= identified.end()) {
                    edits.replace(blank, with.start, "");
                }
            }
        }
    }
    Ok(())
}

/// The user name that ends `tokens`: `u`, `'u'@'%'`, `` `u`@localhost ``.
fn user_before(tokens: &[Token<'_>]) -> Option<Vec<u8>> {
    let user = match tokens {
        [.., user, at, _host] if at.is_mark(b'@') => user,
        [.., user] => user,
        [] => return None,
    };
    let named = matches!(user.kind, Kind::Word | Kind::Name | Kind::Text) && !user.is("CURRENT_USER");
    named.then(|| user.value())
}
