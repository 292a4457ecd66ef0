//! Who holds data about people: the one list of what an export, a rectification and a run of the rules are about; and
//! what documents belong to.

use documents::files::access::Subjects;
use platform::privacy::Holdings;

/// Every domain's, and the platform's own.
pub(crate) fn all() -> Holdings {
    Holdings::own()
        .with(documents::privacy::SentIn)
        .with(protocol::privacy::ProtocolEntries)
        .with(payments::privacy::Payments)
        .with(booking::privacy::Appointments)
}

/// What documents can be attached to: each domain that attaches some says who may read them.
pub(crate) fn subjects() -> Subjects {
    Subjects::default().with(protocol::entries::Attachments)
}
