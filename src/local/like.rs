//! The wildcards of policies and filters.

/// IAM's wildcards: `*` for any text, `?` for any one character.
pub(super) fn is_like(pattern: &str, text: &str) -> bool {
    let pieces: Vec<Piece> = pattern.chars().map(Piece::of).collect();
    fits(&pieces, text)
}

/// EC2's wildcards: IAM's, and `\\` before one that stands for itself.
pub(super) fn is_like_escaped(pattern: &str, text: &str) -> bool {
    let mut letters = pattern.chars();
    let mut pieces = Vec::new();
    while let Some(letter) = letters.next() {
        pieces.push(match letter {
            '\\' => Piece::Letter(letters.next().unwrap_or('\\')),
            _ => Piece::of(letter),
        });
    }
    fits(&pieces, text)
}

enum Piece {
    Any,
    One,
    Letter(char),
}

impl Piece {
    fn of(letter: char) -> Self {
        match letter {
            '*' => Piece::Any,
            '?' => Piece::One,
            letter => Piece::Letter(letter),
        }
    }

    fn takes(&self, letter: char) -> bool {
        match self {
            Piece::Any => false,
            Piece::One => true,
            Piece::Letter(own) => *own == letter,
        }
    }
}

fn fits(pieces: &[Piece], text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut from) = (0, 0);
    // Where the last `*` was, and how much of the text it has taken.
    let mut star: Option<(usize, usize)> = None;
    while from < text.len() {
        match (pieces.get(at), star) {
            (Some(Piece::Any), _) => {
                star = Some((at, from));
                at += 1;
            }
            (Some(piece), _) if piece.takes(text[from]) => {
                at += 1;
                from += 1;
            }
            (_, Some((back, taken))) => {
                star = Some((back, taken + 1));
                at = back + 1;
                from = taken + 1;
            }
            (_, None) => return false,
        }
    }
    pieces[at..].iter().all(|piece| matches!(piece, Piece::Any))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_text_and_a_question_mark_one_character() {
        for (pattern, text) in [("*", ""), ("a*c", "abbc"), ("a?c", "abc"), ("*:b*", "a:b:c"), ("", ""), ("\\*", "\\x")]
        {
            assert!(is_like(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("a*c", "ab"), ("a?c", "ac"), ("", "a"), ("a", "")] {
            assert!(!is_like(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn a_backslash_makes_a_wildcard_a_letter() {
        for (pattern, text) in
            [("lab-*", "lab-a"), ("\\*", "*"), ("a\\?", "a?"), ("\\\\", "\\"), ("*b*", "abc"), ("\\", "\\")]
        {
            assert!(is_like_escaped(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("lab-?", "lab-ab"), ("\\*", "x"), ("a\\?", "ab"), ("", "x")] {
            assert!(!is_like_escaped(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn a_pattern_of_many_stars_is_answered_at_once() {
        let began = std::time::Instant::now();
        assert!(!is_like_escaped(&"*a".repeat(60), &"a".repeat(59)));
        assert!(began.elapsed() < std::time::Duration::from_secs(5));
    }
}
