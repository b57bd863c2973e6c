//! The engine's rows as fields, as JSON, and as what describes them.

use std::collections::HashSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mysql_async::consts::{ColumnFlags, ColumnType};
use mysql_async::{Column, Row, Value};
use serde_json::{Map, Value as Json, json};

use super::faults::DataFault;

/// AWS's limits on an answer: all rows, one row.
const ALL_ROWS: usize = 1 << 20;
const ONE_ROW: usize = 64 << 10;
/// And on `formattedRecords`.
const FORMATTED: usize = 10 << 20;
/// The character set number of what is no text.
const BINARY: u16 = 63;

/// How the request wants its rows.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Form {
    pub(super) json: bool,
    pub(super) decimals_as_numbers: bool,
    pub(super) longs_as_text: bool,
}

/// What a column holds, in the Data API's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holds {
    Boolean,
    Long,
    Double,
    Decimal,
    /// A date, as AWS's driver sees it, and so a text.
    Year,
    Text,
    Blob,
}

fn holds(column: &Column) -> Holds {
    use ColumnType::*;
    let binary = column.character_set() == BINARY;
    match column.column_type() {
        MYSQL_TYPE_BIT if column.column_length() == 1 => Holds::Boolean,
        // As AWS's driver sees BOOL.
        MYSQL_TYPE_TINY if column.column_length() == 1 => Holds::Boolean,
        MYSQL_TYPE_TINY | MYSQL_TYPE_SHORT | MYSQL_TYPE_INT24 | MYSQL_TYPE_LONG | MYSQL_TYPE_LONGLONG => Holds::Long,
        MYSQL_TYPE_FLOAT | MYSQL_TYPE_DOUBLE => Holds::Double,
        MYSQL_TYPE_DECIMAL | MYSQL_TYPE_NEWDECIMAL => Holds::Decimal,
        MYSQL_TYPE_YEAR => Holds::Year,
        MYSQL_TYPE_BIT | MYSQL_TYPE_GEOMETRY => Holds::Blob,
        MYSQL_TYPE_TINY_BLOB
        | MYSQL_TYPE_MEDIUM_BLOB
        | MYSQL_TYPE_LONG_BLOB
        | MYSQL_TYPE_BLOB
        | MYSQL_TYPE_VAR_STRING
        | MYSQL_TYPE_STRING
        | MYSQL_TYPE_VARCHAR
            if binary =>
        {
            Holds::Blob
        }
        _ => Holds::Text,
    }
}

/// A value as one JSON value: what `formattedRecords` holds, and what a field wraps.
fn plain(column: &Column, value: Value, form: Form) -> (&'static str, Json) {
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let holds = holds(column);
    let value = match value {
        Value::NULL => return ("isNull", Json::Null),
        // A number that the text protocol brings as text.
        Value::Bytes(bytes) if matches!(holds, Holds::Long | Holds::Double | Holds::Boolean) => numeric(holds, bytes),
        value => value,
    };
    match (holds, value) {
        (Holds::Year, Value::Int(year)) => ("stringValue", format!("{year:04}").into()),
        (Holds::Year, Value::UInt(year)) => ("stringValue", format!("{year:04}").into()),
        (Holds::Boolean, Value::Int(number)) => ("booleanValue", (number != 0).into()),
        (Holds::Boolean, Value::UInt(number)) => ("booleanValue", (number != 0).into()),
        (_, Value::Int(number)) if form.longs_as_text => ("stringValue", number.to_string().into()),
        (_, Value::Int(number)) => ("longValue", number.into()),
        (_, Value::UInt(number)) => match i64::try_from(number) {
            Ok(number) if !form.longs_as_text => ("longValue", number.into()),
            _ => ("stringValue", number.to_string().into()),
        },
        // The engine's own text of a FLOAT has six digits: by either protocol it is the same number.
        (_, Value::Float(number)) => {
            ("doubleValue", double(format!("{number:.5e}").parse::<f64>().unwrap_or(f64::from(number))))
        }
        (_, Value::Double(number)) => ("doubleValue", double(number)),
        (Holds::Decimal, Value::Bytes(bytes)) => decimal(column, text(bytes), form),
        (Holds::Blob, Value::Bytes(bytes)) => ("blobValue", STANDARD.encode(bytes).into()),
        (_, Value::Bytes(bytes)) => ("stringValue", text(bytes).into()),
        (_, Value::Date(year, month, day, hour, minute, second, micro)) => {
            let mut text = format!("{year:04}-{month:02}-{day:02}");
            if column.column_type() != ColumnType::MYSQL_TYPE_DATE {
                text.push_str(&format!(" {hour:02}:{minute:02}:{second:02}{}", fraction(column, micro)));
            }
            ("stringValue", text.into())
        }
        (_, Value::Time(negative, days, hours, minutes, seconds, micro)) => {
            let sign = if negative { "-" } else { "" };
            let hours = days * 24 + u32::from(hours);
            ("stringValue", format!("{sign}{hours:02}:{minutes:02}:{seconds:02}{}", fraction(column, micro)).into())
        }
        (_, Value::NULL) => ("isNull", Json::Null),
    }
}

/// What JSON has no number for is a text in AWS's protocols.
fn double(number: f64) -> Json {
    match number {
        number if number.is_finite() => number.into(),
        number if number.is_nan() => "NaN".into(),
        number if number > 0.0 => "Infinity".into(),
        _ => "-Infinity".into(),
    }
}

fn numeric(holds: Holds, bytes: Vec<u8>) -> Value {
    let text = std::str::from_utf8(&bytes).unwrap_or_default();
    let number = match holds {
        Holds::Double => text.parse().ok().map(Value::Double),
        _ => text.parse().ok().map(Value::Int).or_else(|| text.parse().ok().map(Value::UInt)),
    };
    match number {
        Some(number) => number,
        // BIT(1) comes as a byte.
        None if holds == Holds::Boolean => Value::Int(i64::from(bytes.iter().any(|byte| *byte != 0))),
        None => Value::Bytes(bytes),
    }
}

/// A text, or as a number if the request wants that: a long if the column has no digits behind the point, else a double.
fn decimal(column: &Column, text: String, form: Form) -> (&'static str, Json) {
    if form.decimals_as_numbers {
        let whole = if column.decimals() == 0 { text.parse::<i64>().ok() } else { None };
        if let Some(number) = whole {
            return ("longValue", number.into());
        }
        if let Ok(number) = text.parse::<f64>() {
            return ("doubleValue", number.into());
        }
    }
    ("stringValue", text.into())
}

/// As many digits as the column has.
fn fraction(column: &Column, micro: u32) -> String {
    match usize::from(column.decimals()).min(6) {
        0 => String::new(),
        digits => format!(".{}", &format!("{micro:06}")[..digits]),
    }
}

/// The rows of a result, within AWS's limits.
pub(super) struct Rows<'a> {
    form: Form,
    columns: &'a [Column],
    rows: Vec<Json>,
    size: usize,
}

impl<'a> Rows<'a> {
    /// # Errors
    /// A column is of a type that the Data API has no value for, or has the name of another in JSON.
    pub(super) fn new(columns: &'a [Column], form: Form) -> Result<Self, DataFault> {
        let strange = columns.iter().find(|column| column.column_type() == ColumnType::MYSQL_TYPE_GEOMETRY);
        if let Some(column) = strange {
            let message = format!("The result contains the unsupported data type {}.", kind(column).1);
            return Err(DataFault::Unsupported(message));
        }
        let mut names = HashSet::new();
        let twice = |column: &&Column| !names.insert(column.name_ref().to_ascii_lowercase());
        if form.json
            && let Some(column) = columns.iter().find(twice)
        {
            let name = column.name_str();
            return Err(DataFault::Unsupported(format!(
                "The result contains the column name {name} more than once, which JSON does not allow."
            )));
        }
        Ok(Rows { form, columns, rows: Vec::new(), size: 0 })
    }

    /// # Errors
    /// The row, or all together, are larger than the Data API answers.
    pub(super) fn add(&mut self, row: Row) -> Result<(), DataFault> {
        let values = row.unwrap();
        let size: usize = self.columns.iter().zip(&values).map(|(column, value)| length(column, value)).sum();
        self.size += size;
        let most = if self.form.json { FORMATTED } else { ALL_ROWS };
        if size > ONE_ROW {
            return Err(DataFault::Unsupported("The result contains a row that exceeds the size limit 64 KB.".into()));
        }
        if self.size > most {
            return Err(too_large(most));
        }
        let cells = self.columns.iter().zip(values).map(|(column, value)| (column, plain(column, value, self.form)));
        self.rows.push(if self.form.json {
            Json::Object(cells.map(|(column, (_, value))| (column.name_str().into_owned(), value)).collect())
        } else {
            let field = |(_, (member, value)): (&Column, (&'static str, Json))| {
                let value = if member == "isNull" { Json::Bool(true) } else { value };
                Json::Object(Map::from_iter([(member.to_owned(), value)]))
            };
            Json::Array(cells.map(field).collect())
        });
        Ok(())
    }

    /// Puts the rows into the answer.
    ///
    /// # Errors
    /// As JSON they are larger than the Data API answers.
    pub(super) fn answer(self, answer: &mut Map<String, Json>) -> Result<(), DataFault> {
        if self.form.json {
            let text = Json::Array(self.rows).to_string();
            if text.len() > FORMATTED {
                return Err(too_large(FORMATTED));
            }
            answer.insert("formattedRecords".into(), text.into());
        } else {
            answer.insert("records".into(), Json::Array(self.rows));
        }
        Ok(())
    }
}

/// How many bytes a value has, by whichever protocol it has come from the engine.
fn length(column: &Column, value: &Value) -> usize {
    match (value, holds(column)) {
        (Value::NULL, _) => 1,
        (Value::Bytes(bytes), Holds::Decimal | Holds::Text | Holds::Blob) => bytes.len(),
        _ => 8,
    }
}

fn too_large(limit: usize) -> DataFault {
    DataFault::Unsupported(format!("The result exceeds the size limit {} MB.", limit >> 20))
}

/// `ColumnMetadata`; types are those of `java.sql.Types`.
pub(super) fn metadata(column: &Column) -> Json {
    let flags = column.flags();
    let unsigned = flags.contains(ColumnFlags::UNSIGNED_FLAG);
    let (kind, name) = kind(column);
    let holds = holds(column);
    let length = column.column_length();
    // As AWS's driver reads them: letters, digits (the engine counts sign and point), or what the engine says.
    let precision = match holds {
        Holds::Text if column.character_set() != BINARY => length / 4,
        Holds::Decimal => length.saturating_sub(u32::from(!unsigned) + u32::from(column.decimals() > 0)),
        _ => length,
    };
    // In the driver's words a database is a catalog, and there are no schemas.
    let schema = "";
    json!({
        "name": column.name_str(),
        "label": column.name_str(),
        "schemaName": schema,
        "tableName": column.org_table_str(),
        "type": kind,
        "typeName": if unsigned && holds == Holds::Long { format!("{name} UNSIGNED") } else { name.to_owned() },
        "isAutoIncrement": flags.contains(ColumnFlags::AUTO_INCREMENT_FLAG),
        "isSigned": matches!(holds, Holds::Long | Holds::Double | Holds::Decimal) && !unsigned,
        "isCurrency": false,
        "isCaseSensitive": flags.contains(ColumnFlags::BINARY_FLAG),
        "nullable": i32::from(!flags.contains(ColumnFlags::NOT_NULL_FLAG)),
        "precision": precision.min(i32::MAX.unsigned_abs()),
        "scale": if holds == Holds::Decimal { column.decimals() } else { 0 },
        "arrayBaseColumnType": 0,
    })
}

fn kind(column: &Column) -> (i32, &'static str) {
    use ColumnType::*;
    let blob = holds(column) == Holds::Blob;
    match column.column_type() {
        MYSQL_TYPE_TINY if column.column_length() == 1 => (-7, "BIT"),
        MYSQL_TYPE_TINY => (-6, "TINYINT"),
        MYSQL_TYPE_SHORT => (5, "SMALLINT"),
        MYSQL_TYPE_INT24 => (4, "MEDIUMINT"),
        MYSQL_TYPE_LONG => (4, "INT"),
        MYSQL_TYPE_LONGLONG => (-5, "BIGINT"),
        MYSQL_TYPE_FLOAT => (7, "FLOAT"),
        MYSQL_TYPE_DOUBLE => (8, "DOUBLE"),
        MYSQL_TYPE_DECIMAL | MYSQL_TYPE_NEWDECIMAL => (3, "DECIMAL"),
        MYSQL_TYPE_BIT if column.column_length() == 1 => (-7, "BIT"),
        MYSQL_TYPE_BIT => (-3, "BIT"),
        MYSQL_TYPE_YEAR => (91, "YEAR"),
        MYSQL_TYPE_DATE | MYSQL_TYPE_NEWDATE => (91, "DATE"),
        MYSQL_TYPE_TIME | MYSQL_TYPE_TIME2 => (92, "TIME"),
        MYSQL_TYPE_DATETIME | MYSQL_TYPE_DATETIME2 => (93, "DATETIME"),
        MYSQL_TYPE_TIMESTAMP | MYSQL_TYPE_TIMESTAMP2 => (93, "TIMESTAMP"),
        MYSQL_TYPE_JSON => (-1, "JSON"),
        MYSQL_TYPE_GEOMETRY => (-2, "GEOMETRY"),
        MYSQL_TYPE_NULL => (0, "NULL"),
        MYSQL_TYPE_STRING if column.flags().contains(ColumnFlags::ENUM_FLAG) => (1, "ENUM"),
        MYSQL_TYPE_STRING if column.flags().contains(ColumnFlags::SET_FLAG) => (1, "SET"),
        MYSQL_TYPE_STRING if blob => (-2, "BINARY"),
        MYSQL_TYPE_STRING => (1, "CHAR"),
        MYSQL_TYPE_VAR_STRING | MYSQL_TYPE_VARCHAR if blob => (-3, "VARBINARY"),
        MYSQL_TYPE_TINY_BLOB | MYSQL_TYPE_MEDIUM_BLOB | MYSQL_TYPE_LONG_BLOB | MYSQL_TYPE_BLOB => large(column, blob),
        _ => (12, "VARCHAR"),
    }
}

/// The engines give every BLOB and TEXT one type, and the most bytes that it holds.
fn large(column: &Column, blob: bool) -> (i32, &'static str) {
    match (column.column_length(), blob) {
        (0..=255, true) => (-3, "TINYBLOB"),
        (0..=65_535, true) => (-4, "BLOB"),
        (0..=16_777_215, true) => (-4, "MEDIUMBLOB"),
        (_, true) => (-4, "LONGBLOB"),
        (0..=1_020, false) => (12, "TINYTEXT"),
        (0..=262_140, false) => (-1, "TEXT"),
        (0..=67_108_860, false) => (-1, "MEDIUMTEXT"),
        (_, false) => (-1, "LONGTEXT"),
    }
}

#[cfg(test)]
mod tests {
    use super::double;

    #[test]
    fn numbers_that_json_has_not_are_texts() {
        let numbers = [1.5, f64::INFINITY, f64::NEG_INFINITY, f64::NAN].map(double);
        assert_eq!(serde_json::json!(numbers), serde_json::json!([1.5, "Infinity", "-Infinity", "NaN"]));
    }
}
