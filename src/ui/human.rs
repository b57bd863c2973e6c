//! Events as people read them: live lines on a terminal, plain lines elsewhere.

use super::json::Lines;
use super::printer::Printer;
use super::theme::{Label, Theme};
use super::words;
use crate::engine::Event;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::UnboundedReceiver;

/// Nothing moves on the screen before this: what is quick needs no progress.
const PATIENCE: Duration = Duration::from_millis(250);
/// Without a terminal, how long a step may be silent before a line says that it is still at it.
const SILENCE: Duration = Duration::from_secs(40);

/// Shows events until their sender is gone, and keeps each in `log`.
pub async fn follow(mut events: UnboundedReceiver<Event>, printer: &Printer, mut log: Lines<'_>) {
    let mut screen = Screen::new(printer);
    let mut tick = tokio::time::interval(Duration::from_millis(100));
    loop {
        tokio::select! {
            event = events.recv() => match event {
                Some(event) => {
                    log.write(&event, printer);
                    screen.show(&event, Instant::now());
                }
                None => break,
            },
            _ = tick.tick() => screen.tick(Instant::now()),
        }
    }
    screen.clear();
}

/// A step that runs.
#[derive(Debug)]
struct Running {
    title: String,
    since: Instant,
    said: Instant,
    doing: String,
    bar: Option<ProgressBar>,
}

struct Screen<'a> {
    printer: &'a Printer,
    theme: Theme,
    bars: Option<MultiProgress>,
    running: BTreeMap<String, Running>,
    titles: BTreeMap<String, String>,
}

impl<'a> Screen<'a> {
    fn new(printer: &'a Printer) -> Self {
        let bars = printer.draws().then(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(30)));
        Screen { printer, theme: printer.err_theme(), bars, running: BTreeMap::new(), titles: BTreeMap::new() }
    }

    fn show(&mut self, event: &Event, now: Instant) {
        if let Event::StepStarted { step, title } = event {
            self.titles.insert(step.clone(), title.clone());
            let running = Running { title: title.clone(), since: now, said: now, doing: String::new(), bar: None };
            self.running.insert(step.clone(), running);
        }
        if let Some((step, doing)) = doing(event)
            && let Some(running) = self.running.get_mut(step)
        {
            running.doing = doing;
            running.said = if self.bars.is_none() { running.said } else { now };
        }
        if let Event::StepFinished { step, .. } | Event::StepFailed { step, .. } = event
            && let Some(Running { bar: Some(bar), .. }) = self.running.remove(step)
        {
            bar.finish_and_clear();
        }
        if let Some(text) = line(event, &self.titles, self.theme) {
            self.say(&text);
        }
    }

    fn say(&self, text: &str) {
        match &self.bars {
            Some(bars) => bars.suspend(|| self.printer.note(text)),
            None => self.printer.note(text),
        }
    }

    fn tick(&mut self, now: Instant) {
        let Some(bars) = &self.bars else {
            for text in self.still(now) {
                self.printer.note(&text);
            }
            return;
        };
        for running in self.running.values_mut() {
            if now.duration_since(running.since) < PATIENCE {
                continue;
            }
            let bar = running.bar.get_or_insert_with(|| {
                let bar = bars.add(ProgressBar::new_spinner());
                bar.set_style(
                    ProgressStyle::with_template("{spinner} {wide_msg}")
                        .unwrap_or_else(|_| ProgressStyle::default_spinner()),
                );
                bar
            });
            let took = words::duration(now.duration_since(running.since));
            bar.set_message(format!("{}  {}  {}", running.title, self.theme.paint(Label::Dim, &took), running.doing));
            bar.tick();
        }
    }

    /// The steps that have said nothing for a while, each once per silence.
    fn still(&mut self, now: Instant) -> Vec<String> {
        let quiet = self.running.values_mut().filter(|running| now.duration_since(running.said) >= SILENCE);
        quiet
            .map(|running| {
                running.said = now;
                let why = if running.doing.is_empty() { "at work" } else { running.doing.as_str() };
                format!("  still {}: {why}, {}", running.title, words::duration(now.duration_since(running.since)))
            })
            .collect()
    }

    fn clear(&mut self) {
        if let Some(bars) = &self.bars {
            let _ = bars.clear();
        }
    }
}

/// What a running step is at, for its live line.
fn doing(event: &Event) -> Option<(&str, String)> {
    match event {
        Event::ResourceChanged { step, resource, status, .. } => {
            Some((step, format!("{resource} {}", plain_status(status))))
        }
        Event::StepWaiting { step, why } => Some((step, format!("waits: {why}"))),
        _ => None,
    }
}

/// `CREATE_IN_PROGRESS` as people say it.
fn plain_status(status: &str) -> String {
    status.to_ascii_lowercase().replace('_', " ")
}

/// The line that stays on the screen, for events that leave one.
fn line(event: &Event, titles: &BTreeMap<String, String>, theme: Theme) -> Option<String> {
    let title = |step: &str| titles.get(step).cloned().unwrap_or_else(|| step.replacen('/', " ", 1));
    match event {
        Event::StepFinished { step, did, unchanged, took } => {
            let (mark, label) = if *unchanged { ("=", Label::Dim) } else { ("✓", Label::Good) };
            let took = words::duration(*took);
            Some(format!(
                "  {} {}: {did} {}",
                theme.paint(label, mark),
                title(step),
                theme.paint(Label::Dim, &format!("({took})"))
            ))
        }
        Event::StepFailed { step, reason, took } => Some(format!(
            "  {} {}: {reason} {}",
            theme.paint(Label::Bad, "✗"),
            title(step),
            theme.paint(Label::Dim, &format!("({})", words::duration(*took)))
        )),
        Event::StepSkipped { step, because } => {
            Some(format!("  {} {}: skipped, {} failed", theme.paint(Label::Dim, "·"), title(step), title(because)))
        }
        Event::StepNoted { step, note } => Some(format!("    {}: {note}", title(step))),
        Event::ResourceChanged { .. } => None,
        Event::RunStarted { .. }
        | Event::StepStarted { .. }
        | Event::StepWaiting { .. }
        | Event::RunFinished { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::printer::{Format, Streams};

    fn printer() -> Printer {
        Printer::new(Format::Human, Streams { out_terminal: false, err_terminal: false, interactive: false }, true)
    }

    #[test]
    fn a_silent_step_is_said_to_be_still_at_it_once_per_silence() {
        let printer = printer();
        let mut screen = Screen::new(&printer);
        let start = Instant::now();
        screen.show(&Event::StepStarted { step: "stack/aurora".into(), title: "stack aurora".into() }, start);
        screen.show(&Event::StepWaiting { step: "stack/aurora".into(), why: "cluster is creating".into() }, start);
        assert!(screen.still(start + Duration::from_secs(39)).is_empty());
        let later = start + Duration::from_secs(40);
        assert_eq!(screen.still(later), ["  still stack aurora: waits: cluster is creating, 40 s"]);
        assert!(screen.still(later).is_empty());
    }

    #[test]
    fn finished_failed_and_skipped_steps_leave_a_line() {
        let titles = BTreeMap::from([("a".to_owned(), "stack a".to_owned()), ("b".to_owned(), "stack b".to_owned())]);
        let took = Duration::from_millis(1500);
        let events = [
            Event::StepFinished { step: "a".into(), did: "3 resources added".into(), unchanged: false, took },
            Event::StepFinished { step: "a".into(), did: "nothing to do".into(), unchanged: true, took },
            Event::StepFailed { step: "a".into(), reason: "no".into(), took },
            Event::StepSkipped { step: "b".into(), because: "a".into() },
        ];
        let lines: Vec<_> = events.iter().filter_map(|event| line(event, &titles, Theme::PLAIN)).collect();
        insta::assert_snapshot!(lines.join("\n"), @r"
          ✓ stack a: 3 resources added (1.5 s)
          = stack a: nothing to do (1.5 s)
          ✗ stack a: no (1.5 s)
          · stack b: skipped, stack a failed
        ");
    }
}
