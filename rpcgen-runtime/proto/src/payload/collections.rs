//! Values made of values: strings, lists, arrays, maps, optionals, tuples.
//!
//! Knows: lengths and limits. Does not know: what their elements are.
#![deny(clippy::indexing_slicing, clippy::cast_possible_truncation, clippy::arithmetic_side_effects)]

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use super::{Decode, DecodeError, DecodeProblem, Encode, Reader, UNLIMITED, Writer};
use crate::varint;

/// Memory taken at once for a list whose count is only claimed as yet. Longer lists grow as their elements really come: elements may
/// be a byte on the wire and hundreds in memory.
const FIRST_BYTES_MAX: usize = 64 * 1024;

/// Reads `count` elements.
#[inline]
pub(super) fn decode_each<'a, T>(
    count: usize,
    input: &mut Reader<'a>,
    mut element: impl FnMut(&mut Reader<'a>) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    let first = FIRST_BYTES_MAX.checked_div(size_of::<T>()).unwrap_or(0).max(1);
    let mut elements = Vec::with_capacity(count.min(first));
    for _ in 0..count {
        elements.push(element(input)?);
    }
    Ok(elements)
}

/// Reads the elements of an array.
#[inline]
pub(super) fn decode_array_each<'a, T, const N: usize>(
    input: &mut Reader<'a>,
    mut element: impl FnMut(&mut Reader<'a>) -> Result<T, DecodeError>,
) -> Result<[T; N], DecodeError> {
    let mut elements = [const { None }; N];
    for place in &mut elements {
        *place = Some(element(input)?);
    }
    Ok(elements.map(|element| element.expect("each place was filled by the loop above")))
}

impl Writer {
    /// A list whose elements are written by `element`.
    #[inline]
    pub fn list<T>(&mut self, elements: &[T], mut element: impl FnMut(&mut Self, &T)) {
        varint::write_u64(&mut self.bytes, elements.len() as u64);
        for value in elements {
            element(self, value);
        }
    }

    /// A map whose keys and values are written by `key` and `value`.
    #[inline]
    pub fn map<K, V>(
        &mut self,
        entries: &BTreeMap<K, V>,
        mut key: impl FnMut(&mut Self, &K),
        mut value: impl FnMut(&mut Self, &V),
    ) {
        varint::write_u64(&mut self.bytes, entries.len() as u64);
        for (one_key, one_value) in entries {
            key(self, one_key);
            value(self, one_value);
        }
    }

    /// An optional whose content is written by `content`.
    #[inline]
    pub fn optional<T>(&mut self, optional: Option<&T>, content: impl FnOnce(&mut Self, &T)) {
        match optional {
            None => self.bytes.push(0),
            Some(value) => {
                self.bytes.push(1);
                content(self, value);
            }
        }
    }
}

impl<'a> Reader<'a> {
    /// A string of at most `limit` bytes.
    ///
    /// # Errors
    /// It is longer, or not UTF-8.
    #[inline]
    pub fn string(&mut self, limit: u64) -> Result<String, DecodeError> {
        let length = self.length(limit)?;
        match str::from_utf8(self.take(length)?) {
            Ok(text) => Ok(text.to_owned()),
            Err(error) => Err(DecodeProblem::BadUtf8 { valid_up_to: error.valid_up_to() as u64 }.into()),
        }
    }

    /// A byte string of at most `limit` bytes.
    ///
    /// # Errors
    /// It is longer.
    #[inline]
    pub fn bytes(&mut self, limit: u64) -> Result<Vec<u8>, DecodeError> {
        let length = self.length(limit)?;
        self.take(length).map(<[u8]>::to_vec)
    }

    /// A list of at most `limit` elements, each read by `element`.
    ///
    /// # Errors
    /// It is longer, or an element is wrong.
    #[inline]
    pub fn list<T>(
        &mut self,
        limit: u64,
        element: impl FnMut(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        let count = self.count("elements", limit)?;
        decode_each(count, self, element)
    }

    /// An array, each element read by `element`.
    ///
    /// # Errors
    /// An element is wrong.
    #[inline]
    pub fn array<T, const N: usize>(
        &mut self,
        element: impl FnMut(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<[T; N], DecodeError> {
        decode_array_each(self, element)
    }

    /// A map of at most `limit` entries. Of two entries with the same key the last one counts.
    ///
    /// # Errors
    /// It is longer, or a key or value is wrong.
    #[inline]
    pub fn map<K: Ord, V>(
        &mut self,
        limit: u64,
        mut key: impl FnMut(&mut Self) -> Result<K, DecodeError>,
        mut value: impl FnMut(&mut Self) -> Result<V, DecodeError>,
    ) -> Result<BTreeMap<K, V>, DecodeError> {
        let count = self.count("entries", limit)?;
        let mut entries = BTreeMap::new();
        for _ in 0..count {
            let one_key = key(self)?;
            entries.insert(one_key, value(self)?);
        }
        Ok(entries)
    }

    /// An optional whose content is read by `content`.
    ///
    /// # Errors
    /// It is neither absent nor present, or its content is wrong.
    #[inline]
    pub fn optional<T>(
        &mut self,
        content: impl FnOnce(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Option<T>, DecodeError> {
        match self.take_byte()? {
            0 => Ok(None),
            1 => content(self).map(Some),
            value => Err(DecodeProblem::BadTag { what: "an optional", value }.into()),
        }
    }
}

impl Encode for str {
    #[inline]
    fn encode(&self, out: &mut Writer) {
        varint::write_u64(&mut out.bytes, self.len() as u64);
        out.copy(self.as_bytes());
    }
}

impl Encode for String {
    #[inline]
    fn encode(&self, out: &mut Writer) {
        self.as_str().encode(out);
    }
}

impl Decode for String {
    #[inline]
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.string(UNLIMITED)
    }
}

impl<T: Encode> Encode for [T] {
    #[inline]
    fn encode(&self, out: &mut Writer) {
        varint::write_u64(&mut out.bytes, self.len() as u64);
        T::encode_all(self, out);
    }
}

impl<T: Encode> Encode for Vec<T> {
    #[inline]
    fn encode(&self, out: &mut Writer) {
        self.as_slice().encode(out);
    }
}

impl<T: Decode> Decode for Vec<T> {
    #[inline]
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let count = input.count("elements", UNLIMITED)?;
        T::decode_list(count, input)
    }
}

impl<T: Encode, const N: usize> Encode for [T; N] {
    #[inline]
    fn encode(&self, out: &mut Writer) {
        T::encode_all(self, out);
    }
}

impl<T: Decode, const N: usize> Decode for [T; N] {
    #[inline]
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        T::decode_array(input)
    }
}

impl<K: Encode, V: Encode> Encode for BTreeMap<K, V> {
    #[inline]
    fn encode(&self, out: &mut Writer) {
        out.map(self, |out, key| key.encode(out), |out, value| value.encode(out));
    }
}

impl<K: Decode + Ord, V: Decode> Decode for BTreeMap<K, V> {
    #[inline]
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.map(UNLIMITED, K::decode, V::decode)
    }
}

impl<T: Encode> Encode for Option<T> {
    #[inline]
    fn encode(&self, out: &mut Writer) {
        out.optional(self.as_ref(), |out, value| value.encode(out));
    }
}

impl<T: Decode> Decode for Option<T> {
    #[inline]
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.optional(T::decode)
    }
}

impl<T: Encode + ?Sized> Encode for &T {
    #[inline]
    fn encode(&self, out: &mut Writer) {
        (**self).encode(out);
    }
}

impl<T: Encode> Encode for Box<T> {
    #[inline]
    fn encode(&self, out: &mut Writer) {
        (**self).encode(out);
    }
}

impl<T: Decode> Decode for Box<T> {
    #[inline]
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        T::decode(input).map(Self::new)
    }
}

macro_rules! tuple {
    ($(($($type:ident $place:tt),*);)+) => {$(
        impl<$($type: Encode),*> Encode for ($($type,)*) {
            #[inline]
            fn encode(&self, _out: &mut Writer) {
                $(self.$place.encode(_out);)*
            }
        }

        impl<$($type: Decode),*> Decode for ($($type,)*) {
            #[inline]
            fn decode(_input: &mut Reader<'_>) -> Result<Self, DecodeError> {
                Ok(($($type::decode(_input)?,)*))
            }
        }
    )+};
}

tuple! {
    ();
    (A 0);
    (A 0, B 1);
    (A 0, B 1, C 2);
    (A 0, B 1, C 2, D 3);
}
