//! One trace as bars under each other: for the terminal, readable without colours, and as SVG.

use super::printer::steers;
use super::theme::{Label, Theme};
use super::words;
use crate::engine::traces::{Mark, Span, Trace};
use svg::Document;
use svg::node::element::{Group, Line, Rectangle, Text, Title};
use unicode_width::UnicodeWidthStr;

/// Columns of a duration with the blanks around it, and before the bars.
const FIXED: usize = 2 + 9 + 2 + 2;
/// Columns for names, at most and at least.
const NAMES: (usize, usize) = (46, 12);
/// The shortest line that bars are drawn on.
const SHORTEST_BAR: usize = 16;

/// `0.42 ms`, `84 ms`, `2.50 s`: three figures or so.
pub fn millis(time: f64) -> String {
    match time {
        small if small < 9.995 => format!("{small:.2} ms"),
        usual if usual < 999.5 => format!("{usual:.0} ms"),
        long if long < 59_995.0 => format!("{:.2} s", long / 1000.0),
        longer => format!("{:.1} min", longer / 60_000.0),
    }
}

fn label(mark: Mark) -> Label {
    match mark {
        Mark::Ok => Label::Good,
        Mark::Open => Label::Dim,
        Mark::Error | Mark::Throttle => Label::Warning,
        Mark::Fault => Label::Bad,
    }
}

/// Without colours the pattern tells.
const fn pattern(mark: Mark) -> &'static str {
    match mark {
        Mark::Ok => "█",
        Mark::Open => "░",
        Mark::Error | Mark::Throttle => "▒",
        Mark::Fault => "▓",
    }
}

/// Text and trailing blanks, `width` columns together; what is too long ends in `…`.
fn fitted(text: &str, width: usize) -> String {
    let kept = words::cut(text, width);
    let blanks = width.saturating_sub(kept.width());
    kept + &" ".repeat(blanks)
}

/// What a function or a client has sent may hold characters that steer the terminal, or that SVG has no place for.
pub fn plain(text: &str) -> String {
    text.split_whitespace().map(|word| word.replace(steers, "\u{fffd}")).collect::<Vec<_>>().join(" ")
}

/// What stands before a bar: `  Lambda (aws)`.
fn named(span: &Span) -> String {
    format!("{}{}", "  ".repeat(span.depth), titled(span))
}

fn titled(span: &Span) -> String {
    let kind = span.kind.as_ref().map(|kind| format!(" ({})", plain(kind))).unwrap_or_default();
    plain(&span.name) + &kind
}

/// The word for what went wrong, or the status.
fn outcome(span: &Span) -> String {
    let status = span.status.map(|status| status.to_string()).unwrap_or_default();
    let word = span.mark.word();
    match (status.is_empty(), word.is_empty()) {
        (false, false) => format!("{status} {word}"),
        (_, true) => status,
        (true, false) => word.to_owned(),
    }
}

/// The trace as text, `width` columns wide.
pub fn text(trace: &Trace, width: usize, theme: Theme) -> String {
    let names = trace.spans.iter().map(|span| named(span).width()).max().unwrap_or(0).clamp(NAMES.1, NAMES.0);
    let outcomes = trace.spans.iter().map(|span| outcome(span).width()).max().unwrap_or(0);
    let room = width.saturating_sub(names + outcomes + FIXED).max(SHORTEST_BAR);
    let mut text = String::new();
    let end = millis(trace.duration_ms);
    let axis = format!("0{}{end}", " ".repeat(room.saturating_sub(1 + end.width())));
    let blank = " ".repeat(names + outcomes + FIXED);
    text.push_str(&format!("{blank}{}\n", theme.paint(Label::Dim, &axis)));
    for span in &trace.spans {
        let took = span.duration_ms.map_or_else(|| "…".to_owned(), millis);
        let bar = bar(span, trace.duration_ms, room);
        let line = format!(
            "{}  {took:>9}  {}  {}{}",
            fitted(&named(span), names),
            theme.paint(label(span.mark), &fitted(&outcome(span), outcomes)),
            " ".repeat(bar.0),
            theme.paint(label(span.mark), &pattern(span.mark).repeat(bar.1)),
        );
        text.push_str(line.trim_end());
        text.push('\n');
        let indent = "  ".repeat(span.depth + 1);
        for message in &span.messages {
            let told = fitted(&format!("{indent}! {}", plain(message)), width);
            text.push_str(&theme.paint(Label::Bad, told.trim_end()));
            text.push('\n');
        }
        if let Some(detail) = &span.detail {
            let told = fitted(&format!("{indent}· {}", plain(detail)), width);
            text.push_str(&theme.paint(Label::Dim, told.trim_end()));
            text.push('\n');
        }
    }
    text
}

/// Where a bar begins, and how long it is, of `room` columns. What is short is still seen.
fn bar(span: &Span, whole: f64, room: usize) -> (usize, usize) {
    let whole = whole.max(f64::MIN_POSITIVE);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "columns of a terminal"
    )]
    let column = |time: f64| ((time.max(0.0) / whole * room as f64).round() as usize).min(room);
    let begin = column(span.start_ms).min(room.saturating_sub(1));
    let end = span.duration_ms.map_or(room, |took| column(span.start_ms + took));
    (begin, end.saturating_sub(begin).max(1))
}

const ROW: f64 = 22.0;
const LEFT: f64 = 330.0;
const WIDTH: f64 = 1100.0;
const RIGHT: f64 = 150.0;
const TOP: f64 = 80.0;
const INK: &str = "#24292f";
const FAINT: &str = "#6e7781";

const fn colour(mark: Mark) -> &'static str {
    match mark {
        Mark::Ok => "#2da44e",
        Mark::Open => "#8c959f",
        Mark::Error => "#d4a72c",
        Mark::Throttle => "#8250df",
        Mark::Fault => "#cf222e",
    }
}

fn words(text: impl Into<String>, (x, y): (f64, f64), colour: &str) -> Text {
    Text::new(text).set("x", x).set("y", y).set("fill", colour)
}

/// The trace as an SVG document; `title` says which it is.
pub fn svg(trace: &Trace, title: &str) -> String {
    #[expect(clippy::cast_precision_loss, reason = "the rows of one picture")]
    let height = TOP + ROW * trace.spans.len() as f64 + 16.0;
    let scale = (WIDTH - LEFT - RIGHT) / trace.duration_ms.max(0.001);
    let mut document = Document::new()
        .set("viewBox", (0, 0, WIDTH, height))
        .set("width", WIDTH)
        .set("height", height)
        .set("font-family", "ui-sans-serif, system-ui, sans-serif")
        .set("font-size", 12)
        .add(Rectangle::new().set("width", WIDTH).set("height", height).set("fill", "#ffffff"))
        .add(words(plain(title), (12.0, 22.0), INK).set("font-weight", 600).set("font-size", 14))
        .add(words(trace.id.as_str(), (12.0, 40.0), FAINT));
    for tick in 0..=4 {
        let share = f64::from(tick) / 4.0;
        let x = LEFT + share * (WIDTH - LEFT - RIGHT);
        let line = Line::new().set("x1", x).set("x2", x).set("y1", TOP - 14.0).set("y2", height - 12.0);
        document = document
            .add(line.set("stroke", "#d0d7de"))
            .add(words(millis(share * trace.duration_ms), (x, TOP - 20.0), FAINT).set("text-anchor", "middle"));
    }
    for (row, span) in trace.spans.iter().enumerate() {
        #[expect(clippy::cast_precision_loss, reason = "the rows of one picture")]
        let y = TOP + ROW * row as f64;
        document = document.add(span_svg(span, y, (scale, trace.duration_ms)));
    }
    document.to_string()
}

fn span_svg(span: &Span, y: f64, (scale, whole): (f64, f64)) -> Group {
    let took = span.duration_ms.unwrap_or(whole - span.start_ms).max(0.0);
    let (x, length) = (LEFT + span.start_ms.max(0.0) * scale, (took * scale).max(2.0));
    #[expect(clippy::cast_precision_loss, reason = "the depth of a tree that is drawn")]
    let indent = 12.0 + 12.0 * span.depth.min(12) as f64;
    // Seven pixels a letter: SVG does not cut text by itself.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "columns of a picture")]
    let columns = ((LEFT - indent - 8.0) / 7.0) as usize;
    let mut told = vec![titled(span), millis(took)];
    told.extend([outcome(span)].into_iter().filter(|outcome| !outcome.is_empty()));
    told.extend(span.detail.iter().chain(&span.messages).map(|text| plain(text)));
    let bar = Rectangle::new()
        .set("x", x)
        .set("y", y)
        .set("width", length)
        .set("height", ROW - 8.0)
        .set("rx", 2)
        .set("fill", colour(span.mark));
    let tail = format!("{} {}", span.duration_ms.map_or_else(|| "…".to_owned(), millis), outcome(span));
    Group::new()
        .add(Title::new(told.join("\n")))
        .add(words(fitted(&titled(span), columns).trim_end(), (indent, y + 11.0), INK))
        .add(bar)
        .add(words(
            tail.trim(),
            (x + length + 5.0, y + 11.0),
            if span.mark == Mark::Ok { FAINT } else { colour(span.mark) },
        ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const READ: &str = "\
\x20                                                             0                                         100 ms
inventory/dev (AWS::ApiGateway::Stage)     100 ms  502 FAULT  ▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓
  · POST https://x/dev/ec2/i-1
  put                                       85 ms                  █████████████████████████████████████████
    BatchExecuteStatement                   30 ms  ERROR                         ▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒
      ! DatabaseError: <gone> & away
    Overhead                              0.04 ms                                                           █
  still at it                                   …  running                            ░░░░░░░░░░░░░░░░░░░░░░░░
";

    fn trace() -> Trace {
        let span = |id: &str, name: &str, depth, start_ms, duration_ms, mark| Span {
            id: id.to_owned(),
            name: name.to_owned(),
            depth,
            start_ms,
            duration_ms,
            mark,
            ..Span::default()
        };
        let mut first = span("a", "inventory/dev", 0, 0.0, Some(100.0), Mark::Fault);
        (first.status, first.kind) = (Some(502), Some("AWS::ApiGateway::Stage".to_owned()));
        first.detail = Some("POST https://x/dev/ec2/i-1".to_owned());
        let mut third = span("c", "BatchExecuteStatement", 2, 40.0, Some(30.0), Mark::Error);
        third.messages = vec!["DatabaseError: <gone> & away".to_owned()];
        let spans = vec![
            first,
            span("b", "put", 1, 10.0, Some(85.0), Mark::Ok),
            third,
            span("d", "Overhead", 2, 94.9, Some(0.04), Mark::Ok),
            span("e", "still at it", 1, 50.0, None, Mark::Open),
        ];
        Trace {
            id: "1-6b49d200-000000000000000000000001".to_owned(),
            start: 0.0,
            duration_ms: 100.0,
            cut: false,
            spans,
        }
    }

    #[test]
    fn names_and_messages_do_not_steer_the_terminal() {
        let mut trace = trace();
        let odd = "x\u{1b}[2J\u{202e}y".to_owned();
        let span = &mut trace.spans[0];
        (span.name, span.kind, span.detail) = (odd.clone(), Some(odd.clone()), Some(odd.clone()));
        span.messages = vec![odd];
        for drawn in [text(&trace, 110, Theme::PLAIN), svg(&trace, "t")] {
            assert!(drawn.contains("x\u{fffd}[2J\u{fffd}y") && !drawn.contains(['\u{1b}', '\u{202e}']), "{drawn}");
        }
    }

    #[test]
    fn a_waterfall_is_read_without_colours() {
        assert_eq!(text(&trace(), 110, Theme::PLAIN), READ);
    }

    #[test]
    fn a_narrow_terminal_still_gets_bars_within_their_room() {
        for width in [20, 60, 300] {
            let text = text(&trace(), width, Theme::PLAIN);
            assert_eq!(text.lines().filter(|line| line.contains(['█', '▓', '▒', '░'])).count(), 5, "{text}");
        }
        let mut empty = trace();
        empty.duration_ms = 0.0;
        assert!(text(&empty, 80, Theme::PLAIN).contains('▓'));
        assert!(text(&Trace::default(), 80, Theme::PLAIN).ends_with("0.00 ms\n"));
    }

    #[test]
    fn the_picture_has_a_bar_for_each_span_and_holds_no_raw_markup() {
        let picture = svg(&trace(), "1-6b49d200 <of> inventory");
        assert_eq!(picture.matches("<rect").count(), 1 + trace().spans.len());
        assert!(picture.starts_with("<svg") && !picture.contains("<gone>") && !picture.contains("<of>"), "{picture}");
        assert!(picture.contains("&lt;gone&gt; &amp; away") && picture.contains(colour(Mark::Fault)));
    }

    #[test]
    fn durations_have_three_figures() {
        let cases = [(0.04, "0.04 ms"), (9.99, "9.99 ms"), (84.4, "84 ms"), (999.6, "1.00 s"), (61_000.0, "1.0 min")];
        for (time, words) in cases {
            assert_eq!(millis(time), words);
        }
    }
}
