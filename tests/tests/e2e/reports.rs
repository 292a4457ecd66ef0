//! What leaves for other programs: calendar files, feeds; and how people find what they need.

mod ical;
mod search;
