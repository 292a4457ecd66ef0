//! Blocks, as stored, asked for and served.

use jiff::Timestamp;
use kernel::{Id, civil};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::Validate;

use crate::{
    appointments::model::{not_empty, plain_text},
    calendars::CalendarId,
};

/// The identifier of a block.
pub type BlockId = Id<Block>;

/// The longest block there is, in days.
pub const LONGEST_DAYS: i64 = 31;

/// A stretch of time in which counters receive nobody.
#[derive(Debug, Clone)]
pub struct Block {
    /// Identifier.
    pub id: BlockId,
    /// Which counters.
    pub calendar_id: CalendarId,
    /// From when.
    pub starts_at: Timestamp,
    /// Until when.
    pub ends_at: Timestamp,
    /// How many counters; all where nothing is said.
    pub seats: Option<i64>,
    /// What for.
    pub reason: String,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A block to make.
#[derive(Debug, Clone, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewCalendarBlock, example = json!({
    "starts_at": "2026-12-02T09:00:00+01:00", "ends_at": "2026-12-02T10:00:00+01:00", "seats": 1, "reason": "Riunione"
}))]
pub struct NewBlock {
    /// From when: RFC 3339 with offset. What the calendar's grid is not fine enough for is blocked as a whole.
    #[schema(format = "date-time", max_length = 40)]
    pub starts_at: String,
    /// Until when, at most 31 days later.
    #[schema(format = "date-time", max_length = 40)]
    pub ends_at: String,
    /// How many counters; all there are when absent, or when there are fewer.
    #[validate(range(min = 1, max = 1000))]
    #[schema(minimum = 1, maximum = 1000)]
    pub seats: Option<i64>,
    /// What for.
    #[validate(length(min = 1, max = 500), custom(function = plain_text), custom(function = not_empty))]
    #[schema(
        min_length = 1,
        max_length = 500,
        pattern = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$"
    )]
    pub reason: String,
}

/// A stretch of time in which counters receive nobody.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CalendarBlock, example = json!({
    "id": "01980000-0000-7000-8000-000000000050", "calendar_id": "01980000-0000-7000-8000-000000000003",
    "starts_at": "2026-12-02T09:00:00+01:00", "ends_at": "2026-12-02T10:00:00+01:00", "seats": 1,
    "reason": "Riunione", "created_at": "2026-11-24T10:00:00+01:00"
}))]
pub struct BlockView {
    /// Identifier.
    pub id: BlockId,
    /// Which counters.
    pub calendar_id: CalendarId,
    /// From when.
    #[serde(with = "civil::rfc3339")]
    pub starts_at: Timestamp,
    /// Until when.
    #[serde(with = "civil::rfc3339")]
    pub ends_at: Timestamp,
    /// How many counters; all where nothing is said.
    #[schema(minimum = 1, maximum = 1000)]
    pub seats: Option<i64>,
    /// What for.
    #[schema(max_length = 500)]
    pub reason: String,
    /// When it was made.
    #[serde(with = "civil::rfc3339")]
    pub created_at: Timestamp,
}

impl From<Block> for BlockView {
    fn from(block: Block) -> Self {
        let Block { id, calendar_id, starts_at, ends_at, seats, reason, created_by: _, created_at } = block;
        Self { id, calendar_id, starts_at, ends_at, seats, reason, created_at }
    }
}
