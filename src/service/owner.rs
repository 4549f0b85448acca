//! The one task that owns the state.
//!
//! Events that wait are taken in one batch: the appliance decides on each, the journal takes all their changes
//! in one commit, and only then do the effects happen. So a storm of a thousand machines costs a few commits,
//! and nothing is ever acted upon that a power cut could undo.

mod commit;
mod kept;
mod notes;

use std::{collections::BTreeMap, net::Ipv4Addr, path::PathBuf, sync::Arc, time::Duration};

use tokio::sync::{broadcast, mpsc, oneshot};

use crate::{
    service::{
        clock::Clock,
        handle::Message,
        seen::{Showing, Snapshot},
    },
    storage::journal::Journal,
};
use commit::{Commit, Ended};
use kept::OnDisk;
use rackberry_core::{
    appliance::{
        Answer, Appliance, Ask, Change, Effect, Outcome, Refusal, ReplyId, StatusView, Stored, View,
    },
    config::Settings,
    dhcp::{self, LeaseChange},
    ids::{Mac, Time},
    panel::Trouble,
};

/// Most events that share a commit.
pub(super) const BATCH: usize = 512;
/// How long a disk that fails is left alone before it is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(5);
/// A disk that takes longer for a commit counts as one that fails: machines that want an address wait for it, and so does the
/// watchdog. Linux gives an SD card three seconds for a write before it resets it.
const LONGEST_COMMIT: Duration = Duration::from_secs(5);

/// The task that owns the state.
#[derive(Debug)]
pub struct Owner {
    appliance: Appliance,
    folder: PathBuf,
    journal: Option<Journal>,
    /// A commit that has taken too long and still runs.
    late: Option<Commit>,
    /// What is on the disk, so that a state that could not be written is taken back without reading.
    kept: OnDisk,
    /// Leases that could not be written: they hold all the same.
    unwritten: BTreeMap<Mac, LeaseChange>,
    /// When to try again whether the state can be written, while it can't.
    next_try: Option<Time>,
    /// A configuration that waits until the state can be written: what it changes has to be kept.
    waiting: Option<Arc<Settings>>,
    clock: Clock,
    ways: Ways,
    /// Something has happened since a state was shown.
    is_news: bool,
    /// Who wants to look as soon as what was told before is on the disk.
    looks: Vec<oneshot::Sender<Snapshot>>,
    replies: BTreeMap<ReplyId, oneshot::Sender<Answer>>,
    last_reply: u64,
    /// What others have found wrong.
    troubles: BTreeMap<Trouble, String>,
    is_ready: bool,
    panel: String,
}

/// What reaches the owner, and whom it reaches.
#[derive(Debug)]
pub struct Ways {
    /// What it is told and asked.
    pub inbox: mpsc::Receiver<Message>,
    /// Who sends and probes.
    pub dhcp: mpsc::UnboundedSender<dhcp::Action>,
    /// Who looks at the state.
    pub showing: Showing,
    /// Who hears of machines that start anew.
    pub restarts: broadcast::Sender<Ipv4Addr>,
}

impl Owner {
    /// An owner of this state, which is kept in `journal`.
    pub fn new(appliance: Appliance, (journal, kept): (Journal, Stored), clock: Clock, ways: Ways) -> Owner {
        Owner {
            appliance,
            folder: journal.folder().to_owned(),
            journal: Some(journal),
            late: None,
            kept: OnDisk::from(kept),
            unwritten: BTreeMap::new(),
            next_try: None,
            waiting: None,
            clock,
            ways,
            is_news: false,
            looks: Vec::new(),
            replies: BTreeMap::new(),
            last_reply: 0,
            troubles: BTreeMap::new(),
            is_ready: false,
            panel: String::new(),
        }
    }

    /// Handles events until every handle is gone.
    pub async fn run(mut self) {
        let mut batch = Vec::with_capacity(BATCH);
        if self.appliance.unwritable().is_some() {
            self.next_try = Some(self.clock.now() + TRY_AGAIN);
        }
        let started = self.appliance.started();
        self.act(vec![started]).await;
        self.show();
        loop {
            let deadline = [self.appliance.deadline(), self.next_try].into_iter().flatten().min();
            let wait = deadline.map(|deadline| self.clock.until(deadline));
            let tick = async {
                match wait {
                    Some(wait) => tokio::time::sleep(wait).await,
                    None => std::future::pending().await,
                }
            };
            let received = tokio::select! {
                received = self.ways.inbox.recv_many(&mut batch, BATCH) => Some(received),
                () = tick => None,
                () = self.ways.showing.wanted(), if self.is_news => {
                    self.show();
                    continue;
                }
            };
            let outcomes = match received {
                Some(0) => return,
                Some(_) => batch.drain(..).map(|message| self.handle(message)).collect(),
                None => vec![self.appliance.tick(self.clock.now())],
            };
            self.act(outcomes).await;
            self.try_again().await;
            self.is_news = true;
            for look in std::mem::take(&mut self.looks) {
                // Who asked has gone away: nothing to show.
                let _ = look.send(self.snapshot());
            }
        }
    }

    fn handle(&mut self, message: Message) -> Outcome {
        let now = self.clock.now();
        match message {
            // The owner knows more of the whole than the appliance does.
            Message::Ask(Ask::View(View::Status), reply) => {
                let refused =
                    |error: serde_json::Error| Answer::Refused(Refusal::Unavailable(error.to_string()));
                let answer = serde_json::to_value(self.status()).map_or_else(refused, Answer::Json);
                Outcome { effects: vec![Effect::Answer(self.expect(reply), answer)], ..Outcome::default() }
            }
            Message::Ask(ask, reply) => {
                let id = self.expect(reply);
                self.appliance.ask(id, ask, now)
            }
            Message::Look(look) => {
                self.looks.push(look);
                Outcome::default()
            }
            Message::Progress(progress) => self.appliance.progress(progress, now),
            Message::Packet(packet) => self.appliance.packet(&packet, now),
            Message::BootServerPacket(packet, peer) => self.appliance.boot_server_packet(&packet, peer, now),
            Message::Probed(probe, answered) => self.appliance.probed(probe, answered, now),
            Message::Verified(address, presence) => self.appliance.verified(address, presence, now),
            Message::Linked(own) => self.appliance.linked(own, now),
            Message::ServerReply(heard) => self.appliance.server_reply(&heard, now),
            Message::Reconfigured(settings) if self.appliance.unwritable().is_some() => {
                self.waiting = Some(settings);
                Outcome::default()
            }
            Message::Reconfigured(settings) => self.appliance.reconfigure(settings, now),
            Message::Restocked(catalog) => {
                self.appliance.restock(catalog, now);
                Outcome::default()
            }
            Message::Trouble(trouble, Some(words)) => {
                self.troubles.insert(trouble, words);
                Outcome::default()
            }
            Message::Trouble(trouble, None) => {
                self.troubles.remove(&trouble);
                Outcome::default()
            }
            Message::Ready => {
                self.is_ready = true;
                Outcome::default()
            }
            Message::Panel(panel) => {
                self.panel = panel;
                Outcome::default()
            }
        }
    }

    /// Notes where an answer goes.
    fn expect(&mut self, reply: oneshot::Sender<Answer>) -> ReplyId {
        self.last_reply += 1;
        let id = ReplyId(self.last_reply);
        self.replies.insert(id, reply);
        id
    }

    /// Journals every change, then lets the effects happen. An effect that relies on a change which is not on the disk
    /// does not happen. Leases are no such changes while the disk fails: an address that nobody else has may be given from
    /// memory, and whoever restarts asks the network before it is given again (RFC 2131 sections 2.2 and 3.1).
    async fn act(&mut self, outcomes: Vec<Outcome>) {
        let (mut changes, mut effects) = (Vec::new(), Vec::new());
        // Whether a change of more than a lease is among an event's own or an earlier one's of this batch.
        let mut relies = false;
        for outcome in outcomes {
            relies |= outcome.changes.iter().any(|change| !matches!(change, Change::Lease(_)));
            changes.extend(outcome.changes);
            effects.extend(outcome.effects.into_iter().map(|effect| (relies, effect)));
        }
        let failure = if self.next_try.is_some() {
            self.keep_leases(&changes);
            relies.then(|| self.appliance.unwritable().unwrap_or_default().to_owned())
        } else if changes.is_empty() {
            None
        } else {
            self.commit(changes).await.err()
        };
        for (relies, effect) in effects {
            match &failure {
                Some(reason) if relies => self.refuse(effect, reason),
                _ => self.perform(effect),
            }
        }
    }

    /// Leases of changes that could not be written.
    fn keep_leases(&mut self, changes: &[Change]) {
        for change in changes {
            if let Change::Lease(lease) = change {
                self.unwritten.insert(lease.mac(), *lease);
            }
        }
    }

    async fn commit(&mut self, changes: Vec<Change>) -> Result<(), String> {
        let journal = self.journal.take().unwrap_or_else(|| Journal::reopened(&self.folder));
        let mut commit = Commit::begin(journal, changes, self.clock.now());
        let ended = tokio::time::timeout(LONGEST_COMMIT, &mut commit.work).await;
        let Ok(ended) = ended else {
            self.keep_leases(&commit.changes);
            self.late = Some(commit);
            let seconds = LONGEST_COMMIT.as_secs();
            let folder = self.folder.display();
            let reason =
                format!("can't keep the state in {folder}: the disk has not answered for {seconds} seconds");
            self.roll_back(&reason);
            return Err(reason);
        };
        if let Err(reason) = self.ended(ended) {
            self.keep_leases(&commit.changes);
            self.roll_back(&reason);
            return Err(reason);
        }
        self.kept.apply(Arc::unwrap_or_clone(commit.changes), commit.at);
        if self.appliance.journal_fails(None) {
            tracing::info!("the state can be written again");
        }
        Ok(())
    }

    /// Takes the journal back. A panic is a failure like others; the file is opened anew then.
    fn ended(&mut self, ended: Result<Ended, tokio::task::JoinError>) -> Result<(), String> {
        let (journal, result) = ended.map_err(|error| format!("the state can't be kept: {error}"))?;
        self.journal = Some(journal);
        result.map_err(|error| chain(&error))
    }

    /// Whether no commit is late any more. What it has written is on the disk, though it was refused: it holds from now on,
    /// as it would after a restart.
    async fn is_answered(&mut self) -> bool {
        let Some(mut commit) = self.late.take_if(|commit| commit.work.is_finished()) else {
            return self.late.is_none();
        };
        let ended = (&mut commit.work).await;
        if self.ended(ended).is_ok() {
            self.kept.apply(Arc::unwrap_or_clone(commit.changes), commit.at);
        }
        true
    }

    /// The disk is full or broken: what could not be kept did not happen.
    fn roll_back(&mut self, reason: &str) {
        let now = self.clock.now();
        self.next_try = Some(now + TRY_AGAIN);
        // What a start changes is changed by the next one again.
        drop(self.appliance.restore(self.kept.stored(), now));
        if self.appliance.journal_fails(Some(reason.to_owned())) {
            tracing::error!("{reason}; disarmed, and nothing new is allowed until it can be written again");
        }
    }

    /// Tries from time to time whether the state can be written again.
    async fn try_again(&mut self) {
        let now = self.clock.now();
        if self.next_try.is_none_or(|next| now < next) {
            return;
        }
        if !self.is_answered().await {
            self.next_try = Some(now + TRY_AGAIN);
            return;
        }
        self.next_try = None;
        let leases = std::mem::take(&mut self.unwritten).into_values().map(Change::Lease).collect();
        if self.commit(leases).await.is_err() {
            return;
        }
        let waiting = self.waiting.take();
        let resumed = self.appliance.restore(self.kept.stored(), now);
        self.act(vec![resumed]).await;
        if let Some(settings) = waiting {
            let outcome = self.appliance.reconfigure(settings, now);
            self.act(vec![outcome]).await;
        }
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            // The DHCP adapter is gone only when the service ends.
            Effect::Dhcp(action) => drop(self.ways.dhcp.send(action)),
            Effect::Answer(id, answer) => self.reply(id, answer),
            // Nobody has a connection: nothing to tell.
            Effect::Restarted(address) => drop(self.ways.restarts.send(address)),
            Effect::Note(note) => notes::log(&note),
        }
    }

    fn refuse(&mut self, effect: Effect, reason: &str) {
        match effect {
            Effect::Answer(id, _) => self.reply(id, Answer::Refused(Refusal::Unavailable(reason.to_owned()))),
            // A probe relies on nothing, and a client asks again for what was not sent.
            Effect::Dhcp(_) | Effect::Restarted(_) | Effect::Note(_) => {}
        }
    }

    fn reply(&mut self, id: ReplyId, answer: Answer) {
        if let Some(reply) = self.replies.remove(&id) {
            // The client has gone away: nothing to tell.
            let _ = reply.send(answer);
        }
    }

    fn show(&mut self) {
        self.is_news = false;
        let snapshot = self.snapshot();
        self.ways.showing.show(snapshot);
    }

    fn snapshot(&mut self) -> Snapshot {
        let at = self.clock.now();
        let status = self.status();
        let mut troubles = self.troubles.clone();
        let disk = self.appliance.unwritable().map(str::to_owned).or_else(|| self.appliance.loss());
        troubles.extend(disk.map(|fault| (Trouble::Disk, fault)));
        troubles.extend(self.appliance.other_server().map(|words| (Trouble::OtherDhcp, words)));
        troubles.extend(status.ready.as_ref().err().map(|why| (Trouble::Assets, why.clone())));
        Snapshot {
            at,
            nodes: self.appliance.look(at),
            status: Some(status),
            is_ready: self.is_ready,
            troubles,
        }
    }

    fn status(&self) -> StatusView {
        let mut status = self.appliance.status(self.clock.now());
        status.panel.clone_from(&self.panel);
        status.warnings.extend(self.troubles.values().cloned());
        status
    }
}

/// An error and its causes, on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
