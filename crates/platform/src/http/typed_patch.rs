//! Merge patches (RFC 7396) of things that are not made by a body of the same members: each says itself what of it
//! may be changed.

use std::{fmt, marker::PhantomData};

use actix_web::{FromRequest, HttpRequest, dev::Payload};
use futures_util::future::LocalBoxFuture;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error, MapAccess, Unexpected, Visitor, value::MapAccessDeserializer},
};
use validator::Validate;

use super::{
    Refused,
    body::{parse, read, validation_problem},
};

/// A merge patch with members of its own, read as strictly as a [`Body`](super::Body).
#[derive(Debug)]
pub struct TypedPatch<T>(pub T);

impl<T: DeserializeOwned + Validate + 'static> FromRequest for TypedPatch<T> {
    type Error = Refused;
    type Future = LocalBoxFuture<'static, Result<Self, Refused>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let bytes = read(req, payload, "application/merge-patch+json");
        Box::pin(async move {
            let value = parse::<T>(&bytes.await?)?;
            value.validate().map_err(|errors| validation_problem(&errors))?;
            Ok(Self(value))
        })
    }
}

/// Reads a member that may be taken away: `Some(None)` for null. With `#[serde(default, deserialize_with)]` an
/// absent one is `None`.
///
/// # Errors
/// When the value has the wrong form.
pub fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Reads a member that cannot be taken away: null is refused.
///
/// # Errors
/// When the value has the wrong form.
pub fn kept<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    let value = Option::<T>::deserialize(deserializer)?;
    value.map(Some).ok_or_else(|| serde::de::Error::custom("null, expected a value"))
}

/// The same of an object all of whose members may be absent: serde would read an empty array as one.
///
/// # Errors
/// When the value is neither null nor an object of the right form.
pub fn given_object<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    deserializer.deserialize_any(Object { or_null: true, of: PhantomData }).map(Some)
}

/// Reads a member that is an object, and nothing else: serde would take a list for the members in their order, and an
/// empty one for none.
///
/// # Errors
/// When the value has the wrong form.
pub fn members<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    deserializer.deserialize_any(Object { or_null: false, of: PhantomData })
}

struct Object<T> {
    or_null: bool,
    of: PhantomData<T>,
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.or_null { "an object or null" } else { "an object" })
    }

    fn visit_unit<E: Error>(self) -> Result<Option<T>, E> {
        if self.or_null { Ok(None) } else { Err(E::invalid_type(Unexpected::Unit, &self)) }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Option<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Sample {
        #[serde(deserialize_with = "given")]
        phone: Option<Option<String>>,
        #[serde(deserialize_with = "kept")]
        name: Option<String>,
        #[serde(deserialize_with = "given_object")]
        inner: Option<Option<Inner>>,
    }

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Inner {
        #[serde(deserialize_with = "given")]
        phone: Option<Option<String>>,
    }

    #[test]
    fn absent_null_and_a_value_are_three_things() {
        let read = |text: &str| serde_json::from_str::<Sample>(text);
        assert_eq!(read("{}").unwrap(), Sample::default());
        assert_eq!(read(r#"{"phone":null}"#).unwrap().phone, Some(None));
        assert_eq!(read(r#"{"phone":"1"}"#).unwrap().phone, Some(Some("1".to_owned())));
        assert_eq!(read(r#"{"inner":null}"#).unwrap().inner, Some(None));
        let inner = Inner { phone: Some(None) };
        assert_eq!(read(r#"{"inner":{"phone":null}}"#).unwrap().inner, Some(Some(inner)));
        assert_eq!(read(r#"{"inner":{}}"#).unwrap().inner, Some(Some(Inner::default())));
        for bad in [r#"{"inner":[]}"#, r#"{"inner":7}"#, r#"{"inner":{"x":1}}"#] {
            assert!(read(bad).is_err(), "{bad}");
        }
        assert_eq!(read(r#"{"name":"x"}"#).unwrap().name, Some("x".to_owned()));
        assert!(read(r#"{"name":null}"#).is_err());
    }
}
