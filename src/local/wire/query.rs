//! Requests of the query and ec2 protocols: dotted form fields to typed input.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Number, Value};

use super::form::{Form, Node, shortened};
use super::model::{Element, Kind, Model, Operation, Protocol, ShapeId, Structure};
use super::{timestamp, validate};
use crate::fault::Fault;

/// Fields that are about the request and not of the operation.
fn is_about_the_request(name: &str) -> bool {
    matches!(name, "Action" | "Version") || name.starts_with("X-Amz-")
}

/// The operation's input, typed by the model.
pub(super) fn input(model: &Model, operation: &Operation, form: &Form<'_>) -> Result<Value, Fault> {
    let tree = form.tree(is_about_the_request)?;
    let reader = Reader { model };
    match model.structure(operation.input) {
        Some(structure) => reader.structure(structure, &tree, operation.name),
        None => match tree.children.keys().next() {
            Some(unknown) => Err(validate::unknown(model, operation.name, unknown, std::iter::empty())),
            None => Ok(Value::Object(Map::new())),
        },
    }
}

struct Reader<'m> {
    model: &'m Model,
}

impl Reader<'_> {
    fn malformed(&self, name: &str, what: &str) -> Fault {
        let code = if self.model.protocol == Protocol::Ec2 { "InvalidParameterValue" } else { "MalformedInput" };
        Fault::new(code, format!("Value for parameter {} is {what}", shortened(name))).status(400)
    }

    fn structure(&self, structure: &Structure, node: &Node<'_>, place: &str) -> Result<Value, Fault> {
        if node.value.is_some_and(|value| !value.is_empty()) {
            return Err(self.malformed(place, "a text where a structure is expected"));
        }
        let mut object = Map::new();
        for (wire, child) in &node.children {
            let Some((name, member)) = structure.by_wire(wire) else {
                let known = structure.members.values().map(|member| member.wire_in.as_ref());
                return Err(validate::unknown(self.model, place, wire, known));
            };
            object.insert(name.to_owned(), self.value(member.shape, child, wire)?);
        }
        Ok(Value::Object(object))
    }

    fn value(&self, shape: ShapeId, node: &Node<'_>, name: &str) -> Result<Value, Fault> {
        match &self.model.shape(shape).kind {
            Kind::Structure(structure) => self.structure(structure, node, name),
            Kind::List(element) => self.list(element, node, name),
            Kind::Map { key, value, .. } => self.map((key, value), node, name),
            kind => {
                if !node.children.is_empty() {
                    return Err(self.malformed(name, "a structure where a text is expected"));
                }
                scalar(kind, node.value.unwrap_or_default()).map_err(|what| self.malformed(name, what))
            }
        }
    }

    /// `X.member.N`, `X.<element>.N`, or (ec2, flattened) `X.N`; `X=` is the empty list.
    fn list(&self, element: &Element, node: &Node<'_>, name: &str) -> Result<Value, Fault> {
        let wrapped =
            ["member", element.name.unwrap_or("member")].iter().find_map(|wrapper| node.children.get(*wrapper));
        let items = self.numbered(wrapped.unwrap_or(node), name)?;
        let items = items.into_iter().map(|item| self.value(element.shape, item, name));
        items.collect::<Result<Vec<_>, _>>().map(Value::Array)
    }

    /// `X.entry.N.key` and `X.entry.N.value`.
    fn map(&self, (key, value): (&Element, &Element), node: &Node<'_>, name: &str) -> Result<Value, Fault> {
        let mut object = Map::new();
        for entry in self.numbered(node.children.get("entry").unwrap_or(node), name)? {
            let part = |element: &Element, otherwise| entry.children.get(element.name.unwrap_or(otherwise));
            let text = part(key, "key").and_then(|node| node.value);
            let text = text.ok_or_else(|| self.malformed(name, "an entry without a key"))?;
            let held = part(value, "value").ok_or_else(|| self.malformed(name, "an entry without a value"))?;
            object.insert(text.to_owned(), self.value(value.shape, held, name)?);
        }
        Ok(Value::Object(object))
    }

    /// The children of `node`, which are numbers from 1, in order.
    fn numbered<'n>(&self, node: &'n Node<'n>, name: &str) -> Result<Vec<&'n Node<'n>>, Fault> {
        if node.value.is_some_and(|value| !value.is_empty()) {
            return Err(self.malformed(name, "a text where a list is expected"));
        }
        let mut items = Vec::with_capacity(node.children.len());
        for (number, item) in &node.children {
            let number: u32 =
                number.parse().map_err(|_| self.malformed(name, "a list whose elements are not numbered"))?;
            items.push((number, item));
        }
        items.sort_by_key(|(number, _)| *number);
        Ok(items.into_iter().map(|(_, item)| item).collect())
    }
}

/// A value that is written as a text: in forms, paths, query strings and headers.
pub(super) fn scalar(kind: &Kind, text: &str) -> Result<Value, &'static str> {
    let number = |number: f64| Number::from_f64(number).map(Value::Number);
    match kind {
        Kind::Text => Ok(Value::String(text.to_owned())),
        Kind::Integer => text.trim().parse::<i64>().map(Value::from).map_err(|_| "not an integer"),
        Kind::Float => text.trim().parse().ok().and_then(number).ok_or("not a number"),
        Kind::Boolean if text.eq_ignore_ascii_case("true") => Ok(Value::Bool(true)),
        Kind::Boolean if text.eq_ignore_ascii_case("false") => Ok(Value::Bool(false)),
        Kind::Boolean => Err("not a boolean"),
        Kind::Timestamp(_) => timestamp::parse(text).and_then(number).ok_or("not a timestamp"),
        Kind::Blob => match STANDARD.decode(text) {
            Ok(_) => Ok(Value::String(text.to_owned())),
            Err(_) => Err("not base64"),
        },
        Kind::Structure(_) | Kind::List(_) | Kind::Map { .. } | Kind::Document => {
            Err("a text where a structure is expected")
        }
    }
}

#[cfg(test)]
mod tests {

    use serde_json::json;

    use super::*;
    use crate::wire::model::model;

    fn read(service: &str, body: &str) -> Result<Value, Fault> {
        let model = model(service).unwrap();
        let form = Form::parse(None, body.as_bytes()).unwrap();
        input(model, model.operation(form.get("Action").unwrap()).unwrap(), &form)
    }

    #[test]
    fn lists_structures_and_numbers_are_typed() {
        let body = "Action=CreateRole&Version=2010-05-08&RoleName=r&MaxSessionDuration=3600\
                    &Tags.member.2.Key=b&Tags.member.2.Value=2&Tags.member.1.Key=a&Tags.member.1.Value=1";
        let expected = json!({"RoleName": "r", "MaxSessionDuration": 3600,
            "Tags": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]});
        assert_eq!(read("iam", body).unwrap(), expected);
    }

    #[test]
    fn ec2_lists_have_no_wrapper_and_their_own_names() {
        let body =
            "Action=DescribeVpcs&Filter.1.Name=vpc-id&Filter.1.Value.1=a&Filter.1.Value.2=b&DryRun=false&VpcId.1=vpc-1";
        let expected =
            json!({"Filters": [{"Name": "vpc-id", "Values": ["a", "b"]}], "DryRun": false, "VpcIds": ["vpc-1"]});
        assert_eq!(read("ec2", body).unwrap(), expected);
    }

    #[test]
    fn rds_lists_are_read_under_both_names() {
        for name in ["member", "DBClusterIdentifier", "Filter"] {
            let body =
                format!("Action=DescribeDBClusters&Filters.{name}.1.Name=engine&Filters.{name}.1.Values.member.1=x");
            let read = read("rds", &body);
            assert_eq!(read.is_ok(), name != "DBClusterIdentifier", "{name}");
        }
    }

    #[test]
    fn an_empty_list_is_a_list() {
        let body = "Action=DescribeStacks&StackName=x";
        assert_eq!(read("cloudformation", body).unwrap(), json!({"StackName": "x"}));
        let body = "Action=UpdateStack&StackName=x&Capabilities=";
        assert_eq!(read("cloudformation", body).unwrap(), json!({"StackName": "x", "Capabilities": []}));
    }

    #[test]
    fn unknown_and_mistyped_parameters_are_named() {
        let fault = read("iam", "Action=CreateRole&RolName=x").unwrap_err();
        assert!(fault.message.contains("RolName") && fault.message.contains("RoleName"), "{fault}");
        for body in [
            "Action=CreateRole&MaxSessionDuration=x",
            "Action=CreateRole&Tags.member.x.Key=1",
            "Action=CreateRole&Tags=x",
            "Action=CreateRole&RoleName.1=x",
            "Action=GetCallerIdentity&X=1",
        ] {
            let service = if body.contains("Caller") { "sts" } else { "iam" };
            assert_eq!(read(service, body).unwrap_err().status, Some(400), "{body}");
        }
    }
}
