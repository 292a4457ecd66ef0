//! Many callers at once, each with a connection of its own.

use std::{collections::BTreeSet, sync::Arc};

use futures_util::future::join_all;
use jiff::Timestamp;
use kernel::civil;
use tests::{Answer, Client, Server};
use tokio::sync::Barrier;

use crate::{ledger::Ledger, world::Desk};

/// Callers who have all opened their connection.
#[derive(Debug)]
pub(crate) struct Crowd {
    clients: Vec<Client>,
}

impl Crowd {
    /// So many anonymous callers of a Comune.
    pub(crate) async fn gather(server: &Server, tenant: &str, size: usize) -> Self {
        let base = format!("{}/{tenant}/v1", server.base_url());
        Self::connect((0..size).map(|_| Client::new(base.clone())).collect()).await
    }

    /// These callers.
    pub(crate) async fn connect(clients: Vec<Client>) -> Self {
        join_all(clients.iter().map(|client| async move { client.get("/status").await.expect(200) })).await;
        Self { clients }
    }

    /// How many they are.
    pub(crate) fn len(&self) -> usize {
        self.clients.len()
    }

    /// Each makes its request, all at the same moment; the answers in the order of the callers.
    pub(crate) async fn at_once<C>(&self, request: impl Fn(usize, &Client) -> C) -> Vec<Answer>
    where
        C: IntoFuture<Output = Answer> + Send + 'static,
        C::IntoFuture: Send,
    {
        let start = Arc::new(Barrier::new(self.len()));
        let tasks = self.clients.iter().enumerate().map(|(number, client)| {
            let (start, call) = (Arc::clone(&start), request(number, client));
            tokio::spawn(async move {
                start.wait().await;
                call.await
            })
        });
        let answers = join_all(tasks.collect::<Vec<_>>()).await;
        answers.into_iter().map(Result::unwrap).collect()
    }
}

/// Demands that `expected` of the answers are `success` and the others say that the time `wanted` is taken,
/// with alternatives that really are free. Who got it, by place in the crowd.
#[track_caller]
pub(crate) fn winners(
    answers: &[Answer],
    success: u16,
    expected: usize,
    desk: &Desk,
    wanted: Timestamp,
    after: &Ledger,
) -> BTreeSet<usize> {
    let (won, lost): (Vec<_>, Vec<_>) = answers.iter().enumerate().partition(|(_, answer)| answer.status == success);
    for (_, answer) in lost {
        refused_with_alternatives(answer, desk, wanted, after);
    }
    let won: BTreeSet<_> = won.into_iter().map(|(number, _)| number).collect();
    assert_eq!(won.len(), expected, "of {} callers", answers.len());
    won
}

/// Demands a refusal because the time is taken, and that what it offers instead is free.
#[track_caller]
pub(crate) fn refused_with_alternatives(answer: &Answer, desk: &Desk, wanted: Timestamp, after: &Ledger) {
    let answer = answer.clone().problem(409, "slot-taken");
    let offered = answer.at("/alternatives").as_array().expect("a list").clone();
    assert!(!offered.is_empty(), "no alternatives: {answer}");
    for slot in offered {
        let starts_at = civil::parse_instant(slot["starts_at"].as_str().unwrap()).unwrap();
        assert_ne!(starts_at, wanted, "the taken time is offered: {answer}");
        let free = desk.calendar.capacity - after.taken(desk, starts_at);
        assert!(free > 0 && slot["free"] == free, "{starts_at} has {free} seats: {answer}");
        assert_eq!(slot["calendar_id"], desk.calendar.id.to_string());
    }
}
