//! Whole labs, up, up again and down.

mod inventory;
mod inventory_days;
mod readme;
mod superheroes;
mod telemetry;
mod timeseries;
