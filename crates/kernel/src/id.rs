//! Typed identifiers: an `Id<Office>` cannot be passed where an `Id<Calendar>` is meant.

use std::{cmp::Ordering, fmt, hash::Hash, hash::Hasher, marker::PhantomData, str::FromStr};

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, SchemaType, Type};
use uuid::{Builder, Uuid};

/// The length of a UUID in hyphenated form.
const HYPHENATED: usize = 36;

/// A text that is no identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a UUID in hyphenated form")]
pub struct NotAnId;

/// The identifier of a `T`: a UUIDv7 (RFC 9562), so that rows made together lie together.
///
/// The type parameter guards signatures and structs only; in SQL all ids share one column type.
pub struct Id<T> {
    uuid: Uuid,
    of: PhantomData<fn() -> T>,
}

impl<T> Id<T> {
    /// Gives a known UUID its type.
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self { uuid, of: PhantomData }
    }

    /// A new id for the instant `now`; the remaining 74 bits come from `random`, whose first 12 come first
    /// in the order of ids of the same millisecond.
    pub fn generate(now: Timestamp, random: [u8; 10]) -> Self {
        let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
        Self::from_uuid(Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }

    /// The bare UUID, for storage and digests.
    pub const fn uuid(self) -> Uuid {
        self.uuid
    }

    /// The same identifier, read as the id of another type. Only for tables that point at
    /// things of several kinds, such as the outbox.
    pub const fn cast<U>(self) -> Id<U> {
        Id::from_uuid(self.uuid)
    }
}

// Derives would ask `T` for the same traits; an id has them whatever it identifies.
impl<T> Clone for Id<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Id<T> {}
impl<T> PartialEq for Id<T> {
    fn eq(&self, other: &Self) -> bool {
        self.uuid == other.uuid
    }
}
impl<T> Eq for Id<T> {}
impl<T> PartialOrd for Id<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<T> Ord for Id<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.uuid.cmp(&other.uuid)
    }
}
impl<T> Hash for Id<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.uuid.hash(state);
    }
}
impl<T> fmt::Debug for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.uuid, f)
    }
}
impl<T> fmt::Display for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.uuid, f)
    }
}
impl<T> FromStr for Id<T> {
    type Err = NotAnId;
    /// The hyphenated form only: a thing has one address.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            Ok(uuid) if text.len() == HYPHENATED => Ok(Self::from_uuid(uuid)),
            _ => Err(NotAnId),
        }
    }
}
impl<T> Serialize for Id<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.uuid.serialize(serializer)
    }
}
impl<'de, T> Deserialize<'de> for Id<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
impl<T> utoipa::PartialSchema for Id<T> {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::String))
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Uuid)))
            .max_length(Some(36))
            .description(Some("UUID version 7 (RFC 9562)"))
            .examples(["01980000-0000-7000-8000-000000000001"])
            .into()
    }
}
// One schema for the ids of everything: name the field's type by an alias (`OfficeId`), since the
// derive would ask `T` for a schema too.
impl<T> utoipa::ToSchema for Id<T> {
    fn name() -> std::borrow::Cow<'static, str> {
        std::borrow::Cow::Borrowed("Id")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Thing;

    #[test]
    fn ids_sort_by_the_instant_they_were_made() {
        let at = |s| Timestamp::from_second(s).unwrap();
        let early = Id::<Thing>::generate(at(1_800_000_000), [255; 10]);
        let late = Id::<Thing>::generate(at(1_800_000_001), [0; 10]);
        assert!(early < late);
        assert_eq!(early.uuid().get_version_num(), 7);
    }

    #[test]
    fn an_id_reads_back_from_its_text_and_its_json() {
        let id = Id::<Thing>::generate(Timestamp::UNIX_EPOCH, [7; 10]);
        assert_eq!(id.to_string().parse::<Id<Thing>>().unwrap(), id);
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(serde_json::from_str::<Id<Thing>>(&json).unwrap(), id);
        for other in [format!("{{{id}}}"), format!("urn:uuid:{id}"), id.to_string().replace('-', "")] {
            assert!(other.parse::<Id<Thing>>().is_err(), "{other}");
            assert!(serde_json::from_str::<Id<Thing>>(&format!("\"{other}\"")).is_err(), "{other}");
        }
    }
}
