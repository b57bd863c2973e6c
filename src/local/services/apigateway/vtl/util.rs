//! `$util`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::eval::Eval;
use super::heap::{Heap, Held};

const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'*');

/// What a function of `$util` makes of its argument; of nothing it makes nothing.
pub(super) fn util(heap: &mut Heap, name: &str, argument: &Held) -> Eval<Held> {
    if argument.is_null() {
        return Ok(Held::Null);
    }
    let text = heap.print(argument)?;
    heap.budget.scanned(&text)?;
    let made = match name {
        "escapeJavaScript" => escape_java_script(&text),
        "parseJson" => {
            let json = serde_json::from_str(&text).map_err(|error| format!("$util.parseJson(): {error}"))?;
            return heap.json(&json);
        }
        "urlEncode" => utf8_percent_encode(&text, PLAIN).to_string().replace("%20", "+"),
        "urlDecode" => percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned(),
        "base64Encode" => STANDARD.encode(text),
        "base64Decode" => {
            let bytes = STANDARD.decode(text).map_err(|error| format!("$util.base64Decode(): {error}"))?;
            String::from_utf8_lossy(&bytes).into_owned()
        }
        _ => return Err(format!("$util.{name}() is not known")),
    };
    heap.text(&made)
}

/// As Commons Lang 2 escapes, the slash too.
fn escape_java_script(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' | '\'' | '\\' | '/' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if (c as u32) < 0x20 || (c as u32) > 0x7f => {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    out.push_str(&format!("\\u{unit:04X}"));
                }
            }
            c => out.push(c),
        }
    }
    out
}
