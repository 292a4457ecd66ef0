//! Statements written out in SQL that each connection prepares once.
//!
//! diesel prepares what is given to `sql_query` anew every time, since its text may be another one every time: a
//! round trip more on PostgreSQL, and planning on both. Here the text is a constant.

use diesel::{
    QueryResult, RunQueryDsl,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    serialize::ToSql,
    sql_types::{HasSqlType, Untyped},
};

use crate::conn::{Conn, MultiBackend};

/// A statement of this text, with a `?` for each value to be bound, in order.
pub fn fixed(sql: &'static str) -> Fixed {
    Fixed { sql, values: Vec::new() }
}

/// A statement with the values bound to it. Load or execute it as one of `sql_query`.
#[must_use = "a statement does nothing until it is loaded or executed"]
pub struct Fixed {
    sql: &'static str,
    values: Vec<Box<dyn QueryFragment<MultiBackend> + Send>>,
}

// Values may be personal.
kernel::redacted_debug!(Fixed);

struct Bound<ST, V> {
    value: V,
    of: std::marker::PhantomData<fn() -> ST>,
}

impl Fixed {
    /// Binds the next value.
    pub fn bind<ST, V>(mut self, value: V) -> Self
    where
        ST: 'static,
        V: ToSql<ST, MultiBackend> + Send + 'static,
        MultiBackend: HasSqlType<ST>,
    {
        self.values.push(Box::new(Bound { value, of: std::marker::PhantomData::<fn() -> ST> }));
        self
    }
}

impl<ST, V> QueryFragment<MultiBackend> for Bound<ST, V>
where
    V: ToSql<ST, MultiBackend>,
    MultiBackend: HasSqlType<ST>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, MultiBackend>) -> QueryResult<()> {
        out.push_bind_param::<ST, V>(&self.value)
    }
}

impl QueryFragment<MultiBackend> for Fixed {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, MultiBackend>) -> QueryResult<()> {
        let mut values = self.values.iter();
        for (place, text) in self.sql.split('?').enumerate() {
            if let Some(value) = (place > 0).then(|| values.next()).flatten() {
                value.walk_ast(out.reborrow())?;
            }
            out.push_sql(text);
        }
        Ok(())
    }
}

impl QueryId for Fixed {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl Query for Fixed {
    type SqlType = Untyped;
}

impl RunQueryDsl<Conn> for Fixed {}
