//! The way to the one task that owns the state.

use tokio::sync::{mpsc, oneshot};

use crate::appliance::{Answer, Ask, Progress, Refusal};

/// What reaches the owner.
#[derive(Debug)]
pub enum Message {
    /// A question, and where its answer goes.
    Ask(Ask, oneshot::Sender<Answer>),
    /// A transfer moved on.
    Progress(Progress),
}

/// A cheap copy for each adapter.
#[derive(Debug, Clone)]
pub struct Handle {
    to_owner: mpsc::Sender<Message>,
}

impl Handle {
    /// A handle and the owner's end of it, with room for `capacity` waiting messages.
    pub fn channel(capacity: usize) -> (Handle, mpsc::Receiver<Message>) {
        let (to_owner, inbox) = mpsc::channel(capacity);
        (Handle { to_owner }, inbox)
    }

    /// Asks, and waits until the answer and everything it relies on is on disk.
    pub async fn ask(&self, ask: Ask) -> Answer {
        let gone = || Answer::Refused(Refusal::Unavailable("the service is shutting down".into()));
        let (reply, answer) = oneshot::channel();
        if self.to_owner.send(Message::Ask(ask, reply)).await.is_err() {
            return gone();
        }
        answer.await.unwrap_or_else(|_| gone())
    }

    /// Tells how far a transfer is.
    pub async fn progress(&self, progress: Progress) {
        // The owner is gone only when the service ends; nobody counts then.
        let _ = self.to_owner.send(Message::Progress(progress)).await;
    }
}
