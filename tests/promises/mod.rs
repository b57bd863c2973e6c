//! Promises that other emulators break, and bad days.

mod behind_our_back;
mod broken_engine;
mod dependencies;
mod disk_full;
mod events;
mod front_door;
mod functions;
mod heroes;
mod hostile;
mod input;
mod interrupted;
mod ledger;
mod leftovers;
mod load;
mod local_lifecycle;
mod operations;
mod preflight;
mod reference;
mod secrets;
mod survival;
mod terminal;
mod traces;
mod watch;
