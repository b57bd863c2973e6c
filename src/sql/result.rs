//! What a statement answers, in the words of `labctl sql --output json`.

use serde::Serialize;
use serde_json::{Map, Value};

/// A column of a result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Column {
    pub name: String,
    /// The database's own name of the type, such as `VARCHAR`.
    #[serde(rename = "type")]
    pub kind: String,
}

/// Columns and rows of a query, or the number of rows that another statement touched.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ResultSet {
    pub columns: Vec<Column>,
    /// In the order of the columns.
    pub rows: Vec<Vec<Value>>,
    pub rows_affected: i64,
}

impl Serialize for ResultSet {
    /// `{"columns": […], "rows": [{column: value}], "rows_affected": n}`.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut document = serializer.serialize_struct("ResultSet", 3)?;
        document.serialize_field("columns", &self.columns)?;
        document.serialize_field("rows", &self.objects())?;
        document.serialize_field("rows_affected", &self.rows_affected)?;
        document.end()
    }
}

impl ResultSet {
    /// The rows as objects. A column whose name was there before gets a number behind it.
    pub fn objects(&self) -> Vec<Map<String, Value>> {
        let mut names: Vec<String> = Vec::new();
        for column in &self.columns {
            let taken = names.iter().filter(|name| **name == column.name).count();
            names.push(if taken == 0 { column.name.clone() } else { format!("{}_{}", column.name, taken + 1) });
        }
        self.rows.iter().map(|row| names.iter().cloned().zip(row.iter().cloned()).collect()).collect()
    }

    /// One cell as text for tables and CSV; NULL is `None`.
    pub fn cell(value: &Value) -> Option<String> {
        match value {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        }
    }

    /// RFC 4180: a header line, CRLF, quotes where needed; NULL is empty and the empty string is `""`.
    pub fn csv(&self) -> String {
        let quote = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
        let field = |text: &str| {
            if text.is_empty() || text.contains(['"', ',', '\n', '\r']) { quote(text) } else { text.to_owned() }
        };
        let header = self.columns.iter().map(|column| field(&column.name)).collect::<Vec<_>>();
        let rows = self.rows.iter().map(|row| {
            row.iter().map(|value| ResultSet::cell(value).map_or(String::new(), |text| field(&text))).collect()
        });
        std::iter::once(header).chain(rows).map(|row: Vec<String>| row.join(",") + "\r\n").collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn result() -> ResultSet {
        let column = |name: &str| Column { name: name.into(), kind: "INT".into() };
        ResultSet {
            columns: vec![column("a"), column("a"), column("b")],
            rows: vec![vec![json!(1), json!("x,\"y\""), json!(null)], vec![json!(2), json!(""), json!(1.5)]],
            rows_affected: 0,
        }
    }

    #[test]
    fn rows_are_objects_and_no_column_is_lost() {
        let document = serde_json::to_value(result()).unwrap_or_default();
        assert_eq!(document["rows"][0], json!({"a": 1, "a_2": "x,\"y\"", "b": null}));
        assert_eq!(document["columns"][0], json!({"name": "a", "type": "INT"}));
    }

    #[test]
    fn csv_tells_null_from_empty() {
        assert_eq!(result().csv(), "a,a,b\r\n1,\"x,\"\"y\"\"\",\r\n2,\"\",1.5\r\n");
    }
}
