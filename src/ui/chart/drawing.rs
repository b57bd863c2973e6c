//! Charts as an SVG document.

use svg::Document;
use svg::node::element::{Circle, Group, Line, Path, Rectangle, Text, Title};
use unicode_width::UnicodeWidthStr;

use super::frame::{Frame, Side};
use super::{Chart, Series};
use crate::ui::words::cut;

const WIDTH: f64 = 960.0;
/// Height of a panel without its legend.
const PANEL: f64 = 420.0;
const PLOT_TOP: f64 = 76.0;
const PLOT_HEIGHT: f64 = 268.0;
const PLOT_RIGHT: f64 = WIDTH - 28.0;
const LEGEND_LINE: f64 = 24.0;
const FONT: &str = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif";
const INK: &str = "#1f2328";
const FAINT: &str = "#57606a";
const GRID: &str = "#d8dee4";
/// Of a letter of 14 pixels, on the safe side: nothing here can measure a font.
const LETTER: f64 = 8.0;
/// Told apart by the colour-blind as well (Okabe and Ito), dark enough on white.
const COLOURS: [&str; 7] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8c6d00", "#56b4e9", "#000000"];
/// When the colours come round again.
const DASHES: [&str; 3] = ["none", "8 4", "2 4"];
/// More points than this are drawn as a line alone.
const MOST_CIRCLES: usize = 400;
const LONGEST_NAME: usize = 48;

/// One document with a panel for each chart, below one another.
pub fn document(charts: &[Chart]) -> String {
    let (mut top, mut all) = (0.0, Group::new());
    for chart in charts {
        let (panel, height) = panel(chart);
        all = all.add(panel.set("transform", format!("translate(0 {top})")));
        top += height;
    }
    let titles: Vec<&str> = charts.iter().map(|chart| chart.title.as_str()).collect();
    let document = Document::new()
        .set("width", WIDTH)
        .set("height", top)
        .set("viewBox", format!("0 0 {WIDTH} {top}"))
        .set("role", "img")
        .set("font-family", FONT)
        .set("font-size", 14)
        .add(Title::new(clean(&titles.join("; "))))
        .add(Rectangle::new().set("width", "100%").set("height", "100%").set("fill", "#ffffff"))
        .add(all);
    format!("{document}\n")
}

/// A chart and how high it is.
fn panel(chart: &Chart) -> (Group, f64) {
    let frame = Frame::of(chart, 9, 5);
    let widest = frame.y.ticks.iter().map(|(_, label)| label.width()).max().unwrap_or(0);
    let left = 32.0 + widest as f64 * LETTER;
    let plot = Plot { left, frame };
    let heading = words(&chart.title, (24.0, 34.0)).set("font-size", 20).set("font-weight", 600).set("fill", INK);
    let mut group = Group::new().add(heading).add(words(&plot.frame.y.heading, (24.0, 60.0)));
    group = plot.grid().into_iter().fold(group, Group::add);
    if chart.is_empty() {
        let middle = (f64::midpoint(left, PLOT_RIGHT), PLOT_TOP + PLOT_HEIGHT / 2.0);
        group = group.add(words("nothing to show", middle).set("text-anchor", "middle"));
    }
    let circles = chart.series.iter().map(|series| series.points.len()).sum::<usize>() <= MOST_CIRCLES;
    for (index, series) in chart.series.iter().enumerate() {
        group = group.add(plot.series(index, series, circles));
    }
    let (legend, lines) = legend(chart);
    (group.add(legend), PANEL + lines * LEGEND_LINE)
}

/// Where a frame is drawn.
struct Plot {
    left: f64,
    frame: Frame,
}

impl Plot {
    fn x(&self, value: f64) -> f64 {
        round(self.left + self.frame.x.share(value) * (PLOT_RIGHT - self.left))
    }

    fn y(&self, value: f64) -> f64 {
        round(PLOT_TOP + (1.0 - self.frame.y.share(value)) * PLOT_HEIGHT)
    }

    fn grid(&self) -> Vec<Group> {
        let mut parts = Vec::new();
        let bottom = PLOT_TOP + PLOT_HEIGHT;
        for (at, label) in &self.frame.y.ticks {
            let y = self.y(*at);
            let stroke = if *at == 0.0 { FAINT } else { GRID };
            let label = words(label, (self.left - 10.0, y + 5.0)).set("text-anchor", "end");
            parts.push(Group::new().add(line((self.left, y), (PLOT_RIGHT, y), stroke)).add(label));
        }
        for (at, label) in readable(&self.frame.x, PLOT_RIGHT - self.left) {
            let x = self.x(*at);
            let mark = line((x, bottom), (x, bottom + 6.0), FAINT);
            parts.push(Group::new().add(mark).add(words(label, (x, bottom + 24.0)).set("text-anchor", "middle")));
        }
        let middle = (f64::midpoint(self.left, PLOT_RIGHT), bottom + 48.0);
        parts.push(Group::new().add(words(&self.frame.x.heading, middle).set("text-anchor", "middle")));
        parts
    }

    fn series(&self, index: usize, series: &Series, circles: bool) -> Group {
        let path = series.pieces().map(|piece| self.path(piece)).collect::<String>();
        let (colour, dash) = (colour(index), dash(index));
        let line = Path::new().set("d", path).set("fill", "none").set("stroke", colour).set("stroke-dasharray", dash);
        let line = line.set("stroke-width", 2).set("stroke-linejoin", "round").set("stroke-linecap", "round");
        let mut group = Group::new().add(Title::new(clean(&series.name))).add(line);
        if circles {
            for piece in series.pieces() {
                // A point without a line is easily overlooked.
                let radius = if piece.len() == 1 { 5.0 } else { 2.5 };
                let circle = |(x, y): &(f64, f64)| Circle::new().set("cx", self.x(*x)).set("cy", self.y(*y));
                let circles = piece.iter().map(|point| circle(point).set("r", radius).set("fill", colour));
                group = circles.fold(group, Group::add);
            }
        }
        group
    }

    fn path(&self, piece: &[(f64, f64)]) -> String {
        let step = |(index, (x, y)): (usize, &(f64, f64))| {
            format!("{}{} {}", if index == 0 { "M" } else { "L" }, self.x(*x), self.y(*y))
        };
        piece.iter().enumerate().map(step).collect()
    }
}

/// The ticks whose labels do not run into each other.
fn readable(side: &Side, width: f64) -> impl Iterator<Item = &(f64, String)> {
    let mut free = f64::NEG_INFINITY;
    side.ticks.iter().filter(move |(at, label)| {
        let (middle, half) = (side.share(*at) * width, label.width() as f64 * LETTER / 2.0);
        let fits = middle - half > free;
        if fits {
            free = middle + half + LETTER;
        }
        fits
    })
}

/// Names beside their lines, and the number of lines of text that takes.
fn legend(chart: &Chart) -> (Group, f64) {
    let (mut group, mut x, mut line_number) = (Group::new(), 24.0, 0.0);
    let named: Vec<_> = chart.series.iter().enumerate().filter(|(_, series)| !series.name.is_empty()).collect();
    for (index, series) in &named {
        let name = cut(&series.name, LONGEST_NAME);
        let width = 44.0 + name.width() as f64 * LETTER + 16.0;
        if x > 24.0 && x + width > PLOT_RIGHT {
            (x, line_number) = (24.0, line_number + 1.0);
        }
        let y = PANEL + line_number * LEGEND_LINE;
        let sample = line((x, y - 5.0), (x + 32.0, y - 5.0), colour(*index));
        let sample = sample.set("stroke-width", 3).set("stroke-dasharray", dash(*index));
        group = group.add(sample).add(words(&name, (x + 40.0, y)).set("fill", INK));
        x += width;
    }
    (group, if named.is_empty() { 0.0 } else { line_number + 1.0 })
}

fn words(text: &str, (x, y): (f64, f64)) -> Text {
    Text::new(clean(text)).set("x", round(x)).set("y", round(y)).set("fill", FAINT)
}

fn line(from: (f64, f64), to: (f64, f64), stroke: &str) -> Line {
    let from_to = Line::new().set("x1", round(from.0)).set("y1", round(from.1)).set("x2", round(to.0));
    from_to.set("y2", round(to.1)).set("stroke", stroke)
}

fn colour(index: usize) -> &'static str {
    COLOURS[index % COLOURS.len()]
}

fn dash(index: usize) -> &'static str {
    DASHES[index / COLOURS.len() % DASHES.len()]
}

fn round(pixels: f64) -> f64 {
    (pixels * 10.0).round() / 10.0
}

/// Text without what no XML document can hold, however it is written. The rest is escaped by the writer.
fn clean(text: &str) -> String {
    text.chars()
        .map(|sign| if sign.is_control() || matches!(sign, '\u{fffe}' | '\u{ffff}') { ' ' } else { sign })
        .collect()
}

#[cfg(test)]
mod tests {
    use svg::node::element::tag::Type;
    use svg::parser::Event;

    use super::*;
    use crate::ui::chart::Axis;

    fn chart() -> Chart {
        Chart {
            title: "a < b & \"c\" \u{0}".to_owned(),
            x: Axis::time("time"),
            y: Axis::numbers("events", "per hour"),
            series: vec![
                Series::new("<script>alert(1)</script>", vec![(0.0, 1.0), (3600.0, 3.0)]),
                Series::new("x".repeat(80), vec![(0.0, f64::NAN), (3600.0, 2.0), (7200.0, f64::INFINITY)]),
            ],
        }
    }

    #[test]
    fn what_is_named_is_escaped_and_the_document_is_xml() {
        let text = chart().svg();
        assert!(!text.contains("<script") && text.contains("&lt;script&gt;") && !text.contains('\u{0}'));
        let (mut depth, mut seen) = (0, 0);
        for event in svg::read(&text).unwrap() {
            match event {
                Event::Tag(_, Type::Start, _) => depth += 1,
                Event::Tag(_, Type::End, _) => depth -= 1,
                Event::Error(error) => panic!("{error}"),
                _ => {}
            }
            seen += 1;
        }
        assert!(depth == 0 && seen > 50, "{depth} {seen}");
        assert!(!text.contains("NaN") && !text.contains("inf"));
    }

    #[test]
    fn axes_have_their_units_and_the_legend_its_names_shortened() {
        let text = chart().svg();
        for words in ["events (per hour)", "time (UTC), 1 Jan 1970", ">\n00:30\n<", ">\n3\n<"] {
            assert!(text.contains(words), "{words}\n{text}");
        }
        assert!(text.contains(&format!("{}…", "x".repeat(47))));
    }

    #[test]
    fn the_same_chart_is_the_same_document_and_an_empty_one_says_so() {
        assert_eq!(chart().svg(), chart().svg());
        assert!(Chart { series: Vec::new(), ..chart() }.svg().contains("nothing to show"));
    }
}
