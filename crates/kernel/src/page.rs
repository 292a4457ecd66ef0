//! Lists by keyset: `{"items": […], "next": "cursor"}`, stable while rows are added, never counted.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use utoipa::ToSchema;

/// The largest page a list serves.
pub const MAX_LIMIT: i64 = 100;
/// The page a list serves when the caller does not say.
pub const DEFAULT_LIMIT: i64 = 20;

/// One page of a list.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The things on this page, in the list's order.
    pub items: Vec<T>,
    /// Pass as `after` for the next page; absent on the last one. Opaque.
    #[schema(max_length = 500)]
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// A list that always fits on one page.
    pub const fn whole(items: Vec<T>) -> Self {
        Self { items, next: None }
    }

    /// Cuts `rows`, read with [`PageRequest::fetch`], to one page and writes the cursor of what follows.
    pub fn cut<K: Serialize>(mut rows: Vec<T>, page: &PageRequest<K>, key: impl Fn(&T) -> K) -> Self {
        let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = if more { rows.last().map(|row| Cursor::encode(&key(row))) } else { None };
        Self { items: rows, next }
    }

    /// The same page of something made from each item.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(f).collect(), next: self.next }
    }
}

/// Which page a caller asked for: at most `limit` rows whose key comes after `after`.
#[derive(Debug, Clone, Copy)]
pub struct PageRequest<K> {
    /// 1 to [`MAX_LIMIT`].
    pub limit: i64,
    /// The key of the last row already seen.
    pub after: Option<K>,
}

impl<K> PageRequest<K> {
    /// How many rows to read: one more than the page, to know whether another page follows.
    pub const fn fetch(&self) -> i64 {
        self.limit.saturating_add(1)
    }
}

/// The key of a row, as an opaque text.
#[derive(Debug, Clone, Copy)]
pub struct Cursor;

impl Cursor {
    /// Writes a key.
    pub fn encode<K: Serialize>(key: &K) -> String {
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(key).unwrap_or_default())
    }

    /// Reads a key back; `None` for a text that no list of this kind wrote.
    pub fn decode<K: DeserializeOwned>(cursor: &str) -> Option<K> {
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        serde_json::from_slice(&bytes).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_page_names_its_last_row_and_the_last_page_names_none() {
        let page = PageRequest::<i64> { limit: 2, after: None };
        let first = Page::cut(vec![1_i64, 2, 3], &page, |n| *n);
        assert_eq!(first.items, [1, 2]);
        assert_eq!(Cursor::decode::<i64>(&first.next.unwrap()), Some(2));
        assert!(Page::cut(vec![3_i64], &page, |n| *n).next.is_none());
        assert!(Page::cut(vec![3_i64, 4], &page, |n| *n).next.is_none());
    }

    #[test]
    fn a_foreign_cursor_is_no_cursor() {
        assert_eq!(Cursor::decode::<i64>("not a cursor"), None);
        assert_eq!(Cursor::decode::<i64>(&Cursor::encode(&"text")), None);
    }
}
