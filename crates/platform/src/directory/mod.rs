//! Offices and the places they are at: whom one goes to, and where; and the days on which all are closed.

pub mod admin;
pub mod bodies;
pub mod model;
pub mod routes;
pub mod store;
pub mod texts;

pub use bodies::{NewClosure, NewOffice, NewPlace};
pub use model::{Closure, ClosureId, Office, OfficeId, Place, PlaceId};
pub use texts::{LocalizedName, LocalizedText};
