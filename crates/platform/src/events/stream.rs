//! Events while they happen: Server-Sent Events (WHATWG HTML §9.2), resumed where a client was.

use std::time::Duration;

use actix_web::{HttpResponse, http::header, web::Bytes};
use futures_util::stream;
use kernel::Problem;
use storage::Db;
use tokio::time::Instant;

use super::{CloudEvent, Live, live::Seat};
use crate::{
    access::Caller,
    outbox::store::{self, Sought},
    problems::TOO_MANY_STREAMS,
};

/// How many events are read at once.
const CHUNK: i64 = 100;

/// How long a client waits before it comes again, in milliseconds.
const RETRY: u32 = 2000;

/// How a stream is kept.
#[derive(Debug, Clone, Copy)]
pub struct Habits {
    /// How long it is silent at most.
    pub heartbeat: Duration,
    /// How long it lasts: whoever comes again is asked again who they are.
    pub longest: Duration,
}

/// A stream that is being read.
struct Reader {
    db: Db,
    caller: Caller,
    sought: Sought,
    /// The place after which to go on.
    position: i64,
    seat: Seat,
    heartbeat: Duration,
    ends_at: Instant,
    /// Whether the client was told when to come again.
    greeted: bool,
}

/// Answers with the events after a place and, for so long, with those that happen.
///
/// # Errors
/// `too-many-streams`.
pub(super) fn answer(
    (db, live): (Db, &Live),
    caller: Caller,
    sought: Sought,
    position: i64,
    habits: Habits,
) -> Result<HttpResponse, Problem> {
    let full = || Problem::new(&TOO_MANY_STREAMS).retry_after(30);
    let seat = live.join(caller.tenant.tenant_id).ok_or_else(full)?;
    let (heartbeat, ends_at) = (habits.heartbeat, Instant::now() + habits.longest);
    let reader = Reader { db, caller, sought, position, seat, heartbeat, ends_at, greeted: false };
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        // For proxies that would otherwise collect what is to be passed on at once.
        .insert_header(("X-Accel-Buffering", "no"))
        .streaming(stream::try_unfold(reader, Reader::more)))
}

impl Reader {
    /// The next part. A failure breaks the stream off; the client comes again and goes on where it was.
    async fn more(mut self) -> Result<Option<(Bytes, Self)>, std::io::Error> {
        if !self.greeted {
            self.greeted = true;
            return Ok(Some((format!("retry: {RETRY}\n\n").into(), self)));
        }
        loop {
            let text = self.read().await.map_err(|problem| std::io::Error::other(problem.kind.slug))?;
            if !text.is_empty() {
                return Ok(Some((text.into(), self)));
            }
            if Instant::now() >= self.ends_at {
                return Ok(None);
            }
            let silent_until = (Instant::now() + self.heartbeat).min(self.ends_at);
            match tokio::time::timeout_at(silent_until, self.seat.changed()).await {
                Ok(true) => {}
                Ok(false) => return Ok(None),
                Err(_elapsed) if silent_until >= self.ends_at => return Ok(None),
                // Also tells who is still there: a connection that is gone is noticed when it is written to.
                Err(_elapsed) => return Ok(Some((": still here\n\n".into(), self))),
            }
        }
    }

    async fn read(&mut self) -> Result<String, Problem> {
        let (sought, from) = (self.sought.clone(), self.position);
        let (events, last) = self
            .db
            .read(&self.caller, move |tx| Ok((store::after(tx, &sought, from, CHUNK)?, store::last_position(tx)?)))
            .await?;
        let whole = i64::try_from(events.len()).is_ok_and(|found| found < CHUNK);
        let seen = events.last().and_then(|event| event.position).unwrap_or(from);
        // What was not sought need not be passed over again.
        self.position = if whole { last.max(seen) } else { seen };
        let mut text = String::new();
        for event in events {
            let (position, event) =
                (event.position.unwrap_or_default(), CloudEvent::of(event, &self.caller.tenant.slug));
            let data = String::from_utf8(event.written()?).unwrap_or_default();
            text.push_str(&format!("id: {position}\nevent: {}\ndata: {data}\n\n", event.r#type));
        }
        Ok(text)
    }
}
