//! What goes on beside the requests.

pub mod scanning;
pub mod sweeping;
