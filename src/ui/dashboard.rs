//! A live dashboard: tables that are looked at again and again, what changed since the last look made to stand out.

use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Text};
use ratatui::widgets::{Block, Borders, Cell as Shown, Paragraph, Row, Table};
use unicode_width::UnicodeWidthStr;

use super::printer::tame;
use super::table;
use super::theme::Theme;
use crate::sql::ResultSet;

/// For how many looks a change stands out.
const STANDS_OUT: u8 = 2;

/// One query's rows, as they were and as they are.
#[derive(Debug)]
pub struct Panel {
    title: String,
    columns: Vec<String>,
    rows: Vec<Vec<Cell>>,
    /// There was a look before: what is new now is a change.
    seen: bool,
}

#[derive(Clone, Debug, PartialEq)]
struct Cell {
    text: String,
    /// Looks since it changed.
    age: u8,
}

impl Panel {
    pub fn new(title: impl Into<String>) -> Self {
        Panel { title: title.into(), columns: Vec::new(), rows: Vec::new(), seen: false }
    }

    /// Takes over what the query gives now. A row is the same as before if its first cell is; a table of one row is one row. Tells
    /// whether anything is different.
    pub fn look(&mut self, result: &ResultSet) -> bool {
        let columns: Vec<String> = result.columns.iter().map(|column| tame(&column.name)).collect();
        let before = std::mem::take(&mut self.rows);
        let comparable = self.seen && columns == self.columns;
        let alone = before.len() == 1 && result.rows.len() == 1;
        let texts = |row: &Vec<serde_json::Value>| -> Vec<String> {
            let cell = |value| table::flat(&tame(&ResultSet::cell(value).unwrap_or_else(|| "–".to_owned())));
            row.iter().map(cell).collect()
        };
        for row in result.rows.iter().map(texts) {
            let old = before.iter().find(|old| alone || old.first().map(|cell| &cell.text) == row.first());
            let cells = row.into_iter().enumerate().map(|(index, text)| {
                let age = match old.and_then(|old| old.get(index)) {
                    Some(old) if old.text == text => old.age.saturating_add(1),
                    _ if comparable => 0,
                    _ => u8::MAX,
                };
                Cell { text, age }
            });
            self.rows.push(cells.collect());
        }
        let shape = |rows: &[Vec<Cell>]| -> Vec<Vec<String>> {
            rows.iter().map(|row| row.iter().map(|cell| cell.text.clone()).collect()).collect()
        };
        let different = !self.seen || columns != self.columns || shape(&before) != shape(&self.rows);
        self.columns = columns;
        self.seen = true;
        different
    }

    /// The table as lines, for where there is no terminal.
    pub fn text(&self) -> String {
        let headings: Vec<&str> = self.columns.iter().map(String::as_str).collect();
        let mut table = table::Table::new(&headings);
        for row in &self.rows {
            table.row(row.iter().map(|cell| cell.text.clone()));
        }
        format!("{}\n{}", self.title, table.render(Theme::PLAIN))
    }

    /// Lines of the screen: the rows, their headings and a border.
    fn height(&self, width: u16) -> u16 {
        let rows = u16::try_from(self.rows.len().max(1)).unwrap_or(u16::MAX);
        rows.saturating_add(self.fit(width.saturating_sub(2)).lines() + 2)
    }

    /// The columns as they fit into a width: apart from each other, or close together under headings that are broken where their
    /// words end. What is still too wide is left out on the right.
    fn fit(&self, room: u16) -> Fit {
        let wide = Fit { headings: self.columns.clone(), widths: self.widths(&self.columns, room), spacing: 2 };
        if wide.width(wide.widths.len()) <= usize::from(room) {
            return wide;
        }
        let headings: Vec<String> = self.columns.iter().map(|name| name.replace('_', "\n")).collect();
        let mut close = Fit { widths: self.widths(&headings, room / 3), headings, spacing: 1 };
        let fitting = (1..=close.widths.len()).take_while(|count| close.width(*count) <= usize::from(room)).count();
        close.widths.truncate(fitting.max(1));
        close
    }

    /// How wide each column is, but no wider than `most`.
    fn widths(&self, headings: &[String], most: u16) -> Vec<u16> {
        let column = |(column, heading): (usize, &String)| {
            let cells = self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.text.width());
            let widest = cells.chain(heading.lines().map(UnicodeWidthStr::width)).max().unwrap_or_default();
            u16::try_from(widest).unwrap_or(u16::MAX).min(most)
        };
        headings.iter().enumerate().map(column).collect()
    }

    fn is_number(&self, column: usize) -> bool {
        let mut cells = self.rows.iter().filter_map(|row| row.get(column)).peekable();
        cells.peek().is_some() && cells.all(|cell| cell.text.parse::<f64>().is_ok())
    }

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, looks: Looks) {
        let aligned = |column: usize, text: String| {
            let side = if self.is_number(column) { Alignment::Right } else { Alignment::Left };
            Text::from(text).alignment(side)
        };
        let fit = self.fit(area.width.saturating_sub(2));
        let lines = fit.lines();
        let heading = |(column, name): (usize, &String)| {
            let above = usize::from(lines).saturating_sub(name.lines().count());
            Shown::from(aligned(column, "\n".repeat(above) + name)).style(looks.dim())
        };
        let header = Row::new(fit.headings.iter().take(fit.widths.len()).enumerate().map(heading)).height(lines);
        let rows = self.rows.iter().map(|row| {
            Row::new(row.iter().take(fit.widths.len()).enumerate().map(|(column, cell)| {
                let style = if cell.age < STANDS_OUT { looks.changed() } else { Style::new() };
                Shown::from(aligned(column, cell.text.clone())).style(style)
            }))
        });
        let widths = fit.widths.iter().map(|width| Constraint::Length(*width));
        let title = Line::styled(format!(" {} ", self.title), looks.heading());
        let block = Block::new().borders(Borders::ALL).border_style(looks.dim()).title(title);
        frame.render_widget(Table::new(rows, widths).header(header).column_spacing(fit.spacing).block(block), area);
    }
}

/// How a panel's columns fit on the screen.
struct Fit {
    headings: Vec<String>,
    /// Of the columns that are shown.
    widths: Vec<u16>,
    spacing: u16,
}

impl Fit {
    /// Lines of the headings.
    fn lines(&self) -> u16 {
        let lines = self.headings.iter().map(|heading| heading.lines().count()).max().unwrap_or_default();
        u16::try_from(lines).unwrap_or(u16::MAX).max(1)
    }

    /// How wide the first columns are together.
    fn width(&self, count: usize) -> usize {
        let columns: usize = self.widths.iter().take(count).map(|width| usize::from(*width)).sum();
        columns + usize::from(self.spacing) * count.saturating_sub(1)
    }
}

/// How the parts look, with colours or without.
#[derive(Clone, Copy, Debug)]
pub struct Looks {
    colour: bool,
}

impl Looks {
    pub fn of(theme: Theme) -> Self {
        Looks { colour: theme != Theme::PLAIN }
    }

    fn coloured(self, style: Style, colour: Color) -> Style {
        if self.colour { style.fg(colour) } else { style }
    }

    fn changed(self) -> Style {
        let style = Style::new().add_modifier(Modifier::BOLD);
        if self.colour { style.fg(Color::Yellow) } else { style.add_modifier(Modifier::REVERSED) }
    }

    fn heading(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    fn dim(self) -> Style {
        self.coloured(Style::new(), Color::DarkGray)
    }

    fn bad(self) -> Style {
        self.coloured(Style::new().add_modifier(Modifier::BOLD), Color::Red)
    }
}

/// Everything that the screen shows.
#[derive(Debug)]
pub struct Dashboard {
    /// The lab and where it is.
    pub title: String,
    pub panels: Vec<Panel>,
    /// How long the last look took.
    pub took: Option<Duration>,
    /// What keeps it from looking, if something does.
    pub trouble: Option<String>,
    pub looks: Looks,
}

impl Dashboard {
    pub fn draw(&self, frame: &mut Frame<'_>) {
        let width = frame.area().width;
        let heights = self.panels.iter().map(|panel| Constraint::Length(panel.height(width)));
        let parts: Vec<Constraint> = [Constraint::Length(1)]
            .into_iter()
            .chain(heights)
            .chain([Constraint::Fill(1), Constraint::Length(1)])
            .collect();
        let areas = Layout::vertical(parts).split(frame.area());
        let took = self.took.map(|took| format!("  {:.0} ms", took.as_secs_f64() * 1000.0)).unwrap_or_default();
        frame.render_widget(Line::styled(format!(" {}{took}", self.title), self.looks.heading()), areas[0]);
        for (panel, area) in self.panels.iter().zip(areas.iter().skip(1)) {
            panel.draw(frame, *area, self.looks);
        }
        let Some(last) = areas.last() else { return };
        let line = match &self.trouble {
            Some(trouble) => Line::styled(format!(" {}", tame(trouble)), self.looks.bad()),
            None => Line::styled(" q quits   an awake watcher keeps the database awake", self.looks.dim()),
        };
        frame.render_widget(Paragraph::new(line), *last);
    }

    /// The tables as text, for where there is no terminal.
    pub fn text(&self) -> String {
        self.panels.iter().map(Panel::text).collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use serde_json::{Value, json};

    use super::{Color, Dashboard, Duration, Looks, Modifier, Panel};
    use crate::sql::ResultSet;
    use crate::sql::result::Column;

    fn result(columns: &[&str], rows: &[&[Value]]) -> ResultSet {
        let column = |name: &&str| Column { name: (*name).to_owned(), kind: String::new() };
        ResultSet {
            columns: columns.iter().map(column).collect(),
            rows: rows.iter().map(|row| row.to_vec()).collect(),
            rows_affected: 0,
        }
    }

    fn devices(first: u32, second: u32) -> ResultSet {
        result(&["device_id", "data_points"], &[&[json!("abc41"), json!(first)], &[json!("a\u{1b}[2J"), json!(second)]])
    }

    fn dashboard(panels: Vec<Panel>) -> Dashboard {
        let took = Some(Duration::from_micros(3_400));
        Dashboard {
            title: "telemetry (dev) on local".to_owned(),
            panels,
            took,
            trouble: None,
            looks: Looks { colour: true },
        }
    }

    fn screen(dashboard: &Dashboard) -> Terminal<TestBackend> {
        let mut terminal = Terminal::new(TestBackend::new(52, 14)).expect("a terminal");
        terminal.draw(|frame| dashboard.draw(frame)).expect("drawn");
        terminal
    }

    #[test]
    fn tables_line_up_and_nothing_of_a_value_steers_the_terminal() {
        let mut totals = Panel::new("the lab in one line");
        totals.look(&result(&["entries", "unique_devices"], &[&[json!("79151"), json!(1846)]]));
        let mut busiest = Panel::new("the busiest devices");
        busiest.look(&devices(852, 9));
        insta::assert_snapshot!(screen(&dashboard(vec![totals, busiest])).backend(), @r#"
        " telemetry (dev) on local  3 ms                     "
        "┌ the lab in one line ─────────────────────────────┐"
        "│entries  unique_devices                           │"
        "│  79151            1846                           │"
        "└──────────────────────────────────────────────────┘"
        "┌ the busiest devices ─────────────────────────────┐"
        "│device_id   data_points                           │"
        "│abc41               852                           │"
        "│a\u{1b}[2J            9                           │"
        "└──────────────────────────────────────────────────┘"
        "                                                    "
        "                                                    "
        "                                                    "
        " q quits   an awake watcher keeps the database awake"
        "#);
    }

    /// The telemetry lab's panel on the usual terminal.
    #[test]
    fn columns_that_do_not_fit_have_their_headings_broken_and_the_last_are_left_out() {
        let columns = [
            "device_id",
            "data_points",
            "min_cpu",
            "avg_cpu",
            "max_cpu",
            "min_memory",
            "avg_memory",
            "max_memory",
            "latest_ts",
        ];
        let share = json!("0.50");
        let row = [vec![json!("abc1846\n"), json!(79151)], vec![share; 6], vec![json!("2023-03-08 17:04:50")]].concat();
        let mut panel = Panel::new("devices");
        panel.look(&result(&columns, &[&row]));
        let drawn = |width: u16| {
            let mut terminal = Terminal::new(TestBackend::new(width, 5 + 1)).expect("a terminal");
            let draw = |frame: &mut super::Frame<'_>| panel.draw(frame, frame.area(), Looks { colour: false });
            terminal.draw(draw).expect("drawn");
            terminal
        };
        insta::assert_snapshot!(drawn(80).backend(), @r#"
        "┌ devices ─────────────────────────────────────────────────────────────────────┐"
        "│device      data  min  avg  max    min    avg    max latest                   │"
        "│id        points  cpu  cpu  cpu memory memory memory ts                       │"
        "│abc1846\n  79151 0.50 0.50 0.50   0.50   0.50   0.50 2023-03-08 17:04:50      │"
        "│                                                                              │"
        "└──────────────────────────────────────────────────────────────────────────────┘"
        "#);
        insta::assert_snapshot!(drawn(40).backend(), @r#"
        "┌ devices ─────────────────────────────┐"
        "│device      data  min  avg  max    min│"
        "│id        points  cpu  cpu  cpu memory│"
        "│abc1846\n  79151 0.50 0.50 0.50   0.50│"
        "│                                      │"
        "└──────────────────────────────────────┘"
        "#);
        assert_eq!((panel.height(80), panel.height(200)), (5, 4));
    }

    #[test]
    fn what_changed_stands_out_for_two_looks_and_with_no_colour_too() {
        let mut panel = Panel::new("devices");
        assert!(panel.look(&devices(1, 5)));
        assert!(!panel.look(&devices(1, 5)));
        assert!(panel.look(&devices(2, 5)));
        let mut board = dashboard(vec![panel]);
        let style = |board: &Dashboard, line: u16| screen(board).backend().buffer()[(23, line)].style();
        assert_eq!(style(&board, 3).fg, Some(Color::Yellow));
        assert_ne!(style(&board, 4).fg, Some(Color::Yellow));
        board.looks = Looks { colour: false };
        assert!(style(&board, 3).add_modifier.contains(Modifier::REVERSED));
        board.panels[0].look(&devices(2, 5));
        assert!(style(&board, 3).add_modifier.contains(Modifier::REVERSED));
        board.panels[0].look(&devices(2, 5));
        assert!(!style(&board, 3).add_modifier.contains(Modifier::REVERSED));
    }

    #[test]
    fn a_row_keeps_its_place_in_time_by_its_first_cell() {
        let mut panel = Panel::new("devices");
        panel.look(&devices(1, 5));
        let turned =
            result(&["device_id", "data_points"], &[&[json!("a\u{1b}[2J"), json!(5)], &[json!("new"), json!(1)]]);
        assert!(panel.look(&turned));
        let ages: Vec<bool> = panel.rows.iter().flatten().map(|cell| cell.age < super::STANDS_OUT).collect();
        assert_eq!(ages, [false, false, true, true]);
    }

    #[test]
    fn what_is_in_the_way_is_told_on_the_last_line() {
        let mut board = dashboard(vec![Panel::new("devices")]);
        board.trouble = Some("the database is resuming".to_owned());
        assert!(screen(&board).backend().to_string().contains("the database is resuming"));
        assert_eq!(board.text(), "devices\n");
    }
}
