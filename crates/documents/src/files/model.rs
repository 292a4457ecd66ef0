//! Documents, as stored and served.

use diesel::{Queryable, Selectable};
use jiff::Timestamp;
use kernel::{Id, civil};
use platform::http::Link;
use serde::Serialize;
use storage::TenantId;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::schema::documents;

/// The identifier of a document.
pub type DocumentId = Id<Document>;

/// The identifier of what a document is attached to, of whatever kind.
pub type SubjectId = Id<Uuid>;

storage::text_enum! {
    /// Types of files that can be taken.
    pub enum MediaType {
        /// PDF, also with signatures in it (PAdES).
        Pdf = "application/pdf",
        /// A photograph.
        Jpeg = "image/jpeg",
        /// An image.
        Png = "image/png",
        /// A signed file (CAdES), `.p7m`, as DER.
        P7m = "application/pkcs7-mime",
        /// A text of Microsoft Word, without macros.
        Docx = "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        /// A table of Microsoft Excel, without macros.
        Xlsx = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        /// A text of LibreOffice.
        Odt = "application/vnd.oasis.opendocument.text",
        /// A table of LibreOffice.
        Ods = "application/vnd.oasis.opendocument.spreadsheet",
        /// XML, such as an electronic invoice.
        Xml = "application/xml",
        /// A table as text.
        Csv = "text/csv",
        /// Text.
        Text = "text/plain",
    }
}

impl MediaType {
    /// Extensions that its names may have; the first is given to those that have none of them.
    pub const fn extensions(self) -> &'static [&'static str] {
        match self {
            Self::Pdf => &["pdf"],
            Self::Jpeg => &["jpg", "jpeg"],
            Self::Png => &["png"],
            Self::P7m => &["p7m"],
            Self::Docx => &["docx"],
            Self::Xlsx => &["xlsx"],
            Self::Odt => &["odt"],
            Self::Ods => &["ods"],
            Self::Xml => &["xml"],
            Self::Csv => &["csv"],
            Self::Text => &["txt"],
        }
    }
}

storage::text_enum! {
    /// Whether the content of a document is given out.
    pub enum DocumentState {
        /// It waits to be scanned for malware.
        Quarantined = "quarantined",
        /// Nothing was found, or the installation has no scanner.
        Clean = "clean",
        /// Malware was found. The content is gone.
        Infected = "infected",
        /// It could not be scanned; it is tried again.
        Failed = "failed",
    }
}

/// A document.
#[derive(Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = documents)]
pub struct Document {
    /// The Comune.
    pub tenant_id: TenantId,
    /// Identifier.
    pub id: DocumentId,
    /// Kind and pseudonymous id of who sent it in.
    pub owner: String,
    /// What it is called, made safe.
    pub name: String,
    /// What type of file it is.
    pub media_type: MediaType,
    /// How long it is, in bytes.
    pub size_bytes: i64,
    /// SHA-256 of what is kept, hexadecimal.
    pub sha256: String,
    /// Where the bytes lie; none once they are gone.
    pub object_key: Option<String>,
    /// Whether it is given out.
    pub state: DocumentState,
    /// How often it was scanned in vain.
    pub scans: i64,
    /// When it is to be scanned next.
    pub scan_at: Option<Timestamp>,
    /// What kind of object it is attached to.
    pub subject_kind: Option<String>,
    /// To which one.
    pub subject_id: Option<SubjectId>,
    /// Counts changes.
    pub version: i64,
    /// When it was sent in.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

// A name may be somebody's.
kernel::redacted_debug!(Document, DocumentView);

/// A document, without what is in it.
#[derive(Serialize, ToSchema)]
#[schema(as = Document, example = json!({
    "id": "01980000-0000-7000-8000-000000000080", "name": "Planimetria.pdf", "media_type": "application/pdf",
    "size_bytes": 48213, "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "state": "clean",
    "subject": null, "version": 1, "created_at": "2026-11-29T10:00:00+01:00", "links": [
        { "rel": "content", "method": "GET", "href": "/bugliano/v1/documents/01980000-0000-7000-8000-000000000080/content" }
    ]
}))]
pub struct DocumentView {
    /// Identifier.
    pub id: DocumentId,
    /// What it is called: the name it was sent in with, made safe for any disk.
    #[schema(max_length = 120)]
    pub name: String,
    /// What type of file it is, by its own bytes.
    pub media_type: MediaType,
    /// How long it is, in bytes.
    #[schema(minimum = 0)]
    pub size_bytes: i64,
    /// SHA-256 of what is kept, hexadecimal. Of an image that is another one than of what was sent: where and by what it
    /// was taken is removed.
    #[schema(min_length = 64, max_length = 64, pattern = "^[0-9a-f]{64}$")]
    pub sha256: String,
    /// Whether the content is given out.
    pub state: DocumentState,
    /// What it is attached to; null until then.
    pub subject: Option<DocumentSubject>,
    /// Counts changes.
    #[schema(minimum = 1)]
    pub version: i64,
    /// When it was sent in.
    #[serde(with = "civil::rfc3339")]
    pub created_at: Timestamp,
    /// What the caller may do with it now.
    #[schema(max_items = 10)]
    pub links: Vec<Link>,
}

/// What a document is attached to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({ "kind": "request", "id": "01980000-0000-7000-8000-000000000090" }))]
pub struct DocumentSubject {
    /// What kind of object.
    #[schema(max_length = 60)]
    pub kind: String,
    /// Which one.
    #[schema(value_type = String, format = Uuid)]
    pub id: SubjectId,
}

/// The bytes of a file.
#[derive(Debug, ToSchema)]
#[schema(value_type = String, format = Binary, max_length = 1_073_741_824)]
pub struct DocumentContent(#[expect(dead_code, reason = "describes a file in the contract")] Vec<u8>);

impl Document {
    /// What it is attached to.
    pub fn subject(&self) -> Option<DocumentSubject> {
        Some(DocumentSubject { kind: self.subject_kind.clone()?, id: self.subject_id? })
    }

    /// The document as it is served to somebody who may read it.
    pub fn view(self, comune: &str, is_owner: bool) -> DocumentView {
        let at = format!("/{comune}/v1/documents/{}", self.id);
        let link = |rel: &str, method: &str, tail: &str| Link {
            rel: rel.to_owned(),
            method: method.to_owned(),
            href: format!("{at}{tail}"),
        };
        let mut links = Vec::new();
        if self.state == DocumentState::Clean {
            links.push(link("content", "GET", "/content"));
        }
        if is_owner && self.subject_id.is_none() {
            links.push(link("delete", "DELETE", ""));
        }
        let subject = self.subject();
        let Self { id, name, media_type, size_bytes, sha256, state, version, created_at, .. } = self;
        DocumentView { id, name, media_type, size_bytes, sha256, state, subject, version, created_at, links }
    }
}
