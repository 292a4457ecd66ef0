//! Whom the server believes to be who they say, and how sure it wants to be.

mod assurance;
mod passwords;
mod pdnd;
mod provider;

pub(crate) use assurance::KINDS as ASSURANCE_KINDS;
pub(crate) use passwords::KINDS as PASSWORD_KINDS;
pub(crate) use pdnd::KINDS as PDND_KINDS;
