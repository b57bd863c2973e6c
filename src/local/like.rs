//! The wildcards of policies.

/// IAM's wildcards: `*` for any text, `?` for any one character.
pub(super) fn is_like(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut from) = (0, 0);
    // Where the last `*` was, and how much of the text it has taken.
    let mut star: Option<(usize, usize)> = None;
    while from < text.len() {
        match (pattern.get(at), star) {
            (Some('*'), _) => {
                star = Some((at, from));
                at += 1;
            }
            (Some(&letter), _) if letter == '?' || letter == text[from] => {
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
    pattern[at..].iter().all(|letter| *letter == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_text_and_a_question_mark_one_character() {
        for (pattern, text) in [("*", ""), ("a*c", "abbc"), ("a?c", "abc"), ("*:b*", "a:b:c"), ("", "")] {
            assert!(is_like(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("a*c", "ab"), ("a?c", "ac"), ("", "a"), ("a", "")] {
            assert!(!is_like(pattern, text), "{pattern} {text}");
        }
    }
}
