/// Expands the same expression once per backend, for the few things diesel's multi-backend
/// connection cannot type: upserts, batch inserts, `FOR UPDATE SKIP LOCKED`.
///
/// One text, two typings: `both!(tx, c => diesel::insert_into(…).on_conflict(…).execute(c))`.
/// Used in this crate and in `store.rs` files only; a test counts the uses.
#[macro_export]
macro_rules! both {
    ($tx:expr, $conn:ident => $query:expr) => {
        match $tx.conn() {
            $crate::Conn::Pg($conn) => $query,
            $crate::Conn::Sqlite($conn) => $query,
        }
    };
}
