//! Lines of functions' logs as people read them.

use super::printer::tame;
use super::theme::{Label, Theme};
use super::words;

/// One event of a log.
#[derive(Debug)]
pub struct Line<'a> {
    /// Milliseconds since the epoch.
    pub time: i64,
    /// Which of several functions it is of.
    pub of: Option<Of<'a>>,
    pub message: &'a str,
    /// Lambda wrote it, not the function.
    pub platforms: bool,
}

/// One of several functions.
#[derive(Debug)]
pub struct Of<'a> {
    pub name: &'a str,
    pub number: usize,
    /// The width of the longest name.
    pub width: usize,
}

impl Line<'_> {
    /// The line with its end. What steers the terminal is made harmless where it is one (`tamed`).
    pub fn text(&self, theme: Theme, tamed: bool) -> String {
        let message = message(theme, self.message, self.platforms, tamed);
        let of = self.of.as_ref().map(|of| {
            let name = format!("{:width$}", of.name, width = of.width);
            format!("{}  ", theme.tell_apart(of.number, &name))
        });
        let time = words::moment(self.time);
        format!("{}  {}{message}\n", theme.paint(Label::Dim, &time), of.unwrap_or_default())
    }
}

/// What an event says, without its time: dimmed, if Lambda wrote it.
pub fn message(theme: Theme, message: &str, platforms: bool, tamed: bool) -> String {
    let message = message.trim_end_matches(['\n', '\r', '\t', ' ']);
    let message = if tamed { tame(message) } else { message.to_owned() };
    // The rest of an event of several lines stands below its beginning.
    let message = message.replace('\n', "\n    ");
    if platforms { theme.paint(Label::Dim, &message).into_owned() } else { message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_its_time_its_function_and_a_message_that_steers_no_terminal() {
        let of = Of { name: "api", number: 1, width: 6 };
        let line = Line { time: 1_700_000_000_123, of: Some(of), message: "one\u{1b}[2J\ntwo\n", platforms: false };
        assert_eq!(line.text(Theme::PLAIN, true), "2023-11-14T22:13:20.123Z  api     one\\u{1b}[2J\n    two\n");
        let alone = Line { of: None, ..line };
        assert_eq!(alone.text(Theme::PLAIN, false), "2023-11-14T22:13:20.123Z  one\u{1b}[2J\n    two\n");
    }
}
