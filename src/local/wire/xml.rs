//! Answers of the query and ec2 protocols: output to XML.

use serde_json::Value;

use super::model::{Element, Kind, Member, Model, Operation, Protocol, ShapeId, TimestampFormat};
use super::timestamp;
use crate::fault::Fault;

/// `output` as the whole XML document of a success.
pub(super) fn answer(model: &Model, operation: &Operation, output: &Value, request_id: &str) -> Result<Vec<u8>, Fault> {
    let mut writer = Writer { model, out: String::with_capacity(512) };
    writer.out.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let root = format!("{}Response", operation.name);
    writer.open(&root, model.namespace);
    if model.protocol == Protocol::Ec2 {
        writer.element("requestId", request_id);
    }
    if let Some(wrapper) = operation.wrapper {
        writer.out.push_str(&format!("<{wrapper}>"));
    }
    if let Some(shape) = operation.output {
        writer.content(shape, output, None)?;
    }
    if let Some(wrapper) = operation.wrapper {
        writer.out.push_str(&format!("</{wrapper}>"));
    }
    if model.protocol == Protocol::Query {
        writer.out.push_str("<ResponseMetadata>");
        writer.element("RequestId", request_id);
        writer.out.push_str("</ResponseMetadata>");
    }
    writer.out.push_str(&format!("</{root}>"));
    Ok(writer.out.into_bytes())
}

struct Writer<'m> {
    model: &'m Model,
    out: String,
}

impl Writer<'_> {
    fn open(&mut self, name: &str, namespace: &str) {
        self.out.push('<');
        self.out.push_str(name);
        if !namespace.is_empty() {
            self.out.push_str(" xmlns=\"");
            self.out.push_str(namespace);
            self.out.push('"');
        }
        self.out.push('>');
    }

    fn element(&mut self, name: &str, text: &str) {
        self.out.push('<');
        self.out.push_str(name);
        self.out.push('>');
        escape(text, &mut self.out);
        self.close(name);
    }

    fn close(&mut self, name: &str) {
        self.out.push_str("</");
        self.out.push_str(name);
        self.out.push('>');
    }

    /// What stands between an element's tags.
    fn content(&mut self, shape: ShapeId, value: &Value, format: Option<TimestampFormat>) -> Result<(), Fault> {
        match (&self.model.shape(shape).kind, value) {
            (_, Value::Null) => {}
            (Kind::Structure(structure), Value::Object(object)) => {
                for (name, value) in object.iter().filter(|(_, value)| !value.is_null()) {
                    let Some(member) = structure.members.get(name.as_str()) else {
                        return Err(Fault::internal(format!(
                            "an answer has the member {name}, which the model has not"
                        )));
                    };
                    self.member(member, value)?;
                }
            }
            (Kind::List(element), Value::Array(items)) => {
                for item in items {
                    self.item(element.name.unwrap_or("member"), element, item)?;
                }
            }
            (Kind::Map { key, value: held, .. }, Value::Object(entries)) => {
                for (name, value) in entries {
                    self.out.push_str("<entry>");
                    self.element(key.name.unwrap_or("key"), name);
                    self.item(held.name.unwrap_or("value"), held, value)?;
                    self.out.push_str("</entry>");
                }
            }
            (Kind::Structure(_) | Kind::List(_) | Kind::Map { .. }, other) => {
                return Err(Fault::internal(format!("an answer has {other} where its model has a structure")));
            }
            (Kind::Timestamp(own), value) => {
                let written = timestamp::text(value, format.or(*own).unwrap_or(TimestampFormat::Iso8601));
                escape(&written, &mut self.out);
            }
            (_, Value::String(text)) => escape(text, &mut self.out),
            (_, value) => self.out.push_str(&value.to_string()),
        }
        Ok(())
    }

    fn member(&mut self, member: &Member, value: &Value) -> Result<(), Fault> {
        if let (Kind::List(element), Value::Array(items), true) =
            (&self.model.shape(member.shape).kind, value, member.flattened)
        {
            for item in items {
                self.item(element.name.unwrap_or(member.wire_out), element, item)?;
            }
            return Ok(());
        }
        self.open(member.wire_out, "");
        self.content(member.shape, value, member.format)?;
        self.close(member.wire_out);
        Ok(())
    }

    fn item(&mut self, name: &str, element: &Element, value: &Value) -> Result<(), Fault> {
        self.open(name, "");
        self.content(element.shape, value, None)?;
        self.close(name);
        Ok(())
    }
}

/// Writes `text` between tags: markup escaped, characters that XML 1.0 has no form for replaced.
pub(super) fn escape(text: &str, out: &mut String) {
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\r' => out.push_str("&#xD;"),
            '\n' | '\t' => out.push(letter),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            _ => out.push(letter),
        }
    }
}

#[cfg(test)]
mod tests {

    use serde_json::json;

    use super::*;
    use crate::wire::model::model;

    fn write(service: &str, operation: &str, output: &Value) -> String {
        let model = model(service).unwrap();
        String::from_utf8(answer(model, model.operation(operation).unwrap(), output, "id-1").unwrap()).unwrap()
    }

    #[test]
    fn query_answers_have_a_wrapper_and_metadata() {
        let output =
            json!({"Roles": [{"RoleName": "a<b", "CreateDate": 1_795_256_430}], "IsTruncated": false, "Marker": null});
        insta::assert_snapshot!(write("iam", "ListRoles", &output), @r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <ListRolesResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><ListRolesResult><Roles><member><RoleName>a&lt;b</RoleName><CreateDate>2026-11-21T10:20:30Z</CreateDate></member></Roles><IsTruncated>false</IsTruncated></ListRolesResult><ResponseMetadata><RequestId>id-1</RequestId></ResponseMetadata></ListRolesResponse>
        "#);
    }

    #[test]
    fn ec2_answers_have_sets_of_items() {
        let output = json!({"Vpcs": [{"VpcId": "vpc-1", "Tags": [{"Key": "k", "Value": "v"}], "IsDefault": true}]});
        insta::assert_snapshot!(write("ec2", "DescribeVpcs", &output), @r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <DescribeVpcsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15"><requestId>id-1</requestId><vpcSet><item><vpcId>vpc-1</vpcId><tagSet><item><key>k</key><value>v</value></item></tagSet><isDefault>true</isDefault></item></vpcSet></DescribeVpcsResponse>
        "#);
    }

    #[test]
    fn a_member_that_the_model_has_not_is_a_defect_and_is_named() {
        let model = model("iam").unwrap();
        let fault = answer(model, model.operation("ListRoles").unwrap(), &json!({"Rolles": []}), "x").unwrap_err();
        assert!(fault.message.contains("Rolles"));
    }
}
