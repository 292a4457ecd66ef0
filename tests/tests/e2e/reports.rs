//! What leaves for other programs: calendar files, feeds.

mod ical;
