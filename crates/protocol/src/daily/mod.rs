//! The daily register (registro giornaliero di protocollo, DPCM 3 December 2013, article 7, paragraph 5): what was
//! registered on a day, with its digest, to be given to preservation.

pub mod files;
pub mod model;
pub mod routes;
pub mod run;
pub mod store;

pub use model::DailyRegisterId;
