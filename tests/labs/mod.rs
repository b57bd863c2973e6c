//! Whole labs, up, up again and down.

mod bad_days;
mod inventory;
mod readme;
mod superheroes;
mod telemetry;
mod timeseries;
