//! SQL files and statements: splitting, ledger, execution over the Data API, results.
