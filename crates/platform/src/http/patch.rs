//! Changes as merge patches (RFC 7396): only what is to be different, `null` for what is to go.

use std::borrow::Cow;

use actix_web::{FromRequest, HttpRequest, dev::Payload};
use futures_util::future::LocalBoxFuture;
use kernel::Problem;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
};
use validator::Validate;

use super::{
    Refused,
    body::{parse, read, validation_problem},
};
use crate::problems::INVALID_BODY;

/// A merge patch of a `T`, the body by which such a thing is made.
///
/// Described in the contract as a `T` of which nothing is required; name it there by an alias, since utoipa
/// would take the name of a generic type apart.
#[derive(Debug, Clone)]
pub struct MergePatch<T> {
    members: Map<String, Value>,
    of: std::marker::PhantomData<fn() -> T>,
}

impl<T: Serialize + DeserializeOwned + Validate> MergePatch<T> {
    /// What `current` becomes. An object within it (a text in several languages) must be one that could
    /// stand by itself, so that what is required of it is seen in the request; what it does not mention stays.
    ///
    /// # Errors
    /// `invalid-body`, naming the member at fault.
    pub fn apply(&self, current: &T) -> Result<T, Problem> {
        let described = |_| Problem::new(&INVALID_BODY).detail("the current state cannot be described");
        let current = serde_json::to_value(current).map_err(described)?;
        let mut replaced = current.clone();
        if let Value::Object(members) = &mut replaced {
            for (name, value) in &self.members {
                if value.is_null() {
                    members.remove(name);
                } else {
                    members.insert(name.clone(), value.clone());
                }
            }
        }
        whole::<T>(&replaced)?;
        let mut merged = current;
        merge(&mut merged, &Value::Object(self.members.clone()));
        whole(&merged)
    }
}

fn whole<T: DeserializeOwned + Validate>(value: &Value) -> Result<T, Problem> {
    let value: T = parse(value.to_string().as_bytes())?;
    value.validate().map_err(|errors| validation_problem(&errors))?;
    Ok(value)
}

/// RFC 7396 §2.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(changes) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(members) = target else { return };
    for (name, change) in changes {
        if change.is_null() {
            members.remove(name);
        } else {
            merge(members.entry(name.clone()).or_insert(Value::Null), change);
        }
    }
}

impl<T: 'static> FromRequest for MergePatch<T> {
    type Error = Refused;
    type Future = LocalBoxFuture<'static, Result<Self, Refused>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let bytes = read(req, payload, "application/merge-patch+json");
        Box::pin(async move {
            let members = parse::<Map<String, Value>>(&bytes.await?)?;
            Ok(Self { members, of: std::marker::PhantomData })
        })
    }
}

const ABOUT: &str = "What is to be different (RFC 7396): what is not mentioned stays, `null` takes away.";

impl<T: ToSchema> PartialSchema for MergePatch<T> {
    fn schema() -> RefOr<Schema> {
        let mut schema = T::schema();
        if let RefOr::T(Schema::Object(object)) = &mut schema {
            object.required.clear();
            object.description = Some(ABOUT.to_owned());
        }
        schema
    }
}

impl<T: ToSchema> ToSchema for MergePatch<T> {
    fn name() -> Cow<'static, str> {
        Cow::Owned(format!("{}Patch", T::name().trim_start_matches("New")))
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        T::schemas(schemas);
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize, Validate)]
    #[serde(deny_unknown_fields)]
    struct Thing {
        #[validate(nested)]
        name: Name,
        #[validate(range(min = 1, max = 5))]
        size: Option<i64>,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize, Validate)]
    #[serde(deny_unknown_fields)]
    struct Name {
        it: String,
        en: Option<String>,
    }

    fn patched(patch: Value) -> Result<Thing, Problem> {
        let Value::Object(members) = patch else { panic!("an object") };
        let patch = MergePatch::<Thing> { members, of: std::marker::PhantomData };
        patch.apply(&Thing { name: Name { it: "cosa".into(), en: Some("thing".into()) }, size: Some(2) })
    }

    #[test]
    fn what_is_not_mentioned_stays_and_null_takes_away() {
        let name = |it: &str, en: Option<&str>| Name { it: it.into(), en: en.map(Into::into) };
        assert_eq!(patched(json!({})).unwrap(), Thing { name: name("cosa", Some("thing")), size: Some(2) });
        assert_eq!(patched(json!({ "size": null })).unwrap(), Thing { name: name("cosa", Some("thing")), size: None });
        let renamed = patched(json!({ "name": { "it": "roba" } })).unwrap();
        assert_eq!(renamed.name, name("roba", Some("thing")));
        let single = patched(json!({ "name": { "it": "roba", "en": null } })).unwrap();
        assert_eq!(single.name, name("roba", None));
    }

    #[test]
    fn what_would_be_wrong_is_named() {
        for (patch, pointer) in [
            (json!({ "name": null }), "/name"),
            (json!({ "name": { "en": "stuff" } }), "/name/it"),
            (json!({ "name": "roba" }), "/name"),
            (json!({ "size": 6 }), "/size"),
            (json!({ "colour": "red" }), "/colour"),
        ] {
            let problem = patched(patch.clone()).unwrap_err();
            assert_eq!(problem.errors[0].pointer, pointer, "{patch}: {problem:?}");
        }
    }
}
