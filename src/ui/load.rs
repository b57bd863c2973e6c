//! A load while it runs: redrawn on a terminal, a line now and then elsewhere.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::printer::Printer;
use super::theme::{Label, Theme};
use super::words;
use crate::engine::load::{Moment, Shape};

/// Without a terminal there is a line this often.
const SILENCE: f64 = 5.0;
/// So many moments are shown as bars.
const BARS: usize = 40;

/// Shows the moments of one variant.
pub struct Meter<'a> {
    printer: &'a Printer,
    bar: Option<ProgressBar>,
    course: Course,
}

/// What has been seen so far.
struct Course {
    name: String,
    requests: u64,
    errors: u64,
    most_requests: Option<u64>,
    within: Duration,
    rates: Vec<f64>,
    last: Moment,
    said: f64,
}

impl<'a> Meter<'a> {
    pub fn new(printer: &'a Printer, name: &str, shape: &Shape) -> Self {
        let bar = printer.draws().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
            let style = ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
            bar.set_style(style);
            bar
        });
        let mut meter = Meter { printer, bar, course: Course::new(name, shape) };
        meter.draw();
        meter
    }

    pub fn show(&mut self, moment: &Moment) {
        self.course.add(moment);
        self.draw();
        if self.bar.is_none()
            && let Some(line) = self.course.line()
        {
            self.printer.note(&line);
        }
    }

    fn draw(&mut self) {
        if let Some(bar) = &self.bar {
            bar.set_message(self.course.lines(self.printer.err_theme()).join("\n"));
            bar.tick();
        }
    }

    /// Clears what was drawn: the result says it all.
    pub fn done(self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Course {
    fn new(name: &str, shape: &Shape) -> Self {
        Course {
            name: name.to_owned(),
            requests: 0,
            errors: 0,
            most_requests: shape.requests,
            within: shape.within,
            rates: Vec::new(),
            last: Moment::default(),
            said: 0.0,
        }
    }

    fn add(&mut self, moment: &Moment) {
        self.requests += moment.requests;
        self.errors += moment.errors;
        self.rates.push(moment.rps);
        self.last = moment.clone();
    }

    /// The line for those who see no terminal, when it is time for one.
    fn line(&mut self) -> Option<String> {
        if self.last.s < self.said + SILENCE {
            return None;
        }
        self.said = self.last.s;
        let Moment { s, rps, p50, p99, .. } = &self.last;
        let errors = words::count(self.errors as usize, "error");
        let requests = words::count(self.requests as usize, "request");
        let times = match self.last.requests {
            0 => String::new(),
            _ => format!("p50 {p50:.1} ms, p99 {p99:.1} ms, "),
        };
        Some(format!("  {} {s:.0} s: {requests}, {rps:.0} per second, {times}{errors}", self.name))
    }

    fn lines(&self, theme: Theme) -> [String; 3] {
        let elapsed = words::duration(Duration::from_secs_f64(self.last.s.round().max(0.0)));
        let end = match self.most_requests {
            Some(most) => format!("{} of {most} requests", self.requests),
            None => words::count(self.requests as usize, "request"),
        };
        let label = if self.errors > 0 { Label::Bad } else { Label::Dim };
        let errors = words::count(self.errors as usize, "error");
        let head = format!(
            "{}  {elapsed} of {}  {end}  {}",
            theme.paint(Label::Heading, &self.name),
            words::duration(self.within),
            theme.paint(label, &errors)
        );
        let Moment { rps, p50, p90, p99, max, .. } = &self.last;
        let rate = format!("  {}  {rps:.0} per second", theme.paint(Label::Good, &self.bars()));
        // A moment without a request had no times.
        let times = match self.last.requests {
            0 => "  p50 –  p90 –  p99 –  max –".to_owned(),
            _ => format!("  p50 {p50:.1} ms  p90 {p90:.1} ms  p99 {p99:.1} ms  max {max:.1} ms"),
        };
        [head, rate, theme.paint(Label::Dim, &times).into_owned()]
    }

    /// The last rates as bars, the highest of all as high as can be.
    fn bars(&self) -> String {
        const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
        let highest = self.rates.iter().copied().fold(1.0, f64::max);
        let shown = &self.rates[self.rates.len().saturating_sub(BARS)..];
        shown.iter().map(|rate| HEIGHTS[((rate / highest * 7.0).round() as usize).min(7)]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(s: f64, requests: u64, errors: u64) -> Moment {
        let rps = requests as f64;
        Moment { s, requests, errors, rps, p50: 1.25, p90: 2.0, p99: 11.4, max: 20.0 }
    }

    #[test]
    fn without_a_terminal_there_is_a_line_every_few_seconds() {
        let mut course = Course::new("cache on", &Shape::requests(8, 2000, Duration::from_secs(60)));
        let mut lines = Vec::new();
        for second in 1..=10 {
            course.add(&moment(f64::from(second), 100, u64::from(second == 1)));
            lines.extend(course.line());
        }
        let expected = [
            "  cache on 5 s: 500 requests, 100 per second, p50 1.2 ms, p99 11.4 ms, 1 error",
            "  cache on 10 s: 1000 requests, 100 per second, p50 1.2 ms, p99 11.4 ms, 1 error",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn on_a_terminal_it_is_told_how_far_it_is_and_how_the_rate_went() {
        let mut course = Course::new("cache on", &Shape::requests(8, 2000, Duration::from_secs(60)));
        (0..60u32).for_each(|second| course.add(&moment(f64::from(second), second.into(), 0)));
        let lines = course.lines(Theme::PLAIN);
        assert_eq!(lines[0], "cache on  59 s of 1 min  1770 of 2000 requests  0 errors");
        assert!(lines[1].ends_with("▇█████  59 per second") && course.bars().chars().count() == BARS, "{}", lines[1]);
        assert_eq!(lines[2], "  p50 1.2 ms  p90 2.0 ms  p99 11.4 ms  max 20.0 ms");
    }
}
