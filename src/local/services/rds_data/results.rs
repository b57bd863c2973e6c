//! The engine's rows as fields, as JSON, and as what describes them.

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
fn plain(column: &Column, value: Value, form: Form) -> Result<(&'static str, Json), DataFault> {
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let holds = holds(column);
    let value = match value {
        Value::NULL => return Ok(("isNull", Json::Null)),
        // A number that the text protocol brings as text.
        Value::Bytes(bytes) if matches!(holds, Holds::Long | Holds::Double | Holds::Boolean) => numeric(holds, bytes),
        value => value,
    };
    Ok(match (holds, value) {
        (Holds::Boolean, Value::Int(number)) => ("booleanValue", (number != 0).into()),
        (Holds::Boolean, Value::UInt(number)) => ("booleanValue", (number != 0).into()),
        (_, Value::Int(number)) if form.longs_as_text => ("stringValue", number.to_string().into()),
        (_, Value::Int(number)) => ("longValue", number.into()),
        (_, Value::UInt(number)) => match i64::try_from(number) {
            Ok(number) if !form.longs_as_text => ("longValue", number.into()),
            _ => ("stringValue", number.to_string().into()),
        },
        (_, Value::Float(number)) => {
            // The shortest text that is this single-precision number, not its 53-bit neighbour.
            ("doubleValue", number.to_string().parse::<f64>().unwrap_or(f64::from(number)).into())
        }
        (_, Value::Double(number)) => ("doubleValue", number.into()),
        (Holds::Decimal, Value::Bytes(bytes)) => decimal(text(bytes), form),
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
    })
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

fn decimal(text: String, form: Form) -> (&'static str, Json) {
    if form.decimals_as_numbers {
        if let Ok(number) = text.parse::<i64>() {
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
pub(super) struct Rows {
    form: Form,
    rows: Vec<Json>,
    size: usize,
}

impl Rows {
    pub(super) fn new(form: Form) -> Self {
        Rows { form, rows: Vec::new(), size: 0 }
    }

    /// # Errors
    /// The row, or all together, are larger than the Data API answers.
    pub(super) fn add(&mut self, row: Row) -> Result<(), DataFault> {
        let columns = row.columns();
        let mut size = 0;
        let mut fields = Vec::with_capacity(columns.len());
        for (column, value) in columns.iter().zip(row.unwrap()) {
            size += match &value {
                Value::Bytes(bytes) => bytes.len(),
                _ => 8,
            };
            let (member, value) = plain(column, value, self.form)?;
            fields.push((column.name_str().into_owned(), member, value));
        }
        self.size += size;
        let most = if self.form.json { FORMATTED } else { ALL_ROWS };
        if size > ONE_ROW && !self.form.json || self.size > most {
            return Err(DataFault::Unsupported(
                "The result is too large: the database returned more than the allowed response size limit.".into(),
            ));
        }
        self.rows.push(if self.form.json {
            Json::Object(fields.into_iter().map(|(name, _, value)| (name, value)).collect())
        } else {
            let field = |(_, member, value): (String, &str, Json)| {
                let value = if member == "isNull" { Json::Bool(true) } else { value };
                json!({member: value})
            };
            Json::Array(fields.into_iter().map(field).collect())
        });
        Ok(())
    }

    /// Puts the rows into the answer.
    pub(super) fn answer(self, answer: &mut Map<String, Json>) {
        if self.form.json {
            answer.insert("formattedRecords".into(), Json::Array(self.rows).to_string().into());
        } else {
            answer.insert("records".into(), Json::Array(self.rows));
        }
    }
}

/// `ColumnMetadata`; types are those of `java.sql.Types`.
pub(super) fn metadata(column: &Column) -> Json {
    let flags = column.flags();
    let unsigned = flags.contains(ColumnFlags::UNSIGNED_FLAG);
    let (kind, name) = kind(column);
    let text = holds(column) == Holds::Text;
    let precision = if text { column.column_length() / 4 } else { column.column_length() };
    json!({
        "name": column.name_str(),
        "label": column.name_str(),
        "schemaName": column.schema_str(),
        "tableName": column.org_table_str(),
        "type": kind,
        "typeName": if unsigned && holds(column) == Holds::Long { format!("{name} UNSIGNED") } else { name.to_owned() },
        "isAutoIncrement": flags.contains(ColumnFlags::AUTO_INCREMENT_FLAG),
        "isSigned": matches!(holds(column), Holds::Long | Holds::Double | Holds::Decimal) && !unsigned,
        "isCurrency": false,
        "isCaseSensitive": text && flags.contains(ColumnFlags::BINARY_FLAG),
        "nullable": i32::from(!flags.contains(ColumnFlags::NOT_NULL_FLAG)),
        "precision": precision.min(i32::MAX.unsigned_abs()),
        "scale": if holds(column) == Holds::Decimal { column.decimals() } else { 0 },
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
        MYSQL_TYPE_STRING if blob => (-2, "BINARY"),
        MYSQL_TYPE_STRING => (1, "CHAR"),
        MYSQL_TYPE_VAR_STRING | MYSQL_TYPE_VARCHAR if blob => (-3, "VARBINARY"),
        MYSQL_TYPE_TINY_BLOB | MYSQL_TYPE_MEDIUM_BLOB | MYSQL_TYPE_LONG_BLOB | MYSQL_TYPE_BLOB if blob => (-4, "BLOB"),
        MYSQL_TYPE_TINY_BLOB | MYSQL_TYPE_MEDIUM_BLOB | MYSQL_TYPE_LONG_BLOB | MYSQL_TYPE_BLOB => (-1, "TEXT"),
        _ => (12, "VARCHAR"),
    }
}
