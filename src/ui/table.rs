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
        let headings: Vec<_> = self.headings.iter().map(|text| (Some(Label::Dim), text.clone())).collect();
        let titled = if headings.is_empty() { None } else { Some(&headings) };
        titled.into_iter().chain(&self.rows).map(|row| line(row, &widths, theme) + "\n").collect()
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
