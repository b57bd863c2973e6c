//! `${Name}` in the texts of a lab: data targets, checks, SQL.

use std::iter::from_fn;

/// A piece of such a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'t> {
    Text(&'t str),
    /// `${name}`, which begins at this byte.
    Name {
        name: &'t str,
        at: usize,
    },
    /// The rest, from a `${` that nothing closes.
    Open {
        rest: &'t str,
        at: usize,
    },
}

/// Takes a text apart.
pub fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut at = 0;
    from_fn(move || {
        let rest = &text[at..];
        let begun = at;
        let piece = match rest.find("${") {
            _ if rest.is_empty() => return None,
            Some(0) => match rest.find('}') {
                Some(end) => Piece::Name { name: &rest[2..end], at: begun },
                None => Piece::Open { rest, at: begun },
            },
            Some(start) => Piece::Text(&rest[..start]),
            None => Piece::Text(rest),
        };
        at += match piece {
            Piece::Text(text) => text.len(),
            Piece::Name { name, .. } => name.len() + 3,
            Piece::Open { rest, .. } => rest.len(),
        };
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_its_pieces() {
        let found: Vec<Piece<'_>> = pieces("a${B}${}c $ {x} ${").collect();
        assert_eq!(
            found,
            [
                Piece::Text("a"),
                Piece::Name { name: "B", at: 1 },
                Piece::Name { name: "", at: 5 },
                Piece::Text("c $ {x} "),
                Piece::Open { rest: "${", at: 16 },
            ]
        );
        assert_eq!(pieces("").count(), 0);
    }
}
