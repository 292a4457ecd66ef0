//! Debts, as stored, asked for and served.

use diesel::prelude::*;
use jiff::{Timestamp, civil::Date};
use kernel::{Id, TaxCode};
use platform::{
    directory::OfficeId,
    settings::rules::{one_line, one_word},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use validator::{Validate, ValidationError};

use super::{
    address::{Address, province},
    rules,
};
use crate::schema::{payment_debtors, payment_debts, payment_lines, payment_tasks};

/// The identifier of a debt.
pub type PaymentId = Id<Debt>;
/// What a debt is for: some other domain's object.
pub type SubjectId = Id<uuid::Uuid>;

storage::text_enum! {
    /// How far a payment is.
    pub enum PaymentState {
        /// It is written down, and waits until it is decided that it is owed.
        Draft = "draft",
        /// The provider is being told of it.
        AwaitingPublication = "awaiting_publication",
        /// It can be paid.
        Payable = "payable",
        /// Somebody has opened the pay page.
        Started = "started",
        /// It was paid, says the provider.
        Paid = "paid",
        /// Its date has passed.
        Expired = "expired",
        /// It is no longer owed.
        Cancelled = "cancelled",
    }
}

storage::text_enum! {
    /// Whether it is paid before something is decided, or after.
    pub enum PaymentTime {
        /// At once.
        Before = "before",
        /// Once what it is for was approved.
        AfterApproval = "after_approval",
    }
}

storage::text_enum! {
    /// What is to be done with the provider.
    pub enum Task {
        /// Make the position.
        Publish = "publish",
        /// Ask how it stands.
        Check = "check",
        /// Have it no longer paid.
        Withdraw = "withdraw",
    }
}

storage::text_enum! {
    /// Why somebody should look at a payment.
    pub enum Attention {
        /// It was paid after its date, or after it was called off.
        PaidLate = "paid_late",
        /// Something else was paid than is owed.
        AmountMismatch = "amount_mismatch",
        /// The provider takes no such payment.
        PublicationFailed = "publication_failed",
    }
}

storage::text_enum! {
    /// A currency.
    pub enum Currency {
        /// Euro.
        Eur = "EUR",
    }
}

/// The most that is asked for in one payment, in cents: what fits into a notice.
pub const MOST_CENTS: i64 = 99_999_999_999;

/// An amount of money
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "amount_cents": 1600, "currency": "EUR" }))]
pub struct Money {
    /// In cents.
    #[validate(range(min = 1, max = 99_999_999_999_i64))]
    #[schema(minimum = 1, maximum = 99999999999_i64)]
    pub amount_cents: i64,
    /// In this currency.
    pub currency: Currency,
}

impl Money {
    /// So many cents.
    pub const fn euro(amount_cents: i64) -> Self {
        Self { amount_cents, currency: Currency::Eur }
    }
}

/// A stored debt (posizione debitoria).
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = payment_debts)]
pub struct Debt {
    /// Identifier.
    pub id: PaymentId,
    /// What kind of thing it is for.
    pub subject_kind: String,
    /// Which one.
    pub subject_id: SubjectId,
    /// The office that answers for it.
    pub office_id: OfficeId,
    /// Whose it is, as an actor.
    pub owner: String,
    /// Whose it is, as a pseudonym.
    pub person_key: String,
    /// What for.
    pub description: String,
    /// How much, in cents.
    pub total_cents: i64,
    /// The end of the last day on which it can be paid.
    pub due_at: Timestamp,
    /// Before or after approval.
    pub due_when: PaymentTime,
    /// Codice fiscale of the creditor.
    pub creditor: String,
    /// Notice number.
    pub notice_number: String,
    /// IUV.
    pub iuv: String,
    /// How far it is.
    pub state: PaymentState,
    /// Whether it was paid after its date, or after it was called off.
    pub paid_late: bool,
    /// Whether something else was paid than is owed.
    pub amount_mismatch: bool,
    /// Whether the provider takes no such position.
    pub publication_failed: bool,
    /// When the provider was first told of it. From then on it may have it, whatever it answered.
    pub tried_at: Option<Timestamp>,
    /// Since when the provider has it.
    pub published_at: Option<Timestamp>,
    /// When it was paid.
    pub paid_at: Option<Timestamp>,
    /// How much was paid, in cents.
    pub paid_cents: Option<i64>,
    /// What the provider calls the receipt.
    pub receipt_reference: Option<String>,
    /// Digest of the token that opens it.
    pub access_hash: Option<String>,
    /// Counts changes.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

/// One line of a debt, as stored.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = payment_lines)]
pub struct Line {
    /// What for.
    pub description: String,
    /// Its code in pagoPA's taxonomy.
    pub taxonomy_code: String,
    /// How much, in cents.
    pub amount_cents: i64,
    /// To which account.
    pub iban: Option<String>,
    /// For a revenue stamp: SHA-256 of the document, base64.
    pub document_digest: Option<String>,
    /// For a revenue stamp: the province of residence.
    pub province: Option<String>,
}

/// Who pays, as stored.
#[derive(Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = payment_debtors)]
pub struct Debtor {
    /// Given name of a person.
    pub given_name: Option<String>,
    /// Family name of a person.
    pub family_name: Option<String>,
    /// Name of an organisation.
    pub legal_name: Option<String>,
    /// Codice fiscale.
    pub tax_code: String,
    /// E-mail address.
    pub email: Option<String>,
    /// The street they live in; with all that follows, or without any of it.
    pub street: Option<String>,
    /// The number of the building.
    pub building_number: Option<String>,
    /// CAP.
    pub postal_code: Option<String>,
    /// City, town or village.
    pub locality: Option<String>,
    /// Province.
    pub province: Option<String>,
}

kernel::redacted_debug!(Debtor, Payer, NewPayment, PaymentLookup);

/// What is to be done about a debt, leased to whoever does it.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = payment_tasks)]
pub struct Job {
    /// About which debt.
    pub debt_id: PaymentId,
    /// What.
    pub task: Task,
    /// When it was due.
    pub due_at: Timestamp,
    /// How often it was begun, without what failed; this time is one of them.
    pub attempts: i64,
    /// How often it has failed since it was done last.
    pub failures: i64,
    /// Why it failed last.
    pub outcome: Option<String>,
}

/// What a payment is for
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PaymentSubject, example = json!({ "kind": "payment", "id": "01980000-0000-7000-8000-0000000000a0" }))]
pub struct Subject {
    /// What kind of thing.
    #[validate(length(min = 1, max = 50), custom(function = word))]
    #[schema(min_length = 1, max_length = 50, pattern = "^[a-z][a-z_]*$")]
    pub kind: String,
    /// Which one.
    pub id: SubjectId,
}

/// A revenue stamp (marca da bollo) for a document
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RevenueStamp, example = json!({ "document_digest": "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", "province": "PI" }))]
pub struct Stamp {
    /// SHA-256 of the document, base64.
    #[validate(length(min = 44, max = 44), custom(function = digest))]
    #[schema(min_length = 44, max_length = 44, pattern = "^[A-Za-z0-9+/]{43}=$")]
    pub document_digest: String,
    /// The province in which whoever pays lives.
    #[validate(length(min = 2, max = 2), custom(function = province))]
    #[schema(min_length = 2, max_length = 2, pattern = "^[A-Z]{2}$")]
    pub province: String,
}

/// One line of a payment
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "description": "Diritti di segreteria", "taxonomy_code": "9/0101108TS/", "amount": { "amount_cents": 1250, "currency": "EUR" }
}))]
pub struct PaymentLine {
    /// What for.
    #[validate(length(min = 1, max = 140), custom(function = one_line))]
    #[schema(
        min_length = 1,
        max_length = 140,
        pattern = r"^[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f])?$"
    )]
    pub description: String,
    /// Its code in pagoPA's taxonomy of payments.
    #[validate(length(min = 4, max = 20), custom(function = taxonomy))]
    #[schema(min_length = 4, max_length = 20, pattern = "^[0-9]/[0-9A-Z]+/$")]
    pub taxonomy_code: String,
    /// How much.
    #[validate(nested)]
    pub amount: Money,
    /// Where it is a revenue stamp, of 16.00 or 2.00 euro. Else it goes to the account of the Comune.
    #[validate(nested)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stamp: Option<Stamp>,
}

/// Who pays: a person, with both names, or an organisation, with its own
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "given_name": "Anna", "family_name": "Prova", "tax_code": "PRVNNA80A41Z998F" }))]
pub struct Payer {
    /// Given name of a person.
    #[validate(length(min = 1, max = 60), custom(function = one_line))]
    #[schema(
        min_length = 1,
        max_length = 60,
        pattern = r"^[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f])?$"
    )]
    pub given_name: Option<String>,
    /// Family name of a person.
    #[validate(length(min = 1, max = 60), custom(function = one_line))]
    #[schema(
        min_length = 1,
        max_length = 60,
        pattern = r"^[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f])?$"
    )]
    pub family_name: Option<String>,
    /// Name of an organisation.
    #[validate(length(min = 1, max = 60), custom(function = one_line))]
    #[schema(
        min_length = 1,
        max_length = 60,
        pattern = r"^[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f])?$"
    )]
    pub legal_name: Option<String>,
    /// Codice fiscale.
    pub tax_code: TaxCode,
    /// E-mail address, which the pay page fills in.
    #[validate(email, length(max = 254), custom(function = one_word))]
    #[schema(format = "email", max_length = 254)]
    pub email: Option<String>,
    /// Where they live. Without it there is no notice to print (`GET /payments/{payment_id}/notice`).
    #[validate(nested)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
}

/// A payment to be asked for
#[derive(Clone, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "office_id": "01980000-0000-7000-8000-000000000002", "description": "Rilascio carta d'identità",
    "payer": { "given_name": "Anna", "family_name": "Prova", "tax_code": "PRVNNA80A41Z998F" },
    "lines": [{ "description": "Diritti di segreteria", "taxonomy_code": "9/0101108TS/", "amount": { "amount_cents": 2221, "currency": "EUR" } }],
    "due_on": "2027-01-31", "when": "before"
}))]
pub struct NewPayment {
    /// The office that answers for it.
    pub office_id: OfficeId,
    /// What for: one line, on the notice.
    #[validate(length(min = 1, max = 140), custom(function = one_line))]
    #[schema(
        min_length = 1,
        max_length = 140,
        pattern = r"^[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f])?$"
    )]
    pub description: String,
    /// Who pays.
    #[validate(nested)]
    pub payer: Payer,
    /// What it consists of.
    #[validate(length(min = 1, max = 5), nested)]
    #[schema(min_items = 1, max_items = 5)]
    pub lines: Vec<PaymentLine>,
    /// The last day on which it can be paid.
    pub due_on: Date,
    /// Whether it is asked for at once, or once `POST /payments/{payment_id}/publication` says so.
    pub when: PaymentTime,
    /// What it is for; by itself when absent. Asked for over this interface it is of the kind `payment`: what other
    /// parts of the product ask for bears their kinds, and nobody else's.
    #[validate(nested)]
    pub subject: Option<Subject>,
}

/// A payment, by its token
#[derive(Clone, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "payment_id": "01980000-0000-7000-8000-0000000000a0", "access_token": "q2V5sQ0mZ9x1b8YkR7uTtA3nLw6dHc4eJf5gKi0pXyE" }))]
pub struct PaymentLookup {
    /// Which one.
    pub payment_id: PaymentId,
    /// The token that was given with it.
    #[validate(length(min = 20, max = 100), custom(function = token))]
    #[schema(min_length = 20, max_length = 100, pattern = "^[A-Za-z0-9_-]+$")]
    pub access_token: String,
}

/// When a payment is due instead
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PublicationQuery {
    /// The last day on which it can be paid, in place of the one it was asked for with. Needed where that has passed;
    /// not for what pagoPA was told of already.
    pub due_on: Option<Date>,
}

/// Which payments
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PaymentQuery {
    /// The notice number: 18 digits.
    #[param(min_length = 18, max_length = 18, pattern = "^[0-3][0-9]{17}$")]
    pub notice_number: Option<String>,
    /// How far it is.
    pub state: Option<PaymentState>,
    /// Of one office.
    pub office_id: Option<OfficeId>,
    /// Only those that somebody should look at for this.
    #[param(inline)]
    pub attention: Option<Attention>,
    /// The first day on which they were asked for.
    pub from: Option<Date>,
    /// The last day on which they were asked for, included.
    pub to: Option<Date>,
    /// How many items at most; 20 when absent.
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub limit: Option<i64>,
    /// The `next` of the page before.
    #[param(max_length = 500)]
    pub after: Option<String>,
}

impl Debt {
    /// What it is called with the provider (IUPD).
    pub fn position_id(&self) -> String {
        self.id.uuid().simple().to_string()
    }

    /// The last day on which it can be paid.
    pub fn due_on(&self) -> Date {
        rules::last_day(self.due_at)
    }
}

impl From<Line> for PaymentLine {
    fn from(line: Line) -> Self {
        let Line { description, taxonomy_code, amount_cents, document_digest, province, .. } = line;
        let stamp = document_digest.zip(province);
        let stamp = stamp.map(|(document_digest, province)| Stamp { document_digest, province });
        Self { description, taxonomy_code, amount: Money::euro(amount_cents), stamp }
    }
}

fn refused(code: &'static str, words: &'static str) -> ValidationError {
    ValidationError::new(code).with_message(words.into())
}

fn word(text: &str) -> Result<(), ValidationError> {
    let sound =
        text.starts_with(|c: char| c.is_ascii_lowercase()) && text.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    if sound { Ok(()) } else { Err(refused("word", "small letters and underscores")) }
}

fn digest(text: &str) -> Result<(), ValidationError> {
    let (body, end) = text.split_at_checked(43).unwrap_or_default();
    let sound = end == "=" && body.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '/'));
    if sound { Ok(()) } else { Err(refused("digest", "SHA-256 in base64")) }
}

fn taxonomy(text: &str) -> Result<(), ValidationError> {
    let parts: Vec<&str> = text.split('/').collect();
    let sound = match parts.as_slice() {
        [kind, code, ""] => {
            kind.len() == 1
                && kind.chars().all(|c| c.is_ascii_digit())
                && !code.is_empty()
                && code.chars().all(|c| c.is_ascii_digit() || c.is_ascii_uppercase())
        }
        _ => false,
    };
    if sound { Ok(()) } else { Err(refused("taxonomy", "a code of pagoPA's taxonomy, such as 9/0101108TS/")) }
}

/// What tokens are made of.
pub(crate) fn token(text: &str) -> Result<(), ValidationError> {
    let sound = text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    if sound { Ok(()) } else { Err(refused("token", "letters, digits, hyphens and underscores")) }
}
