//! Labels for what text means, and the styles a terminal shows them in.

use std::borrow::Cow;

/// What a piece of text is. The theme decides how it looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    Heading,
    Name,
    Dim,
    Good,
    Bad,
    Warning,
    Hint,
    Added,
    Changed,
    Replaced,
    Removed,
    /// One of several lines of a chart, counted from 0.
    Series(usize),
}

/// The colours of lines in a chart; neighbours differ in brightness too.
const SERIES: [&str; 6] = ["36", "33", "35", "32", "34", "31"];

/// The terminal says of itself that it can only write lines.
pub(super) fn is_dumb() -> bool {
    std::env::var_os(crate::env::TERM).is_some_and(|value| value == "dumb")
}

/// Colours, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Theme {
    colour: bool,
}

impl Theme {
    pub const PLAIN: Theme = Theme { colour: false };
    #[cfg(test)]
    pub(crate) const COLOURED: Theme = Theme { colour: true };

    /// Colours when the stream is a terminal that has some, and `NO_COLOR` is not set (<https://no-color.org>).
    pub fn for_stream(terminal: bool) -> Self {
        let refused = std::env::var_os(crate::env::NO_COLOR).is_some_and(|value| !value.is_empty()) || is_dumb();
        Theme { colour: terminal && !refused }
    }

    pub fn has_colours(self) -> bool {
        self.colour
    }

    pub fn paint<'a>(self, label: Label, text: &'a str) -> Cow<'a, str> {
        if !self.colour || text.is_empty() {
            return Cow::Borrowed(text);
        }
        let code = match label {
            Label::Heading | Label::Name => "1",
            Label::Dim => "2",
            Label::Good | Label::Added => "32",
            Label::Bad | Label::Removed => "1;31",
            Label::Warning | Label::Changed => "33",
            Label::Replaced => "35",
            Label::Hint => "36",
            Label::Series(index) => SERIES[index % SERIES.len()],
        };
        Cow::Owned(format!("\x1b[{code}m{text}\x1b[0m"))
    }

    /// Tells several things of one kind apart: the same number, the same colour.
    pub fn tell_apart(self, number: usize, text: &str) -> Cow<'_, str> {
        const COLOURS: [&str; 6] = ["36", "32", "35", "33", "34", "96"];
        match self.colour {
            true => Cow::Owned(format!("\x1b[{}m{text}\x1b[0m", COLOURS[number % COLOURS.len()])),
            false => Cow::Borrowed(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_coloured_by_label_and_left_alone_without_a_terminal() {
        assert_eq!(Theme { colour: true }.paint(Label::Added, "new"), "\x1b[32mnew\x1b[0m");
        assert_eq!(Theme::PLAIN.paint(Label::Added, "new"), "new");
    }
}
