//! What is looked at before a file is kept.
//!
//! * [`spool`]: the file while it comes in, on a disk of the gateway's, under no name
//! * [`types`]: what type of file it is, by its own bytes; [`names`]: what it is called, made harmless
//! * [`pictures`]: what of an image is not the image; [`archives`]: what an office file unpacks into
//! * [`looking`]: all of it, in order; [`places`]: for how many at once

pub mod archives;
mod jpeg;
pub mod looking;
pub mod names;
pub mod pictures;
pub mod places;
mod png;
pub mod spool;
pub mod types;
