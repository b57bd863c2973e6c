//! The intrinsic functions that need nothing but their arguments. Each takes evaluated arguments and gives a value, AWS's
//! refusal, or what it waits for.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base64::Engine;
use serde_json::Value as Json;

use super::tree::{Outcome, Stop, Tree, wrong};

/// The pure functions by their long names; `None` for any other.
pub(super) fn call(function: &str, argument: Tree) -> Option<Outcome> {
    Some(match function {
        "Fn::Base64" => base64(argument),
        "Fn::Cidr" => cidr(argument),
        "Fn::Join" => join(argument),
        "Fn::Select" => select(argument),
        "Fn::Split" => split(argument),
        "Fn::Length" => length(argument),
        "Fn::ToJsonString" => to_json_string(argument),
        "Fn::Contains" => contains(argument),
        "Fn::EachMemberEquals" => each_member_equals(argument),
        "Fn::EachMemberIn" => each_member_in(argument),
        _ => return None,
    })
}

fn base64(argument: Tree) -> Outcome {
    let text = argument.into_text("Fn::Base64")?;
    Ok(Tree::text(base64::engine::general_purpose::STANDARD.encode(text)))
}

fn join(argument: Tree) -> Outcome {
    let [delimiter, list] = argument.into_arguments("Fn::Join", "a delimiter and a list")?;
    let delimiter = delimiter.into_text("Fn::Join")?;
    let mut joined = String::new();
    for (index, item) in list.into_items("Fn::Join")?.into_iter().enumerate() {
        if index > 0 {
            joined.push_str(&delimiter);
        }
        joined.push_str(&item.into_text("Fn::Join")?);
    }
    Ok(Tree::text(joined))
}

fn split(argument: Tree) -> Outcome {
    let [delimiter, text] = argument.into_arguments("Fn::Split", "a delimiter and a string")?;
    let (delimiter, text) = (delimiter.into_text("Fn::Split")?, text.into_text("Fn::Split")?);
    if delimiter.is_empty() {
        return wrong("Template error: the delimiter of Fn::Split must not be empty");
    }
    Ok(Tree::Known(text.split(delimiter.as_str()).map(Json::from).collect()))
}

fn select(argument: Tree) -> Outcome {
    let [index, list] = argument.into_arguments("Fn::Select", "an index and a list")?;
    let index = index.into_text("Fn::Select")?;
    let Ok(index) = index.trim().parse::<usize>() else {
        return wrong(
            "Template error: every Fn::Select object requires two non-empty parameters, the first an integer index",
        );
    };
    let missing = format!("Template error: Fn::Select cannot select nonexistent value at index {index}");
    list.into_items("Fn::Select")?.into_iter().nth(index).ok_or(Stop::Wrong(missing))
}

fn length(argument: Tree) -> Outcome {
    Ok(Tree::Known(Json::from(argument.into_items("Fn::Length")?.len())))
}

fn to_json_string(argument: Tree) -> Outcome {
    match argument.json()? {
        json @ (Json::Array(_) | Json::Object(_)) => Ok(Tree::text(json.to_string())),
        _ => wrong("Template error: Fn::ToJsonString takes a mapping or a list"),
    }
}

/// The text of every element of a known list.
fn texts(list: Tree, function: &str) -> Result<Vec<String>, Stop> {
    list.into_items(function)?.into_iter().map(|item| item.into_text(function)).collect()
}

fn contains(argument: Tree) -> Outcome {
    let [list, value] = argument.into_arguments("Fn::Contains", "a list and a string")?;
    let (list, value) = (texts(list, "Fn::Contains")?, value.into_text("Fn::Contains")?);
    Ok(Tree::Known(Json::from(list.contains(&value))))
}

fn each_member_equals(argument: Tree) -> Outcome {
    let [list, value] = argument.into_arguments("Fn::EachMemberEquals", "a list and a string")?;
    let (list, value) = (texts(list, "Fn::EachMemberEquals")?, value.into_text("Fn::EachMemberEquals")?);
    Ok(Tree::Known(Json::from(list.iter().all(|item| *item == value))))
}

fn each_member_in(argument: Tree) -> Outcome {
    let [list, allowed] = argument.into_arguments("Fn::EachMemberIn", "two lists")?;
    let (list, allowed) = (texts(list, "Fn::EachMemberIn")?, texts(allowed, "Fn::EachMemberIn")?);
    Ok(Tree::Known(Json::from(list.iter().all(|item| allowed.contains(item)))))
}

/// `Fn::Cidr`: `count` blocks, each of `bits` host bits, from the beginning of an address block.
fn cidr(argument: Tree) -> Outcome {
    let [block, count, bits] =
        argument.into_arguments("Fn::Cidr", "an address block, a count and the host bits of each block")?;
    let (block, count) = (block.into_text("Fn::Cidr")?, number(count)?);
    let bits = number(bits)?;
    let refused = || Stop::Wrong(format!("Template error: Fn::Cidr cannot read the address block {block}"));
    let (address, prefix) = block.split_once('/').ok_or_else(refused)?;
    let address: IpAddr = address.parse().map_err(|_| refused())?;
    let prefix: u32 = prefix.parse().map_err(|_| refused())?;
    let (width, start) = match address {
        IpAddr::V4(address) => (32, u128::from(u32::from(address))),
        IpAddr::V6(address) => (128, u128::from(address)),
    };
    if prefix > width || bits == 0 || bits >= width {
        return Err(refused());
    }
    if !(1..=256).contains(&count) {
        return wrong("Template error: the count of Fn::Cidr must be from 1 to 256");
    }
    // A shift by the whole width is the block of all addresses, whose start is zero.
    let start = start.checked_shr(width - prefix).unwrap_or(0).checked_shl(width - prefix).unwrap_or(0);
    let fits =
        prefix + bits <= width && (width - prefix - bits >= 8 || u64::from(count) <= 1_u64 << (width - prefix - bits));
    if !fits {
        return wrong(format!("Template error: Fn::Cidr cannot cut {count} blocks of {bits} host bits out of {block}"));
    }
    let blocks = (0..u128::from(count)).map(|index| {
        let address = start + (index << bits);
        let length = width - bits;
        match u32::try_from(address) {
            Ok(address) if width == 32 => format!("{}/{length}", Ipv4Addr::from(address)),
            _ => format!("{}/{length}", Ipv6Addr::from(address)),
        }
    });
    Ok(Tree::Known(blocks.map(Json::from).collect()))
}

fn number(tree: Tree) -> Result<u32, Stop> {
    let text = tree.into_text("Fn::Cidr")?;
    text.trim().parse().or_else(|_| wrong("Template error: the count and host bits of Fn::Cidr must be numbers"))
}

#[cfg(test)]
mod tests {

    use serde_json::{Value as Json, json};

    use super::super::tree::{Stop, Tree};
    use super::call;

    fn value(function: &str, argument: Json) -> Result<Json, String> {
        match call(function, Tree::Known(argument)).unwrap() {
            Ok(tree) => Ok(tree.json().unwrap()),
            Err(Stop::Wrong(what)) => Err(what),
            Err(Stop::Unknown(source)) => panic!("waits for {source}"),
        }
    }

    #[test]
    fn text_functions_give_what_aws_gives() {
        let cases = [
            ("Fn::Base64", json!("héllo"), json!("aMOpbGxv")),
            ("Fn::Join", json!([":", ["a", 1, true]]), json!("a:1:true")),
            ("Fn::Join", json!(["", []]), json!("")),
            ("Fn::Split", json!(["|", "a||c"]), json!(["a", "", "c"])),
            ("Fn::Select", json!(["1", ["a", "b"]]), json!("b")),
            ("Fn::Length", json!([1, 2, 3]), json!(3)),
            ("Fn::ToJsonString", json!({"b": [1], "a": "x"}), json!("{\"b\":[1],\"a\":\"x\"}")),
            ("Fn::Contains", json!([["a", "b"], "b"]), json!(true)),
            ("Fn::EachMemberIn", json!([["a", "z"], ["a", "b"]]), json!(false)),
            ("Fn::EachMemberEquals", json!([["a", "a"], "a"]), json!(true)),
        ];
        for (function, argument, expected) in cases {
            assert_eq!(value(function, argument.clone()), Ok(expected), "{function} {argument}");
        }
    }

    #[test]
    fn cidr_blocks_are_cut_from_the_beginning_of_the_block() {
        assert_eq!(
            value("Fn::Cidr", json!(["10.0.0.0/16", 3, 8])),
            Ok(json!(["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24"]))
        );
        assert_eq!(value("Fn::Cidr", json!(["10.0.9.7/16", "1", "5"])), Ok(json!(["10.0.0.0/27"])));
        assert_eq!(
            value("Fn::Cidr", json!(["2001:db8::/56", 2, 64])),
            Ok(json!(["2001:db8::/64", "2001:db8:0:1::/64"]))
        );
        assert!(value("Fn::Cidr", json!(["10.0.0.0/24", 2, 8])).unwrap_err().contains("cannot cut 2 blocks"));
        assert!(value("Fn::Cidr", json!(["10.0.0.0", 2, 8])).unwrap_err().contains("10.0.0.0"));
        assert!(value("Fn::Cidr", json!(["::/0", 256, 120])).is_ok());
        assert!(value("Fn::Cidr", json!(["0.0.0.0/0", 256, 24])).is_ok());
    }

    #[test]
    fn what_aws_refuses_is_refused() {
        assert!(value("Fn::Select", json!([2, ["a"]])).unwrap_err().contains("nonexistent value at index 2"));
        assert!(value("Fn::Select", json!(["x", ["a"]])).is_err());
        assert!(value("Fn::Join", json!([",", [["a"]]])).is_err());
        assert!(value("Fn::Join", json!([","])).is_err());
        assert!(value("Fn::Split", json!(["", "abc"])).is_err());
    }

    #[test]
    fn an_unknown_argument_is_named_by_the_result() {
        let list = Tree::list(vec![Tree::text("a"), Tree::Unknown("Cluster.Arn".into())]);
        let join = call("Fn::Join", Tree::list(vec![Tree::text(","), list.clone()])).unwrap();
        assert_eq!(join, Err(Stop::Unknown("Cluster.Arn".into())));
        let select = call("Fn::Select", Tree::list(vec![Tree::Known(json!(0)), list])).unwrap();
        assert_eq!(select, Ok(Tree::text("a")));
    }
}
