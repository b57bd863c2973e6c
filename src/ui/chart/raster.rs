//! Lines as dots: a grid of cells, each of some dots by some dots.

use super::Series;
use super::frame::Frame;

/// The dots of one character, and the last series that has one among them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cell {
    /// Eight dots at most, by column and row within the cell: bit `row * across + column`.
    pub(super) dots: u8,
    pub(super) series: usize,
}

/// How many dots a cell is made of, across and down.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dots(pub(super) usize, pub(super) usize);

/// Rows of cells, from the top.
#[derive(Debug)]
pub(super) struct Raster {
    columns: usize,
    rows: usize,
    per_cell: Dots,
    cells: Vec<Cell>,
}

impl Raster {
    pub(super) fn new(columns: usize, rows: usize, per_cell: Dots) -> Self {
        Raster { columns, rows, per_cell, cells: vec![Cell::default(); columns * rows] }
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = &[Cell]> {
        self.cells.chunks(self.columns.max(1))
    }

    /// Draws one series over what is there.
    pub(super) fn draw(&mut self, index: usize, series: &Series, frame: &Frame) {
        for piece in series.pieces() {
            let dots: Vec<(usize, usize)> = piece.iter().map(|point| self.dot_of(*point, frame)).collect();
            dots.iter().for_each(|dot| self.dot(index, *dot));
            dots.windows(2).for_each(|pair| self.join(index, pair[0], pair[1]));
            // One dot of eight is easily overlooked; a line has several.
            if let [alone] = *dots {
                self.fill(index, alone);
            }
        }
    }

    fn dot_of(&self, (x, y): (f64, f64), frame: &Frame) -> (usize, usize) {
        let place = |share: f64, count: usize| (share * (count - 1) as f64).round() as usize;
        let (across, down) = (self.columns * self.per_cell.0, self.rows * self.per_cell.1);
        (place(frame.x.share(x), across), place(1.0 - frame.y.share(y), down))
    }

    /// The row of cells in which a height is drawn.
    pub(super) fn row_of(&self, y: f64, frame: &Frame) -> usize {
        self.dot_of((frame.x.low, y), frame).1 / self.per_cell.1
    }

    /// The column of cells in which a value is drawn.
    pub(super) fn column_of(&self, x: f64, frame: &Frame) -> usize {
        self.dot_of((x, frame.y.low), frame).0 / self.per_cell.0
    }

    /// The whole cell around a dot.
    fn fill(&mut self, series: usize, (across, down): (usize, usize)) {
        let Dots(wide, high) = self.per_cell;
        let (left, top) = (across / wide * wide, down / high * high);
        (0..wide * high).for_each(|bit| self.dot(series, (left + bit % wide, top + bit / wide)));
    }

    fn dot(&mut self, series: usize, (across, down): (usize, usize)) {
        let (cell, bit) = (
            (down / self.per_cell.1) * self.columns + across / self.per_cell.0,
            (down % self.per_cell.1) * self.per_cell.0 + across % self.per_cell.0,
        );
        if let Some(cell) = self.cells.get_mut(cell) {
            *cell = Cell { dots: cell.dots | 1 << bit, series };
        }
    }

    fn join(&mut self, series: usize, from: (usize, usize), to: (usize, usize)) {
        let steps = from.0.abs_diff(to.0).max(from.1.abs_diff(to.1));
        for step in 1..steps {
            let between = |from: usize, to: usize| {
                (from as f64 + (to as f64 - from as f64) * step as f64 / steps as f64).round() as usize
            };
            self.dot(series, (between(from.0, to.0), between(from.1, to.1)));
        }
    }
}
