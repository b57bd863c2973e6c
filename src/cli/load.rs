//! `labctl load`.

use super::context::Context;
use super::deployed::Deployed;
use super::select::LabArg;
use crate::engine::load::{Report, Shape};
use crate::engine::steps::check::Endpoint;
use crate::engine::steps::load::{self, Measured};
use crate::error::Failure;
use crate::ui::table::Table;
use crate::ui::{Answer, Theme};
use serde::Serialize;
use std::time::Duration;

/// Send load to a deployed lab and show rate and latency
///
/// Sends the requests of the manifest's `load` section: every variant the same ones, one variant after the other.
#[derive(clap::Args, Debug)]
pub(crate) struct LoadArgs {
    #[command(flatten)]
    lab: LabArg,
    /// How many users send at the same time
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=1000))]
    users: u16,
    /// How many requests each variant sends
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..))]
    requests: u32,
    /// How many seconds each variant may take
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u16).range(1..))]
    within: u16,
}

#[derive(Debug, Serialize)]
struct LoadAnswer {
    lab: String,
    env: String,
    target: String,
    users: u16,
    variants: Vec<Measured>,
}

impl Answer for LoadAnswer {
    fn text(&self, theme: Theme) -> String {
        let counter = self.variants.iter().find_map(|variant| variant.counter.as_ref());
        let mut headings = vec!["", "requests", "errors", "per second", "p50 ms", "p90 ms", "p99 ms", "max ms"];
        headings.extend(counter.map(|(name, _)| name.as_str()));
        let mut table = Table::new(&headings);
        for Measured { name, report, counter } in &self.variants {
            let Report { requests, rps, latency_ms, .. } = report;
            let mut cells = vec![name.clone(), requests.to_string(), errors(report), format!("{rps:.0}")];
            let times = [latency_ms.p50, latency_ms.p90, latency_ms.p99, latency_ms.max];
            cells.extend(times.map(|time| format!("{time:.2}")));
            cells.extend(counter.as_ref().map(|(_, count)| count.to_string()));
            table.row(cells);
        }
        table.render(theme)
    }
}

fn errors(report: &Report) -> String {
    let kinds: Vec<String> = report.errors.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    if kinds.is_empty() { "0".to_owned() } else { kinds.join(", ") }
}

pub(crate) async fn run(args: LoadArgs, cx: &Context) -> Result<(), Failure> {
    let Deployed { aws, wanted, known, .. } = Deployed::of(cx, &args.lab).await?;
    let lab = wanted.instance.lab.clone();
    let Some(wanted_load) = wanted.lab.manifest.load.clone() else {
        return Err(Failure::usage(format!("lab `{lab}` does not say what load to send"))
            .hint("add a `load` section to its lab.yaml: docs/guide/manifest.md"));
    };
    let within = Duration::from_secs(args.within.into());
    let shape = Shape { users: args.users.into(), requests: args.requests.into(), within };
    let cannot = || Failure::failed(format!("cannot send load to lab `{lab}`"));
    let endpoint = Endpoint::of(&aws, &wanted, known).await.map_err(|error| cannot().because(error))?;
    let mut variants = Vec::with_capacity(wanted_load.variants.len());
    for variant in &wanted_load.variants {
        cx.ui.note(&format!("sending {} requests: {}", args.requests, variant.name));
        let measured = load::measure(&endpoint, variant, wanted_load.counter.as_ref(), shape);
        variants.push(measured.await.map_err(|error| cannot().because(error))?);
    }
    let failed: u64 = variants.iter().flat_map(|variant| variant.report.errors.values()).sum();
    cx.ui.answer(&LoadAnswer {
        lab,
        env: wanted.instance.env.clone(),
        target: aws.target().name.clone(),
        users: args.users,
        variants,
    });
    match failed {
        0 => Ok(()),
        _ => Err(Failure::failed(format!("{failed} requests were not answered as expected"))),
    }
}
