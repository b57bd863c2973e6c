//! What of the plane a chart shows.

use super::scale::{self, Tick};
use super::{Axis, Chart, Scale};

/// Values are drawn up to here: beyond it the arithmetic of a scale loses its way.
pub(super) const FURTHEST: f64 = 1e250;

/// The part of the plane that is shown, with its ticks.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) x: Side,
    pub(super) y: Side,
}

#[derive(Debug)]
pub(super) struct Side {
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) ticks: Vec<Tick>,
    pub(super) heading: String,
}

impl Side {
    /// A value as a share of the whole, 0 to 1.
    pub(super) fn share(&self, value: f64) -> f64 {
        ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }
}

impl Frame {
    /// Around all points of the chart; of an empty one around nothing much.
    pub(super) fn of(chart: &Chart, most_x: usize, most_y: usize) -> Frame {
        let points = || chart.series.iter().flat_map(super::Series::finite);
        let across = widened(extent(points().map(|(x, _)| x)).unwrap_or((0.0, 1.0)), chart.x.scale);
        let (bottom, top) = extent(points().map(|(_, y)| y)).unwrap_or((0.0, 1.0));
        let up = (bottom.min(0.0), top.max(0.0));
        let up = if up.0 < up.1 { up } else { (up.0, up.0 + 1.0) };
        let up = scale::around(up.0, up.1, scale::step_between(up.0, up.1, most_y));
        Frame { x: side(&chart.x, across, most_x), y: side(&chart.y, up, most_y) }
    }
}

fn side(axis: &Axis, (low, high): (f64, f64), most: usize) -> Side {
    let (ticks, date) = match axis.scale {
        Scale::Number => (scale::numbers(low, high, scale::step_between(low, high, most)), None),
        Scale::Time => (scale::times(low, high, most), scale::one_day(low, high)),
    };
    let heading = axis.heading();
    let heading = date.map_or_else(|| heading.clone(), |date| format!("{heading}, {date}"));
    Side { low, high, ticks, heading }
}

fn extent(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.fold(None, |found: Option<(f64, f64)>, value| {
        Some(found.map_or((value, value), |(low, high)| (low.min(value), high.max(value))))
    })
}

/// One value alone has some room on both sides.
fn widened((low, high): (f64, f64), scale: Scale) -> (f64, f64) {
    if low < high {
        return (low, high);
    }
    let room = match scale {
        Scale::Time => 1800.0,
        Scale::Number => (low.abs() * 0.1).max(0.5),
    };
    (low - room, high + room)
}
