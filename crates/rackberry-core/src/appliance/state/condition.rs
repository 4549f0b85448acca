//! Whether the state can be kept, and whether an earlier one was lost.

use crate::appliance::Refusal;

/// How it stands with what the journal keeps.
#[derive(Debug, Clone, Default)]
pub struct Condition {
    /// Why the journal can't be written, while that lasts.
    unwritable: Option<String>,
    /// What is known of a lost state, until somebody says that this is a first day.
    loss: Option<String>,
}

impl Condition {
    /// Takes note that the journal can't be written, and why; or that it can. True if that is news.
    pub fn journal_fails(&mut self, reason: Option<String>) -> bool {
        let is_news = self.unwritable != reason;
        self.unwritable = reason;
        is_news
    }

    /// Why the journal can't be written, while that lasts.
    pub fn unwritable(&self) -> Option<&str> {
        self.unwritable.as_deref()
    }

    /// Lets pass what has to be kept.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`] while the journal can't be written.
    pub fn require_writable(&self) -> Result<(), Refusal> {
        self.unwritable.clone().map_or(Ok(()), |reason| Err(Refusal::Unavailable(reason)))
    }

    /// Takes over what the journal says of a lost state.
    pub fn restore(&mut self, loss: Option<String>) {
        self.loss = loss;
    }

    /// What is known of a lost state: nobody knows which machines are installed.
    pub fn loss(&self) -> Option<&str> {
        self.loss.as_deref()
    }

    /// The lost state is of no account any more.
    ///
    /// # Errors
    /// [`Refusal::Conflict`] where none was lost.
    pub fn accept_loss(&mut self) -> Result<(), Refusal> {
        self.loss.take().map(drop).ok_or_else(|| Refusal::Conflict("no state was lost".into()))
    }

    /// What is to be told of a lost state.
    pub fn loss_words(&self) -> Option<String> {
        let loss = self.loss.as_ref()?;
        Some(format!(
            "{loss}; nobody knows which machines are installed, so \"everybody\" means nobody: name the nodes, or use --all, \
             or say `rackberry accept-loss` if no machine here was installed by this service"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_journal_is_news_once_and_refuses_until_it_is_written_again() {
        let mut condition = Condition::default();
        assert!(!condition.journal_fails(None));
        assert!(
            condition.journal_fails(Some("full".into())) && !condition.journal_fails(Some("full".into()))
        );
        assert_eq!(condition.require_writable(), Err(Refusal::Unavailable("full".into())));
        assert!(condition.journal_fails(None));
        assert_eq!(condition.require_writable(), Ok(()));
    }

    #[test]
    fn a_loss_is_accepted_once() {
        let mut condition = Condition::default();
        assert!(condition.accept_loss().is_err());
        condition.restore(Some("its state is gone".into()));
        assert!(condition.loss_words().is_some_and(|words| words.starts_with("its state is gone;")));
        assert_eq!(condition.accept_loss(), Ok(()));
        assert!(condition.loss().is_none() && condition.accept_loss().is_err());
    }
}
