//! A named query's rows as the chart that the manifest says they are: in the terminal, or as a file.

use super::context::Context;
use crate::error::Failure;
use crate::lab::model::Chart as Wanted;
use crate::sql::ResultSet;
use crate::ui::chart::{Axis, Chart, Series, Size};
use crate::ui::printer::tame;
use crate::ui::{Format, words};
use serde_json::Value;
use std::path::{Path, PathBuf};
use time::PrimitiveDateTime;
use time::macros::format_description;

/// More lines than these cannot be told apart.
const MOST_SERIES: usize = 8;

/// The arguments of `labctl sql` that are about a query's chart.
#[derive(clap::Args, Clone, Debug, Default)]
pub(super) struct ChartArgs {
    /// Draw the query's chart instead of its rows
    #[arg(long, requires = "query", conflicts_with_all = ["execute", "file", "dir"])]
    pub(super) chart: bool,
    /// Write the query's chart to a file
    #[arg(long, value_name = "FILE", requires = "query", conflicts_with_all = ["execute", "file", "dir"])]
    pub(super) svg: Option<PathBuf>,
}

impl ChartArgs {
    pub(super) fn is_asked(&self) -> bool {
        self.chart || self.svg.is_some()
    }

    /// Draws what is asked for.
    ///
    /// # Errors
    /// The rows are not what the manifest says of them; the file cannot be written.
    pub(super) fn draw(&self, cx: &Context, title: &str, wanted: &Wanted, rows: &ResultSet) -> Result<(), Failure> {
        let drawn = chart(title, wanted, rows).map_err(|problem| {
            Failure::failed(format!("the rows of `{title}` are not what its `chart` says")).with_problems([problem])
        })?;
        let Drawn { chart, left_out } = drawn;
        if left_out > 0 {
            cx.ui.note(&format!(
                "only the {MOST_SERIES} greatest are drawn; {} left out",
                words::count(left_out, "line")
            ));
        }
        if let Some(file) = &self.svg {
            write(file, &chart.svg())?;
            cx.ui.note(&format!("wrote {}", file.display()));
        }
        // A document that was asked for has the rows; a drawing is for people.
        if self.chart && cx.ui.format() == Format::Human {
            cx.ui.raw(&chart.text(Size { columns: width(), ..Size::default() }, cx.ui.out_theme()));
        }
        Ok(())
    }
}

fn write(file: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(file, text)
        .map_err(|error| Failure::usage(format!("cannot write `{}`", file.display())).because(error))
}

/// How wide the terminal is; of what is no terminal the usual width.
fn width() -> usize {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok();
    size.map(|size| usize::from(size.ws_col)).filter(|width| *width > 0).unwrap_or(Size::default().columns)
}

/// A chart, and how many lines are not in it.
#[derive(Debug, PartialEq)]
struct Drawn {
    chart: Chart,
    left_out: usize,
}

fn chart(title: &str, wanted: &Wanted, rows: &ResultSet) -> Result<Drawn, String> {
    let column = |name: &str| {
        let names = || rows.columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(", ");
        let found = rows.columns.iter().position(|column| column.name == name);
        found.ok_or_else(|| format!("there is no column `{name}`; there are: {}", names()))
    };
    let (x, y) = (column(&wanted.x)?, column(&wanted.y)?);
    let by = wanted.series.as_deref().map(column).transpose()?;
    let timed = rows.rows.iter().all(|row| moment(&row[x]).is_some());
    let mut series: Vec<Series> = Vec::new();
    for row in &rows.rows {
        let name = by.and_then(|by| ResultSet::cell(&row[by]));
        // Whoever sends rows decides what is in a name.
        let name = name.map_or_else(|| wanted.y.clone(), |name| tame(&name).replace(['\n', '\t'], " "));
        let place = if timed { moment(&row[x]) } else { number(&row[x]) };
        let place = place.ok_or_else(|| format!("`{}` is neither a time nor a number: {}", wanted.x, row[x]))?;
        let height = match &row[y] {
            Value::Null => f64::NAN,
            value => number(value).ok_or_else(|| format!("`{}` is no number: {value}", wanted.y))?,
        };
        match series.iter_mut().find(|known| known.name == name) {
            Some(known) => known.points.push((place, height)),
            None => series.push(Series::new(name, vec![(place, height)])),
        }
    }
    if let Some(every) = wanted.every.filter(|_| timed) {
        series.iter_mut().for_each(|series| series.points = broken(&series.points, every as f64));
    }
    let left_out = series.len().saturating_sub(MOST_SERIES);
    if left_out > 0 {
        let total = |series: &Series| series.points.iter().map(|(_, y)| y).filter(|y| y.is_finite()).sum::<f64>();
        series.sort_by(|a, b| total(b).total_cmp(&total(a)));
        series.truncate(MOST_SERIES);
    }
    let across = if timed { Axis::time(&wanted.x) } else { Axis::numbers(&wanted.x, "") };
    let chart = Chart { title: title.to_owned(), x: across, y: Axis::numbers(&wanted.y, ""), series };
    Ok(Drawn { chart, left_out })
}

/// Nothing between two points that are farther apart than neighbours are: a line over hours without an event would say that there
/// were some.
fn broken(points: &[(f64, f64)], every: f64) -> Vec<(f64, f64)> {
    let mut whole = Vec::with_capacity(points.len());
    for (index, point) in points.iter().enumerate() {
        if index > 0 && point.0 - points[index - 1].0 > every * 1.5 {
            whole.push((points[index - 1].0 + every, f64::NAN));
        }
        whole.push(*point);
    }
    whole
}

/// Numbers come as such, decimals as text.
fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok()).filter(|number| number.is_finite())
}

/// A `DATETIME`, UTC, as seconds since 1970.
fn moment(value: &Value) -> Option<f64> {
    let text = value.as_str()?;
    let whole = text.split_once('.').map_or(text, |(whole, _)| whole);
    let form = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    let moment = PrimitiveDateTime::parse(whole, form).ok()?;
    Some(moment.assume_utc().unix_timestamp() as f64)
}

#[cfg(test)]
mod tests {
    use super::{Chart, Drawn, MOST_SERIES, Wanted, chart};
    use crate::sql::ResultSet;
    use crate::sql::result::Column;
    use serde_json::{Value, json};

    fn rows(rows: Value) -> ResultSet {
        let column = |name: &str| Column { name: name.to_owned(), kind: String::new() };
        let rows = rows.as_array().into_iter().flatten().map(|row| row.as_array().cloned().unwrap_or_default());
        ResultSet { columns: ["hour", "board", "events"].map(column).to_vec(), rows: rows.collect(), rows_affected: 0 }
    }

    fn wanted(x: &str, y: &str, series: Option<&str>) -> Wanted {
        Wanted { x: x.to_owned(), y: y.to_owned(), series: series.map(str::to_owned), every: None }
    }

    #[test]
    fn rows_become_lines_over_time_one_for_each_value_of_the_series() {
        let rows = rows(json!([
            ["1970-01-01 00:00:00", "a", 3],
            ["1970-01-01 00:00:00", "b", "1.5"],
            ["1970-01-01 01:00:00.000", "a", null],
        ]));
        let Drawn { chart, left_out } = chart("t", &wanted("hour", "events", Some("board")), &rows).expect("a chart");
        assert_eq!((left_out, chart.series.len(), chart.x.unit.as_str()), (0, 2, "UTC"));
        assert_eq!(chart.series[0].points[0], (0.0, 3.0));
        assert!(chart.series[0].points[1].0 == 3600.0 && chart.series[0].points[1].1.is_nan());
        assert_eq!(chart.series[1].points, [(0.0, 1.5)]);
    }

    #[test]
    fn a_line_is_broken_where_points_are_missing() {
        let at = |hour: u8, board: &str| json!([format!("1970-01-01 {hour:02}:00:00"), board, 1]);
        let rows = rows(json!([at(0, "a"), at(0, "b"), at(1, "a"), at(5, "a"), at(5, "b"), at(6, "b")]));
        let hourly = Wanted { every: Some(3600), ..wanted("hour", "events", Some("board")) };
        let Drawn { chart, .. } = chart("t", &hourly, &rows).expect("a chart");
        let breaks = |chart: &Chart, series: usize| {
            let points = chart.series[series].points.iter();
            points.filter(|(_, y)| y.is_nan()).map(|(x, _)| *x).collect::<Vec<_>>()
        };
        assert_eq!((breaks(&chart, 0), breaks(&chart, 1)), (vec![7200.0], vec![3600.0]));
        let whole = super::chart("t", &wanted("hour", "events", Some("board")), &rows).expect("a chart").chart;
        assert!(breaks(&whole, 0).is_empty());
    }

    #[test]
    fn names_do_not_steer_the_terminal() {
        let rows = rows(json!([["1970-01-01 00:00:00", "a\u{1b}[2J\u{202e}b\nc", 3]]));
        let drawn = chart("t", &wanted("hour", "events", Some("board")), &rows).expect("a chart");
        assert_eq!(drawn.chart.series[0].name, "a\\u{1b}[2J\\u{202e}b c");
    }

    #[test]
    fn of_many_lines_the_greatest_are_drawn() {
        let many: Vec<Value> = (0..MOST_SERIES + 3).map(|n| json!([1, format!("b{n}"), n])).collect();
        let drawn = chart("t", &wanted("hour", "events", Some("board")), &rows(json!(many))).expect("a chart");
        assert_eq!((drawn.left_out, drawn.chart.series.len()), (3, MOST_SERIES));
        assert_eq!(drawn.chart.series[0].name, format!("b{}", MOST_SERIES + 2));
    }

    #[test]
    fn rows_that_are_not_what_the_manifest_says_are_told_by_column_and_value() {
        let one = rows(json!([["noon", "a", "many"]]));
        for (wanted, said) in [
            (wanted("hours", "events", None), "no column `hours`; there are: hour, board, events"),
            (wanted("hour", "events", None), "`hour` is neither a time nor a number: \"noon\""),
        ] {
            let problem = chart("t", &wanted, &one).expect_err("refused");
            assert!(problem.contains(said), "{problem}");
        }
        let problem =
            chart("t", &wanted("hour", "events", None), &rows(json!([[1, "a", "many"]]))).expect_err("refused");
        assert!(problem.contains("`events` is no number"), "{problem}");
    }
}
