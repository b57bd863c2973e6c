//! What processes cost: processor time and memory of a process and all below it, as the kernel counts them.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// The kernel counts in hundredths of a second (`USER_HZ`, which is 100 on every Linux that labctl runs on).
const TICK_MILLIS: f64 = 10.0;

struct Process {
    parent: u32,
    program: String,
    ticks: u64,
}

/// Processor time so far, by program.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cost(BTreeMap<String, u64>);

impl Cost {
    /// Of the process `root` and every process below it.
    pub(crate) fn of(root: u32) -> Self {
        let all = processes();
        let below = |mut pid: u32| {
            while pid != root {
                match all.get(&pid) {
                    Some(process) => pid = process.parent,
                    None => return false,
                }
            }
            true
        };
        let mut cost = Cost::default();
        for (_, process) in all.iter().filter(|(pid, _)| below(**pid)) {
            *cost.0.entry(process.program.clone()).or_default() += process.ticks;
        }
        cost
    }

    /// What `requests` requests have cost each since `before`: `0.42 ms (labctl 0.30, redis-server 0.12)`.
    pub(crate) fn per_request(&self, before: &Cost, requests: u64) -> String {
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let each = |ticks: u64| ticks as f64 * TICK_MILLIS / requests as f64;
        let spent = self.0.iter().map(|(program, ticks)| {
            (program, each(ticks.saturating_sub(before.0.get(program).copied().unwrap_or_default())))
        });
        let mut spent: Vec<_> = spent.filter(|(_, millis)| *millis >= 0.005).collect();
        spent.sort_by(|a, b| b.1.total_cmp(&a.1));
        let all: f64 = spent.iter().map(|(_, millis)| millis).sum();
        match spent.as_slice() {
            [] | [_] => format!("{all:.2} ms"),
            several => {
                let parts: Vec<_> = several.iter().map(|(program, millis)| format!("{program} {millis:.2}")).collect();
                format!("{all:.2} ms ({})", parts.join(", "))
            }
        }
    }
}

fn processes() -> HashMap<u32, Process> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries.filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, process(&entry.path())?))).collect()
}

/// Reads `/proc/<pid>/stat` (proc_pid_stat(5)).
fn process(directory: &Path) -> Option<Process> {
    let stat = std::fs::read_to_string(directory.join("stat")).ok()?;
    // The program's name stands in parentheses and may hold anything.
    let (head, rest) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split(' ').collect();
    let time = |at: usize| fields.get(at)?.parse::<u64>().ok();
    Some(Process {
        parent: fields.get(1)?.parse().ok()?,
        program: head.split_once('(')?.1.to_owned(),
        ticks: time(11)? + time(12)?,
    })
}

pub(crate) fn resident_megabytes(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
}

/// The machine and how busy it is with other things: absolute figures mean little on a busy one.
pub(crate) fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let model = model.trim_start_matches(['\t', ' ', ':']);
    format!("{cores} cores ({model}), Linux {}", read("/proc/sys/kernel/osrelease").trim())
}

/// `1.23 over the last minute`.
pub(crate) fn busy() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().unwrap_or_default().to_owned()
}
