//! What MySQL has and MariaDB writes otherwise.

use super::{Edits, Kind, SqlError, Token, unsupported};

/// MySQL's collations and MariaDB's of the same rules: Unicode, no padding, the same sensitivity.
const COLLATIONS: &[(&str, &str)] = &[
    ("utf8mb4_0900_ai_ci", "utf8mb4_uca1400_nopad_ai_ci"),
    ("utf8mb4_0900_as_ci", "utf8mb4_uca1400_nopad_as_ci"),
    ("utf8mb4_0900_as_cs", "utf8mb4_uca1400_nopad_as_cs"),
    ("utf8mb4_0900_bin", "utf8mb4_nopad_bin"),
];

/// `SET ROLE ALL`.
pub(super) fn sets_all_roles(tokens: &[Token<'_>]) -> bool {
    let tokens = match tokens {
        [rest @ .., end] if end.is_mark(b';') => rest,
        all => all,
    };
    matches!(tokens, [set, role, all] if set.is("SET") && role.is("ROLE") && all.is("ALL"))
}

pub(super) fn edit(sql: &[u8], tokens: &[Token<'_>], edits: &mut Edits) -> Result<(), SqlError> {
    collations(tokens, edits);
    arrows(sql, tokens, edits);
    for statement in tokens.split(|token| token.is_mark(b';')) {
        default_role(statement, edits)?;
        functional_index(statement)?;
    }
    Ok(())
}

fn collations(tokens: &[Token<'_>], edits: &mut Edits) {
    let setting = tokens.first().is_some_and(|token| token.is("SET"));
    for (at, token) in tokens.iter().enumerate() {
        let before = at.checked_sub(1).map(|before| &tokens[before]);
        let named = match token.kind {
            Kind::Word | Kind::Name => true,
            Kind::Text => before.is_some_and(|before| {
                before.is("COLLATE") || before.is_mark(b'=') && (setting || at >= 2 && tokens[at - 2].is("COLLATE"))
            }),
            Kind::Arrow | Kind::Mark => false,
        };
        if !named {
            continue;
        }
        let name = token.value();
        if let Some((_, ours)) = COLLATIONS.iter().find(|(theirs, _)| name.eq_ignore_ascii_case(theirs.as_bytes())) {
            edits.replace(token.start, token.end(), *ours);
        }
    }
}

/// `column->'$.path'` is `JSON_EXTRACT(column, '$.path')`; `->>` unquotes it. An unnamed column of a result keeps its name.
fn arrows(sql: &[u8], tokens: &[Token<'_>], edits: &mut Edits) {
    let mut lists = SelectLists::default();
    for (at, arrow) in tokens.iter().enumerate() {
        lists.pass(arrow);
        let Some(path) = tokens.get(at + 1).filter(|next| arrow.kind == Kind::Arrow && next.kind == Kind::Text) else {
            continue;
        };
        let Some(first) = column_before(&tokens[..at]) else { continue };
        let (start, end) = (tokens[first].start, path.end());
        let (open, close) = match arrow.text {
            b"->>" => ("JSON_UNQUOTE(JSON_EXTRACT(", "))"),
            _ => ("JSON_EXTRACT(", ")"),
        };
        edits.insert(start, open);
        edits.replace(arrow.start, arrow.end(), ",");
        let before = first.checked_sub(1).map(|before| &tokens[before]);
        let alone_before =
            before.is_some_and(|token| token.is_any(&["SELECT", "DISTINCT", "ALL"]) || token.is_mark(b','));
        let alone_after = tokens.get(at + 2).is_none_or(|next| {
            next.is_any(&["FROM", "INTO", "UNION", "LIMIT"]) || next.is_mark(b',') || next.is_mark(b';')
        });
        let mut after = close.as_bytes().to_vec();
        if lists.inside() && alone_before && alone_after {
            after.extend_from_slice(b" AS `");
            for byte in &sql[start..end] {
                after.extend_from_slice(if *byte == b'`' { b"``" } else { std::slice::from_ref(byte) });
            }
            after.push(b'`');
        }
        edits.insert(end, after);
    }
}

/// Whether the tokens passed so far end inside the list of a SELECT.
#[derive(Default)]
struct SelectLists {
    here: bool,
    outer: Vec<bool>,
}

impl SelectLists {
    fn pass(&mut self, token: &Token<'_>) {
        if token.is("SELECT") {
            self.here = true;
        } else if token.is_any(&["FROM", "WHERE", "INTO", "GROUP", "ORDER", "HAVING", "LIMIT", "SET"])
            || token.is_mark(b';')
        {
            self.here = false;
        } else if token.is_mark(b'(') {
            self.outer.push(std::mem::take(&mut self.here));
        } else if token.is_mark(b')') {
            self.here = self.outer.pop().unwrap_or(false);
        }
    }

    fn inside(&self) -> bool {
        self.here
    }
}

/// Where the column that ends `tokens` begins: `c`, `t.c`, `` d.`t`.c ``.
fn column_before(tokens: &[Token<'_>]) -> Option<usize> {
    let is_name = |at: usize| matches!(tokens[at].kind, Kind::Word | Kind::Name);
    let mut first = tokens.len().checked_sub(1).filter(|last| is_name(*last))?;
    while first >= 2 && tokens[first - 1].is_mark(b'.') && is_name(first - 2) {
        first -= 2;
    }
    Some(first)
}

/// `SET DEFAULT ROLE r TO u` is `… FOR u`; MariaDB has one default role per user.
fn default_role(statement: &[Token<'_>], edits: &mut Edits) -> Result<(), SqlError> {
    let [set, default, role, rest @ ..] = statement else { return Ok(()) };
    if !(set.is("SET") && default.is("DEFAULT") && role.is("ROLE")) {
        return Ok(());
    }
    let several = rest.first().is_some_and(|first| first.is("ALL")) || rest.iter().any(|token| token.is_mark(b','));
    if several {
        return Err(unsupported("SET DEFAULT ROLE with more than one role on MariaDB"));
    }
    if let Some(to) = rest.iter().find(|token| token.is("TO")) {
        edits.replace(to.start, to.end(), "FOR");
    }
    Ok(())
}

fn functional_index(statement: &[Token<'_>]) -> Result<(), SqlError> {
    if !statement.first().is_some_and(|first| first.is_any(&["CREATE", "ALTER"])) {
        return Ok(());
    }
    for (at, token) in statement.iter().enumerate() {
        if !token.is_any(&["INDEX", "KEY"]) {
            continue;
        }
        // At most a name, `USING BTREE` and `ON table` stand between the word and its columns.
        let open = statement[at..].iter().take(10).position(|token| token.is_mark(b'('));
        if open.is_some_and(|open| statement.get(at + open + 1).is_some_and(|next| next.is_mark(b'('))) {
            return Err(unsupported("a functional index on MariaDB; index a generated column"));
        }
    }
    Ok(())
}
