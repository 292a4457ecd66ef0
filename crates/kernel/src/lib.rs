//! The words every crate of Sportello uses, and nothing that touches the outside:
//! no database, no network, no clock of its own.
//!
//! * [`Id`]: typed UUIDv7 identifiers; [`PublicCode`]: the short code a person reads aloud
//! * [`Clock`]: the only source of "now"
//! * [`Problem`]: a refusal, as RFC 9457 wants it told
//! * [`Page`] and [`Cursor`]: lists that never count their table
//! * [`TaxCode`]: codice fiscale; [`holidays`] and [`civil`]: the days and hours people live by

pub mod civil;
pub mod clock;
pub mod code;
pub mod holidays;
pub mod id;
pub mod lang;
pub mod page;
pub mod problem;
mod redacted;
pub mod tax_code;

pub use clock::{Clock, SystemClock, TestClock};
pub use code::PublicCode;
pub use id::Id;
pub use lang::{Lang, Localized};
pub use page::{Cursor, Page, PageRequest};
pub use problem::{FieldError, Problem, ProblemKind};
pub use tax_code::TaxCode;
