//! What operators make of two values.

use std::cmp::Ordering;

use serde_json::Number;

use super::eval::Eval;
use super::heap::{Heap, Held};
use super::number;
use super::tree::Operator;

pub(super) fn binary(heap: &mut Heap, operator: Operator, left: &Held, right: &Held) -> Eval<Held> {
    Ok(match operator {
        Operator::Equal => Held::Bool(heap.equal(left, right)?),
        Operator::NotEqual => Held::Bool(!heap.equal(left, right)?),
        Operator::Less => ordered(left, right, Ordering::is_lt),
        Operator::AtMost => ordered(left, right, Ordering::is_le),
        Operator::Greater => ordered(left, right, Ordering::is_gt),
        Operator::AtLeast => ordered(left, right, Ordering::is_ge),
        Operator::Add if [left, right].into_iter().any(|side| side.as_text().is_some()) => {
            let text = heap.print(left)? + &heap.print(right)?;
            heap.text(&text)?
        }
        _ => match left.as_number().zip(right.as_number()) {
            Some((left, right)) => arithmetic(operator, left, right),
            None => Held::Null,
        },
    })
}

/// Only numbers have an order: of anything else neither is less.
fn ordered(left: &Held, right: &Held, is: impl FnOnce(Ordering) -> bool) -> Held {
    let order = left.as_number().zip(right.as_number()).and_then(|(left, right)| number::order(left, right));
    Held::Bool(order.is_some_and(is))
}

/// Whole numbers stay whole as long as they can.
fn arithmetic(operator: Operator, left: &Number, right: &Number) -> Held {
    let integers = left.as_i64().zip(right.as_i64());
    if let (Operator::Divide | Operator::Remainder, Some((_, 0))) = (operator, integers) {
        return Held::Null;
    }
    let whole = integers.and_then(|(left, right)| match operator {
        Operator::Add => left.checked_add(right),
        Operator::Subtract => left.checked_sub(right),
        Operator::Multiply => left.checked_mul(right),
        Operator::Divide => left.checked_div(right),
        _ => left.checked_rem(right),
    });
    let floats = || left.as_f64().zip(right.as_f64());
    match (whole, floats()) {
        (Some(whole), _) => whole.into(),
        (None, Some((left, right))) => Held::float(match operator {
            Operator::Add => left + right,
            Operator::Subtract => left - right,
            Operator::Multiply => left * right,
            Operator::Divide => left / right,
            _ => left % right,
        }),
        (None, None) => Held::Null,
    }
}
