//! Bytes as lower-case hexadecimal digits, two a byte.

/// The digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes; `None` for anything but their digits in lower case.
pub(crate) fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.len() == 2 * N && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let mut bytes = [0; N];
    for (i, place) in bytes.iter_mut().enumerate().filter(|_| digits) {
        *place = u8::from_str_radix(text.get(2 * i..2 * i + 2)?, 16).ok()?;
    }
    digits.then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_read_back_and_nothing_else_is_read() {
        assert_eq!(unhex(&hex(&[0, 9, 0xaf])), Some([0, 9, 0xaf]));
        assert_eq!(unhex::<1>("AF"), None);
        assert!(unhex::<32>(&"g".repeat(64)).is_none() && unhex::<32>(&"é".repeat(32)).is_none());
    }
}
