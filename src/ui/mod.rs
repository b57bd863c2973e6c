//! The only place that prints: results on stdout, everything else on stderr.

pub mod chart;
pub mod dashboard;
pub mod human;
pub mod json;
pub mod load;
pub mod log;
pub mod plan;
pub mod printer;
pub mod table;
pub mod theme;
pub mod waterfall;
pub mod words;

pub use chart::Chart;
pub use json::EventLog;
pub use printer::{Answer, Format, Printer};
pub use table::Table;
pub use theme::{Label, Theme};
