//! What `labctl load` answers: the variants side by side, and drawn over time.

use crate::engine::load::{Late, Moment, Pace, Report, Shape, Tally};
use crate::engine::steps::load::Measured;
use crate::plan::Instance;
use crate::ui::chart::{self, Axis, Chart, Series, Size};
use crate::ui::table::Table;
use crate::ui::{Answer, Theme, words};
use serde::Serialize;
use std::collections::BTreeSet;
use std::time::Duration;

#[derive(Debug, Serialize)]
pub(super) struct LoadAnswer {
    lab: String,
    env: String,
    target: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    users: Option<u32>,
    /// Requests per second that were to be sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<f64>,
    interrupted: bool,
    /// Of all variants together.
    #[serde(flatten)]
    total: Report,
    variants: Vec<Measured>,
    #[serde(skip)]
    chart: bool,
}

impl LoadAnswer {
    pub(super) fn of(instance: &Instance, target: &str, shape: &Shape, variants: Vec<Measured>) -> Self {
        let (users, rate) = match shape.pace {
            Pace::Users(users) => (Some(users.count), None),
            Pace::Rate { per_second, .. } => (None, Some(per_second)),
        };
        let mut all = Tally::default();
        variants.iter().for_each(|variant| all.add(&variant.tally));
        let took: Duration = variants.iter().map(|variant| variant.took).sum();
        LoadAnswer {
            lab: instance.lab.clone(),
            env: instance.env.clone(),
            target: target.to_owned(),
            users,
            rate,
            interrupted: variants.iter().any(|variant| variant.stopped),
            total: Report::of(&all, took),
            variants,
            chart: false,
        }
    }

    pub(super) fn with_chart(self, chart: bool) -> Self {
        LoadAnswer { chart, ..self }
    }

    pub(super) fn interrupted(&self) -> bool {
        self.interrupted
    }

    pub(super) fn failed(&self) -> u64 {
        self.variants.iter().map(Measured::failed).sum()
    }

    pub(super) fn svg(&self) -> String {
        chart::document(&self.charts())
    }

    /// Where the figures say more about this machine than about the lab.
    pub(super) fn warnings(&self) -> Vec<String> {
        let late = self.variants.iter().filter_map(|variant| Some((variant, variant.late?)));
        // One in a hundred changes what the p99 says.
        late.filter(|(variant, late)| late.by_generator * 100 > variant.report.requests)
            .map(|(variant, late)| {
                format!(
                    "{}: this machine could not keep the rate: {} of {} requests began more than 10 ms late though a connection was free",
                    variant.name, late.by_generator, variant.report.requests
                )
            })
            .collect()
    }

    fn charts(&self) -> [Chart; 2] {
        let several = self.variants.len() > 1;
        let mut rates = Vec::new();
        let mut times = Vec::new();
        for variant in &self.variants {
            let series = |name: &str, value: fn(&Moment) -> f64| {
                // Where nothing was answered there is no latency.
                let at = |moment: &Moment| (moment.s, if moment.requests > 0 { value(moment) } else { f64::NAN });
                let name = if several { format!("{} {name}", variant.name) } else { name.to_owned() };
                Series::new(name.trim_end(), variant.over_time.iter().map(at).collect())
            };
            let rate = variant.over_time.iter().map(|moment| (moment.s, moment.rps)).collect();
            rates.push(Series::new(if several { variant.name.as_str() } else { "requests" }, rate));
            if variant.over_time.iter().any(|moment| moment.errors > 0) {
                let share = |moment: &Moment| moment.errors as f64 / moment.requests.max(1) as f64 * moment.rps;
                let failed = variant.over_time.iter().map(|moment| (moment.s, share(moment))).collect();
                rates.push(Series::new(
                    if several { format!("{} errors", variant.name) } else { "errors".into() },
                    failed,
                ));
            }
            times.push(series("p50", |moment| moment.p50));
            times.push(series("p99", |moment| moment.p99));
            if !several {
                times.insert(1, series("p90", |moment| moment.p90));
                times.push(series("max", |moment| moment.max));
            }
        }
        let panel = |title: &str, y: Axis, series| Chart {
            title: format!("{} ({}): {title}", self.lab, self.env),
            x: Axis::numbers("since the start", "s"),
            y,
            series,
        };
        [
            panel("requests per second", Axis::numbers("requests", "per second"), rates),
            panel("latency", Axis::numbers("latency", "ms"), times),
        ]
    }

    /// One row for each measure, one column for each variant.
    fn table(&self) -> Table {
        let names: Vec<&str> =
            [""].into_iter().chain(self.variants.iter().map(|variant| variant.name.as_str())).collect();
        let mut table = Table::new(&names);
        let mut row = |name: &str, value: &dyn Fn(&Measured) -> String| {
            table.row([name.to_owned()].into_iter().chain(self.variants.iter().map(value)));
        };
        row("requests", &|variant| variant.report.requests.to_string());
        row("errors", &|variant| variant.report.failed().to_string());
        for kind in self.kinds() {
            row(&format!("  {kind}"), &|variant| variant.report.errors.get(kind).copied().unwrap_or(0).to_string());
        }
        row("per second", &|variant| format!("{:.0}", variant.report.rps));
        for (index, (name, _)) in self.total.latency_ms.named().iter().enumerate() {
            row(&format!("{name} ms"), &|variant| format!("{:.2}", variant.report.latency_ms.named()[index].1));
        }
        let bytes = |variant: &Measured| variant.report.bytes.unwrap_or_default();
        row("sent", &|variant| words::size(bytes(variant).sent));
        row("received", &|variant| words::size(bytes(variant).received));
        row("took", &|variant| words::duration(variant.took));
        if self.variants.iter().any(|variant| variant.ramp_up.is_some()) {
            let ramp_up = |variant: &Measured| variant.ramp_up.clone().unwrap_or_default();
            row("ramp-up, apart", &|variant| {
                let Report { requests, seconds, .. } = ramp_up(variant);
                let took = words::duration(Duration::from_secs_f64(seconds));
                format!("{} in {took}, {}", requests, words::count(ramp_up(variant).failed() as usize, "error"))
            });
        }
        if self.rate.is_some() {
            let late = |variant: &Measured| variant.late.unwrap_or_default();
            row("began late", &|variant| late(variant).requests.to_string());
            row("  by this machine", &|variant| late(variant).by_generator.to_string());
            row("  at most, ms", &|variant| {
                let Late { max_ms, .. } = late(variant);
                format!("{max_ms:.2}")
            });
        }
        if let Some((name, _)) = self.variants.iter().find_map(|variant| variant.counter.as_ref()) {
            row(name, &|variant| variant.counter.as_ref().map_or(String::new(), |(_, count)| count.to_string()));
        }
        table
    }

    fn kinds(&self) -> BTreeSet<&str> {
        self.variants.iter().flat_map(|variant| variant.report.errors.keys().map(String::as_str)).collect()
    }
}

impl Answer for LoadAnswer {
    fn text(&self, theme: Theme) -> String {
        let mut text = self.table().render(theme);
        for chart in self.charts().iter().filter(|_| self.chart) {
            text.push('\n');
            text.push_str(&chart.text(Size::default(), theme));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn measured(name: &str, millis: u64) -> Measured {
        let mut tally = Tally::default();
        (0..100).for_each(|_| tally.answered(Duration::from_millis(millis)));
        if millis > 1 {
            tally.failed("503", Duration::from_millis(millis));
        }
        let took = Duration::from_secs(10);
        let moment = |s: f64| Moment { s, requests: 50, rps: 50.0, p50: millis as f64, ..Moment::default() };
        Measured {
            name: name.to_owned(),
            report: Report::of(&tally, took),
            ramp_up: None,
            late: None,
            counter: Some(("database reads".to_owned(), 3)),
            over_time: vec![moment(1.0), moment(2.0)],
            tally,
            took,
            stopped: false,
        }
    }

    fn answer() -> LoadAnswer {
        let shape = Shape::requests(8, 100, Duration::from_secs(60));
        let variants = vec![measured("cache on", 1), measured("cache off", 4)];
        LoadAnswer::of(&Instance::new("superheroes", "dev"), "local", &shape, variants)
    }

    #[test]
    fn variants_stand_side_by_side() {
        insta::assert_snapshot!(answer().text(Theme::PLAIN), @r"
                        cache on  cache off
        requests        100       101
        errors          0         1
          503           0         1
        per second      10        10
        p50 ms          1.00      4.00
        p66 ms          1.00      4.00
        p75 ms          1.00      4.00
        p80 ms          1.00      4.00
        p90 ms          1.00      4.00
        p95 ms          1.00      4.00
        p98 ms          1.00      4.00
        p99 ms          1.00      4.00
        p99.9 ms        1.00      4.00
        p99.99 ms       1.00      4.00
        max ms          1.00      4.00
        sent            0 B       0 B
        received        0 B       0 B
        took            10 s      10 s
        database reads  3         3
        ");
    }

    #[test]
    fn the_document_has_the_figures_of_all_variants_together_and_of_each() {
        let document = serde_json::to_value(answer()).unwrap();
        assert_eq!((&document["requests"], &document["errors"]["503"]), (&Value::from(201), &Value::from(1)));
        assert_eq!(document["rps"], 10.1);
        for holder in [&document, &document["variants"][1]] {
            let latency = holder["latency_ms"].as_object().unwrap();
            let names: Vec<&str> = latency.keys().map(String::as_str).collect();
            let promised = ["p50", "p66", "p75", "p80", "p90", "p95", "p98", "p99", "p99_9", "p99_99", "max"];
            assert_eq!(names, promised);
        }
        assert!(document["variants"][0]["over_time"][1]["s"] == 2.0 && document["interrupted"] == false);
    }

    #[test]
    fn a_chart_is_drawn_when_it_is_asked_for() {
        let text = answer().with_chart(true).text(Theme::PLAIN);
        assert!(text.contains("superheroes (dev): latency") && text.contains("cache off p99"), "{text}");
        assert!(answer().svg().contains("requests (per second)"));
    }

    #[test]
    fn what_this_machine_could_not_do_is_said() {
        let mut answer = answer();
        assert!(answer.warnings().is_empty());
        answer.variants[0].late = Some(Late { requests: 9, by_generator: 7, max_ms: 20.0, unsent: 0 });
        assert!(answer.warnings()[0].contains("7 of 100 requests"), "{:?}", answer.warnings());
        answer.variants[0].late = Some(Late { requests: 9, by_generator: 1, max_ms: 20.0, unsent: 0 });
        assert!(answer.warnings().is_empty());
    }
}
