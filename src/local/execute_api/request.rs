//! What of a request is read in one way.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use percent_encoding::percent_decode_str;

use crate::arriving::Arriving;
use crate::clock::Timestamp;

/// "Payload size: 10 MB."
const LARGEST: usize = 10 << 20;
/// How long a body may take to arrive.
const BODY_WITHIN: Duration = Duration::from_secs(60);

/// Why there is no body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unread {
    TooLarge,
    /// It broke off, or came too slowly.
    Interrupted,
}

/// Reads a request's body as far as the gateway takes one.
pub(crate) async fn read(body: Arriving) -> Result<Bytes, Unread> {
    let reading = tokio::time::timeout(BODY_WITHIN, Limited::new(body, LARGEST).collect());
    match reading.await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Unread::TooLarge),
        _ => Err(Unread::Interrupted),
    }
}

/// `a=1&b=%20` as decoded pairs.
pub(crate) fn query_pairs(query: Option<&str>) -> Vec<(String, String)> {
    let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let pairs = query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decode(name), decode(value)))
        .collect()
}

/// `09/Apr/2015:12:34:56 +0000`.
pub(crate) fn request_time(at: Timestamp) -> String {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let at = at.date_time();
    let month = MONTHS[usize::from(u8::from(at.month())) - 1];
    format!("{:02}/{month}/{}:{:02}:{:02}:{:02} +0000", at.day(), at.year(), at.hour(), at.minute(), at.second())
}
