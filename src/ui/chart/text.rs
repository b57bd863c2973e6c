//! A chart as lines of text.

use unicode_width::UnicodeWidthStr;

use super::Chart;
use super::frame::Frame;
use super::raster::{Cell, Dots, Raster};
use crate::ui::theme::{Label, Theme};

/// Room for a chart: everything included across, the lines of the plot down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    pub columns: usize,
    pub rows: usize,
}

impl Default for Size {
    fn default() -> Self {
        Size { columns: 80, rows: 12 }
    }
}

/// Where colours cannot tell series apart, signs do.
const SIGNS: [char; 8] = ['*', 'o', '+', 'x', '#', '@', '%', '&'];
/// A plot is never narrower or lower, however little room there is.
const LEAST: Size = Size { columns: 16, rows: 4 };

/// How the dots of one cell and the lines around the plot look.
struct Signs {
    per_cell: Dots,
    upright: &'static str,
    tick: &'static str,
    corner: &'static str,
    floor: &'static str,
    mark: &'static str,
}

const BRAILLE: Signs =
    Signs { per_cell: Dots(2, 4), upright: "│", tick: "┤", corner: "└", floor: "─", mark: "┬" };
const ASCII: Signs = Signs { per_cell: Dots(1, 1), upright: "|", tick: "+", corner: "+", floor: "-", mark: "+" };

pub(super) fn render(chart: &Chart, size: Size, theme: Theme) -> String {
    let title = theme.paint(Label::Heading, &chart.title).into_owned();
    if chart.is_empty() {
        return format!("{title}\n{}\n", theme.paint(Label::Dim, "nothing to show"));
    }
    let signs = if theme.has_colours() { &BRAILLE } else { &ASCII };
    let rows = size.rows.max(LEAST.rows);
    // Labels of hours are five wide: twelve for each keeps them apart.
    let frame = Frame::of(chart, (size.columns / 12).max(2), (rows / 3).max(2));
    let margin = frame.y.ticks.iter().map(|(_, label)| label.width()).max().unwrap_or(0);
    let columns = size.columns.saturating_sub(margin + 2).max(LEAST.columns);
    let mut raster = Raster::new(columns, rows, signs.per_cell);
    for (index, series) in chart.series.iter().enumerate() {
        raster.draw(index, series, &frame);
    }
    let mut lines = vec![title, theme.paint(Label::Dim, &frame.y.heading).into_owned()];
    lines.extend(plot(&frame, &raster, signs, margin, theme));
    lines.extend(below(&frame, &raster, signs, (margin, columns), theme));
    lines.extend(legend(chart, size.columns.max(LEAST.columns), theme));
    lines.iter().map(|line| format!("{}\n", line.trim_end())).collect()
}

fn plot(frame: &Frame, raster: &Raster, signs: &Signs, margin: usize, theme: Theme) -> Vec<String> {
    let mut labels: Vec<Option<&str>> = vec![None; raster.rows().count()];
    for (at, label) in &frame.y.ticks {
        labels[raster.row_of(*at, frame)] = Some(label);
    }
    let rows = raster.rows().zip(labels).map(|(cells, label)| {
        let edge = if label.is_some() { signs.tick } else { signs.upright };
        let edge = format!("{:>margin$} {edge}", label.unwrap_or_default());
        // Neighbours that look alike are painted at once.
        let runs = cells.chunk_by(|a, b| (a.dots == 0, a.series) == (b.dots == 0, b.series));
        let cells: String = runs.map(|run| painted(run, theme)).collect();
        format!("{}{cells}", theme.paint(Label::Dim, &edge))
    });
    rows.collect()
}

fn painted(run: &[Cell], theme: Theme) -> String {
    let signs: String = run.iter().map(|cell| sign(*cell, theme)).collect();
    match run.first() {
        Some(cell) if cell.dots > 0 => theme.paint(Label::Series(cell.series), &signs).into_owned(),
        _ => signs,
    }
}

fn sign(cell: Cell, theme: Theme) -> char {
    if cell.dots == 0 {
        return ' ';
    }
    if !theme.has_colours() {
        return SIGNS[cell.series % SIGNS.len()];
    }
    // The bits of U+2800: the upper three rows go down the left column and then the right one, the fourth row came later.
    const BITS: [u32; 8] = [0x01, 0x08, 0x02, 0x10, 0x04, 0x20, 0x40, 0x80];
    let bits: u32 = BITS.iter().enumerate().filter(|(bit, _)| cell.dots & 1 << bit != 0).map(|(_, bits)| bits).sum();
    char::from_u32(0x2800 + bits).unwrap_or(' ')
}

/// The floor with its marks, the labels below them, and what they mean.
fn below(
    frame: &Frame,
    raster: &Raster,
    signs: &Signs,
    (margin, columns): (usize, usize),
    theme: Theme,
) -> Vec<String> {
    let mut floor = vec![signs.floor; columns];
    let mut labels = String::new();
    for (at, label) in &frame.x.ticks {
        let column = raster.column_of(*at, frame);
        floor[column] = signs.mark;
        // Under its mark, but neither over the edge nor over its neighbour.
        let begin = column.saturating_sub(label.width() / 2).min(columns.saturating_sub(label.width()));
        if labels.is_empty() || begin > labels.width() {
            labels.push_str(&" ".repeat(begin - labels.width()));
            labels.push_str(label);
        }
    }
    let indent = " ".repeat(margin + 2);
    let centred = " ".repeat(columns.saturating_sub(frame.x.heading.width()) / 2);
    let lines = [
        format!("{}{}{}", " ".repeat(margin + 1), signs.corner, floor.concat()),
        format!("{indent}{labels}"),
        format!("{indent}{centred}{}", frame.x.heading),
    ];
    lines.iter().map(|line| theme.paint(Label::Dim, line.trim_end()).into_owned()).collect()
}

/// Names beside how their lines look, as many in a line as fit. One series alone is named by the title.
fn legend(chart: &Chart, columns: usize, theme: Theme) -> Vec<String> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    if chart.series.len() < 2 && chart.series.iter().all(|series| series.name.is_empty()) {
        return Vec::new();
    }
    for (index, series) in chart.series.iter().enumerate() {
        let sample = if theme.has_colours() { "⠒⠒".to_owned() } else { SIGNS[index % SIGNS.len()].to_string() };
        let width = sample.width() + 1 + series.name.width();
        let entry = format!("{} {}", theme.paint(Label::Series(index), &sample), series.name);
        match lines.last_mut().filter(|(used, _)| used + 3 + width <= columns) {
            Some((used, line)) => {
                *used += 3 + width;
                line.push_str("   ");
                line.push_str(&entry);
            }
            None => lines.push((width, entry)),
        }
    }
    lines.into_iter().map(|(_, line)| line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::chart::{Axis, Series};

    const SMALL: Size = Size { columns: 44, rows: 5 };

    /// Two boards through a night: 22:00 to 02:00 UTC.
    fn night() -> Chart {
        let hours = |counts: [f64; 5]| {
            counts.iter().enumerate().map(|(hour, count)| (1_795_384_800.0 + hour as f64 * 3600.0, *count)).collect()
        };
        Chart {
            title: "events per hour".to_owned(),
            x: Axis::time("time"),
            y: Axis::numbers("events", "per hour"),
            series: vec![
                Series::new("board-1", hours([100.0, 400.0, 300.0, 0.0, 500.0])),
                Series::new("board-2", hours([50.0, 50.0, f64::NAN, 50.0, 50.0])),
            ],
        }
    }

    #[test]
    fn without_colours_series_are_told_apart_by_signs_of_ascii() {
        insta::assert_snapshot!(night().text(SMALL, Theme::PLAIN), @r"
        events per hour
        events (per hour)
        500 +                                     **
            |        *******                    **
            |   *****       *******           **
            |***                   *****    **
          0 +ooooooooooo                **oooooooooo
            ++------------------+------------------+
             22:00           23 Nov            02:00
                           time (UTC)
        * board-1   o board-2
        ");
    }

    #[test]
    fn with_colours_lines_are_of_braille_and_each_series_has_its_own() {
        let text = night().text(SMALL, Theme::COLOURED);
        assert!(text.contains("\x1b[36m⠒⠒\x1b[0m board-1") && text.contains("\x1b[33m⠒⠒\x1b[0m board-2"), "{text}");
        assert!(text.chars().any(|sign| ('\u{2801}'..='\u{28ff}').contains(&sign)));
    }

    #[test]
    fn a_point_alone_is_drawn_so_that_it_is_seen() {
        let alone = Chart { series: vec![Series::new("board-1", vec![(1_795_384_800.0, 1.0)])], ..night() };
        assert_eq!(alone.text(SMALL, Theme::COLOURED).matches('\u{28ff}').count(), 1);
        assert_eq!(alone.text(SMALL, Theme::PLAIN).matches('*').count(), 2, "the point and the legend");
        assert!(alone.svg().contains("r=\"5\""));
    }

    #[test]
    fn every_line_keeps_to_its_width() {
        for columns in [30, 44, 80, 200] {
            for line in night().text(Size { columns, rows: 8 }, Theme::PLAIN).lines() {
                assert!(line.width() <= columns, "{columns}: {line}");
            }
        }
    }

    #[test]
    fn odd_values_are_drawn_or_left_out_and_never_fatal() {
        let odd = [
            vec![],
            vec![(0.0, 0.0)],
            vec![(5.0, -3.0), (5.0, -3.0)],
            vec![(f64::NAN, 1.0), (1.0, f64::NEG_INFINITY)],
            vec![(0.0, f64::MAX), (1.0, -f64::MAX)],
            vec![(-1e200, -1e200), (1e200, 1e200)],
            vec![(0.0, 1e-300), (1e-300, 0.0)],
            vec![(0.0, 1e-9), (1.0, 2e-9)],
        ];
        for points in odd {
            for x in [Axis::time("t"), Axis::numbers("x", "s")] {
                let chart = Chart { x, series: vec![Series::new("a", points.clone())], ..night() };
                for theme in [Theme::PLAIN, Theme::COLOURED] {
                    assert!(chart.text(Size { columns: 0, rows: 0 }, theme).contains("events per hour"));
                }
                assert!(!chart.svg().contains("NaN"), "{points:?}");
            }
        }
    }
}
