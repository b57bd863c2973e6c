//! Whole labs, up, up again and down.

mod inventory;
mod readme;
mod superheroes;
mod telemetry;
mod timeseries;
