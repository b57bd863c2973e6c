//! Charts: named series of points as lines of text and as an SVG document. Values in, text out.

mod drawing;
mod frame;
mod raster;
mod scale;
mod text;

pub use drawing::document;
pub use text::Size;

use super::theme::Theme;

/// One chart: every series over the same two axes.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    pub title: String,
    pub x: Axis,
    /// Always shows zero, so that heights can be compared.
    pub y: Axis,
    pub series: Vec<Series>,
}

/// What is shown along one side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Axis {
    pub name: String,
    /// May be empty. Of times it is always UTC.
    pub unit: String,
    pub scale: Scale,
}

/// How values along an axis are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scale {
    #[default]
    Number,
    /// Seconds since 1970, UTC.
    Time,
}

/// A line: points in the order in which they are joined. One that is no pair of finite numbers interrupts the line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    pub name: String,
    pub points: Vec<(f64, f64)>,
}

impl Axis {
    pub fn numbers(name: impl Into<String>, unit: impl Into<String>) -> Self {
        Axis { name: name.into(), unit: unit.into(), scale: Scale::Number }
    }

    pub fn time(name: impl Into<String>) -> Self {
        Axis { name: name.into(), unit: "UTC".to_owned(), scale: Scale::Time }
    }

    /// `latency (ms)`.
    fn heading(&self) -> String {
        match (self.name.as_str(), self.unit.as_str()) {
            (name, "") => name.to_owned(),
            ("", unit) => unit.to_owned(),
            (name, unit) => format!("{name} ({unit})"),
        }
    }
}

impl Series {
    pub fn new(name: impl Into<String>, points: Vec<(f64, f64)>) -> Self {
        Series { name: name.into(), points }
    }

    /// The points without what interrupts the line.
    fn finite(&self) -> impl Iterator<Item = (f64, f64)> {
        self.pieces().flatten().copied()
    }

    /// The unbroken pieces of the line.
    fn pieces(&self) -> impl Iterator<Item = &[(f64, f64)]> {
        let drawn = |value: f64| value.abs() < frame::FURTHEST;
        self.points.split(move |(x, y)| !drawn(*x) || !drawn(*y)).filter(|piece| !piece.is_empty())
    }
}

impl Chart {
    /// The chart as lines of text: braille in colours, or signs of ASCII where the theme has no colours.
    pub fn text(&self, size: Size, theme: Theme) -> String {
        text::render(self, size, theme)
    }

    /// The chart as an SVG document of its own.
    pub fn svg(&self) -> String {
        document(std::slice::from_ref(self))
    }

    fn is_empty(&self) -> bool {
        self.series.iter().all(|series| series.finite().next().is_none())
    }
}
