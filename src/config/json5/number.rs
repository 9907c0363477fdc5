//! Numbers: decimal, hexadecimal, signs, leading and trailing dots, `Infinity`, `NaN`.

use super::node::Number;

/// Length of the number's text from the start of `rest` and its value; `Err` says what is wrong with it.
pub(super) fn read(rest: &str) -> Result<(usize, Number), &'static str> {
    let negative = rest.starts_with('-');
    let sign = usize::from(negative || rest.starts_with('+'));
    let body = &rest[sign..];
    for word in ["Infinity", "NaN"] {
        if body.starts_with(word) {
            return Ok((sign + word.len(), Number::NotFinite));
        }
    }
    if let Some(digits) = body.strip_prefix("0x").or_else(|| body.strip_prefix("0X")) {
        let count = digits.find(|character: char| !character.is_ascii_hexdigit()).unwrap_or(digits.len());
        if count == 0 {
            return Err("a hexadecimal number needs digits after `0x`");
        }
        return Ok((sign + 2 + count, hexadecimal(&digits[..count], negative)));
    }
    let length = decimal_length(body)?;
    decimal(&body[..length], negative).map(|number| (sign + length, number))
}

fn hexadecimal(digits: &str, negative: bool) -> Number {
    let number = match u64::from_str_radix(digits, 16) {
        Ok(value) if !negative => serde_json::Number::from(value),
        Ok(value) => match i64::try_from(-i128::from(value)) {
            Ok(value) if value != 0 => value.into(),
            _ => return float(-digits_as_float(digits)),
        },
        Err(_too_long) => return float(if negative { -digits_as_float(digits) } else { digits_as_float(digits) }),
    };
    Number::Finite(number)
}

fn digits_as_float(digits: &str) -> f64 {
    digits.chars().filter_map(|digit| digit.to_digit(16)).fold(0.0, |sum, digit| sum * 16.0 + f64::from(digit))
}

fn float(value: f64) -> Number {
    serde_json::Number::from_f64(value).map_or(Number::NotFinite, Number::Finite)
}

/// Checks the form `digits [. digits] [e[+-]digits]` with digits on at least one side of the dot.
fn decimal_length(body: &str) -> Result<usize, &'static str> {
    let bytes = body.as_bytes();
    let digits = |from: usize| bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let whole = digits(0);
    if whole > 1 && bytes[0] == b'0' {
        return Err("a number must not start with `0` followed by digits");
    }
    let mut at = whole;
    let mut fraction = 0;
    if bytes.get(at) == Some(&b'.') {
        fraction = digits(at + 1);
        at += 1 + fraction;
    }
    if whole + fraction == 0 {
        return Err("this is no number");
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        at += 1;
        if matches!(bytes.get(at), Some(b'+' | b'-')) {
            at += 1;
        }
        let exponent = digits(at);
        if exponent == 0 {
            return Err("a number needs digits after its `e`");
        }
        at += exponent;
    }
    if bytes.get(at).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'.') {
        return Err("this is no number; texts need quotes");
    }
    Ok(at)
}

fn decimal(text: &str, negative: bool) -> Result<Number, &'static str> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        if !negative && let Ok(value) = text.parse::<u64>() {
            return Ok(Number::Finite(value.into()));
        }
        if negative
            && let Ok(value) = format!("-{text}").parse::<i64>()
            && value != 0
        {
            return Ok(Number::Finite(value.into()));
        }
    }
    let value = text.parse::<f64>().map_err(|_malformed| "this is no number")?;
    Ok(float(if negative { -value } else { value }))
}
