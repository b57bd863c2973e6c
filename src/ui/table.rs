//! Columns that line up, without lines drawn around them.

use super::theme::{Label, Theme};
use unicode_width::UnicodeWidthStr;

/// Rows of text under headings.
#[derive(Debug, Default)]
pub struct Table {
    headings: Vec<String>,
    rows: Vec<Vec<(Option<Label>, String)>>,
}

impl Table {
    pub fn new(headings: &[&str]) -> Self {
        Table { headings: headings.iter().map(|heading| (*heading).to_owned()).collect(), rows: Vec::new() }
    }

    pub fn row<T: Into<String>>(&mut self, cells: impl IntoIterator<Item = T>) {
        self.rows.push(cells.into_iter().map(|cell| (None, flat(&cell.into()))).collect());
    }

    /// A row some cells of which have a meaning of their own.
    pub fn labelled(&mut self, cells: impl IntoIterator<Item = (Option<Label>, String)>) {
        self.rows.push(cells.into_iter().map(|(label, cell)| (label, flat(&cell))).collect());
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table as text, one line per row, without trailing blanks.
    pub fn render(&self, theme: Theme) -> String {
        let widths = self.widths();
        let headings: Vec<_> = self.headings.iter().map(|text| (Some(Label::Dim), text.clone())).collect();
        let titled = if headings.is_empty() { None } else { Some(&headings) };
        titled.into_iter().chain(&self.rows).map(|row| line(row, &widths, theme) + "\n").collect()
    }

    /// The table as it can be read on a screen of `width` columns: where a line would be longer, each row is a block with a line for
    /// each column.
    pub fn render_within(&self, width: usize, theme: Theme) -> String {
        let widths = self.widths();
        let wide: usize = widths.iter().map(|column| column + 2).sum();
        if wide <= width.saturating_add(2) || self.headings.is_empty() {
            return self.render(theme);
        }
        let longest = self.headings.iter().map(|heading| heading.width()).max().unwrap_or(0);
        let block = |row: &Vec<(Option<Label>, String)>| -> String {
            let named = self.headings.iter().zip(row);
            let lines = named.map(|(heading, (label, cell))| {
                let pair = [(Some(Label::Dim), heading.clone()), (*label, cell.clone())];
                line(&pair, &[longest, 0], theme) + "\n"
            });
            lines.collect()
        };
        self.rows.iter().map(block).collect::<Vec<_>>().join("\n")
    }

    /// How wide each column is.
    fn widths(&self) -> Vec<usize> {
        let columns = self.rows.iter().map(Vec::len).chain([self.headings.len()]).max().unwrap_or(0);
        let mut widths = vec![0; columns];
        for (column, heading) in self.headings.iter().enumerate() {
            widths[column] = heading.width();
        }
        for row in &self.rows {
            for (column, (_, cell)) in row.iter().enumerate() {
                widths[column] = widths[column].max(cell.width());
            }
        }
        widths
    }
}

/// A cell is one line: a value that ends it would begin what looks like the next row.
pub(super) fn flat(cell: &str) -> String {
    cell.replace('\n', "\\n").replace('\t', "\\t")
}

fn line(row: &[(Option<Label>, String)], widths: &[usize], theme: Theme) -> String {
    let mut text = String::new();
    for (column, (label, cell)) in row.iter().enumerate() {
        match label {
            Some(label) => text.push_str(&theme.paint(*label, cell)),
            None => text.push_str(cell),
        }
        if column + 1 < row.len() {
            text.push_str(&" ".repeat(widths[column] - cell.width() + 2));
        }
    }
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_is_too_long_for_the_screen_is_a_block() {
        let mut table = Table::new(&["NAME", "STATE OF IT"]);
        table.row(["héros", "ready"]);
        table.row(["a-long-name", ""]);
        assert_eq!(table.render_within(24, Theme::PLAIN), table.render(Theme::PLAIN));
        let blocks = "NAME         héros\nSTATE OF IT  ready\n\nNAME         a-long-name\nSTATE OF IT\n";
        assert_eq!(table.render_within(23, Theme::PLAIN), blocks);
    }

    #[test]
    fn columns_line_up_by_display_width() {
        let mut table = Table::new(&["NAME", "STATE"]);
        table.row(["héros", "ready"]);
        table.row(["a-long-name", ""]);
        assert_eq!(table.render(Theme::PLAIN), "NAME         STATE\nhéros        ready\na-long-name\n");
    }

    #[test]
    fn a_cell_never_ends_its_row() {
        let mut table = Table::new(&["NAME", "STATE"]);
        table.row(["a\n  b\tc", "ready"]);
        table.labelled([(None, "d\n".to_owned()), (None, "down".to_owned())]);
        assert_eq!(table.render(Theme::PLAIN), "NAME       STATE\na\\n  b\\tc  ready\nd\\n        down\n");
    }
}
