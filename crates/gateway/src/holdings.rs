//! Who holds data about people: the one list of what an export, a rectification and a run of the rules are about.

use platform::privacy::Holdings;

/// Every domain's, and the platform's own.
pub(crate) fn all() -> Holdings {
    Holdings::own().with(booking::privacy::Appointments)
}
