//! Who may do what, in which Comune, and what nobody learns on the way.

mod comuni;
mod credentials;
mod privacy;
