//! Filter expressions: which traces are meant. <https://docs.aws.amazon.com/xray/latest/devguide/xray-console-filters.html>

mod lex;
mod parse;
mod test;

pub(super) use parse::{Filter, parse};
