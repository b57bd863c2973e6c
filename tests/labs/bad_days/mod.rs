//! What goes wrong while `labctl load` and others send: nothing that was acknowledged is lost, nothing is stored in part, every
//! answer is one that the lab's README has, and all goes on with no hand laid on.

mod day;
mod inventory;
mod load;
mod resume;
mod telemetry;
mod timeseries;
