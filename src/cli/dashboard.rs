//! `labctl status --watch` of a lab whose manifest has `watch`: its queries, twice a second.

use super::context::Context;
use super::deployed::Deployed;
use super::query::Prepared;
use super::select::LabArg;
use super::sql;
use crate::error::Failure;
use crate::lab::model::Watch;
use crate::sql::{DataApi, ResultSet};
use crate::ui::dashboard::{Dashboard, Looks, Panel};
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// From the end of one look to the next.
const PAUSE: Duration = Duration::from_millis(500);
/// How soon the thread that reads keys sees that nobody listens any more.
const KEY_PATIENCE: Duration = Duration::from_millis(100);

/// Shows the dashboard until the user leaves it.
pub(super) async fn run(lab: &LabArg, watch: &Watch, cx: &Context) -> Result<(), Failure> {
    let deployed = Deployed::of(cx, lab).await?;
    let manifest = &deployed.wanted.lab.manifest;
    let queries: Vec<Prepared> =
        watch.queries.iter().map(|name| Prepared::of(&deployed.wanted.lab, name, &[])).collect::<Result<_, _>>()?;
    let titles = watch.queries.iter().filter_map(|name| manifest.queries.get(name));
    let waiting = Waiting::default();
    let told = waiting.clone();
    let source =
        Source { database: sql::data_api(&deployed)?.telling(move |why| told.set(Some(why.to_owned()))), queries };
    let instance = &deployed.wanted.instance;
    let mut dashboard = Dashboard {
        title: format!("{} ({}) on {}", instance.lab, instance.env, deployed.aws.target().name),
        panels: titles.map(|query| Panel::new(query.description.as_str())).collect(),
        took: None,
        trouble: None,
        looks: Looks::of(cx.ui.out_theme()),
    };
    match cx.ui.owns_terminal() {
        true => on_screen(&source, &waiting, &mut dashboard).await,
        false => in_lines(&source, &mut dashboard, cx).await,
    }
}

/// Where the tables come from.
struct Source {
    database: DataApi,
    queries: Vec<Prepared>,
}

impl Source {
    /// One look at everything; how long it took.
    async fn look(&self) -> Result<(Vec<ResultSet>, Duration), Failure> {
        let begun = Instant::now();
        let mut results = Vec::with_capacity(self.queries.len());
        for query in &self.queries {
            results.push(query.run(&self.database, |_| ()).await?);
        }
        Ok((results, begun.elapsed()))
    }
}

/// Why the database makes us wait, told from within a look.
#[derive(Clone, Default)]
struct Waiting(Arc<Mutex<Option<String>>>);

impl Waiting {
    fn set(&self, why: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = why;
    }

    fn get(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Takes a look over; tells whether anything is different.
fn take(dashboard: &mut Dashboard, looked: Result<(Vec<ResultSet>, Duration), Failure>) -> bool {
    match looked {
        Ok((results, took)) => {
            dashboard.took = Some(took);
            let was_in_trouble = dashboard.trouble.take().is_some();
            let looks = dashboard.panels.iter_mut().zip(&results).map(|(panel, result)| panel.look(result));
            // Every panel has to look.
            looks.fold(was_in_trouble, |before, different| before | different)
        }
        Err(failure) => {
            let cause = failure.source.as_ref().map(|cause| format!(": {cause}")).unwrap_or_default();
            let trouble = Some(format!("{}{cause}", failure.summary));
            let different = dashboard.trouble != trouble;
            dashboard.trouble = trouble;
            different
        }
    }
}

/// Without a terminal: the tables, each time that something in them changed.
async fn in_lines(source: &Source, dashboard: &mut Dashboard, cx: &Context) -> Result<(), Failure> {
    loop {
        if take(dashboard, source.look().await) {
            match &dashboard.trouble {
                Some(trouble) => cx.ui.note(trouble),
                None => cx.ui.raw(&(dashboard.text() + "\n")),
            }
            // Nobody reads any more, or the disk is full.
            if cx.ui.is_unread() || cx.ui.written().is_err() {
                return cx.ui.written();
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// The screen, given back however this ends: also when the command is interrupted and its future dropped. A panic gives it back
/// before its message is printed (ratatui's hook).
struct Screen(DefaultTerminal);

impl Screen {
    fn take() -> std::io::Result<Self> {
        ratatui::try_init().map(Screen)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

async fn on_screen(source: &Source, waiting: &Waiting, dashboard: &mut Dashboard) -> Result<(), Failure> {
    let unusable = |error: std::io::Error| Failure::failed("cannot use the terminal").because(error);
    let mut screen = Screen::take().map_err(unusable)?;
    let mut keys = keys();
    loop {
        let mut look = std::pin::pin!(source.look());
        let looked = loop {
            screen.0.draw(|frame| dashboard.draw(frame)).map_err(unusable)?;
            tokio::select! {
                looked = &mut look => break looked,
                key = keys.recv() => if key.is_none_or(Key::leaves) { return Ok(()) },
                () = tokio::time::sleep(PAUSE) => dashboard.trouble = waiting.get().or_else(|| dashboard.trouble.take()),
            }
        };
        waiting.set(None);
        take(dashboard, looked);
        let next = tokio::time::Instant::now() + PAUSE;
        loop {
            screen.0.draw(|frame| dashboard.draw(frame)).map_err(unusable)?;
            tokio::select! {
                () = tokio::time::sleep_until(next) => break,
                key = keys.recv() => if key.is_none_or(Key::leaves) { return Ok(()) },
            }
        }
    }
}

/// What the terminal says.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Key {
    Leave,
    /// Another size: drawn again, as after every other key.
    Redraw,
}

impl Key {
    fn leaves(self) -> bool {
        self == Key::Leave
    }

    fn of(event: &Event) -> Option<Key> {
        match event {
            // Without its usual meaning the terminal gives Ctrl-C as a key.
            Event::Key(key) if key.kind == KeyEventKind::Press => {
                let control = key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('c');
                (control || matches!(key.code, KeyCode::Char('q') | KeyCode::Esc)).then_some(Key::Leave)
            }
            Event::Resize(..) => Some(Key::Redraw),
            _ => None,
        }
    }
}

/// Reading keys blocks, so a thread does it; it ends when nobody listens. The channel ends when the terminal is gone.
fn keys() -> mpsc::Receiver<Key> {
    let (sender, receiver) = mpsc::channel(8);
    std::thread::spawn(move || {
        while !sender.is_closed() {
            let key = match event::poll(KEY_PATIENCE) {
                Ok(true) => event::read().map(|event| Key::of(&event)),
                Ok(false) => Ok(None),
                Err(error) => Err(error),
            };
            match key {
                Ok(Some(key)) if sender.blocking_send(key).is_err() => return,
                Ok(_) => {}
                Err(_) => return,
            }
        }
    });
    receiver
}

#[cfg(test)]
mod tests {
    use super::{Event, Key, KeyCode, KeyModifiers};
    use ratatui::crossterm::event::KeyEvent;

    #[test]
    fn q_escape_and_control_c_leave_and_nothing_else() {
        let key = |code, modifiers| Key::of(&Event::Key(KeyEvent::new(code, modifiers)));
        for code in [KeyCode::Char('q'), KeyCode::Esc] {
            assert_eq!(key(code, KeyModifiers::NONE), Some(Key::Leave));
        }
        assert_eq!(key(KeyCode::Char('c'), KeyModifiers::CONTROL), Some(Key::Leave));
        assert_eq!(key(KeyCode::Char('c'), KeyModifiers::NONE), None);
        assert_eq!(Key::of(&Event::Resize(80, 24)), Some(Key::Redraw));
    }
}
