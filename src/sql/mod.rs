//! SQL files and statements: splitting, values put in, a ledger in the database itself, execution over the Data API, results.

pub mod data_api;
pub mod ledger;
pub mod result;
pub mod split;
pub mod substitute;

pub use data_api::{Address, DataApi, Parameter, SqlError};
pub use ledger::{Applied, ApplyError, Job, Loader, SqlFile, apply, refused};
pub use result::ResultSet;
pub use split::{SplitError, Statement, placeholders, split};
