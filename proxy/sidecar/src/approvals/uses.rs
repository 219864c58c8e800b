//! Uses of approvals that one call has taken: told of when the call has ended, whatever way it ends.

use std::sync::Arc;

use creto_proto::v1::EndApprovalRequest;
use creto_proto::v1::end_approval_request::End;

use super::desk::ApprovalDesk;

/// One use.
#[derive(Clone, Debug)]
pub(crate) struct Use {
    /// Of which request.
    pub(crate) id: String,
    /// Which, from 1.
    pub(crate) number: u32,
}

/// The uses of one call. Dropped untold, they are told as never left or as unknown, by whether the call may have left.
#[derive(Debug)]
pub(crate) struct Uses {
    desk: Arc<ApprovalDesk>,
    taken: Vec<Use>,
}

impl Uses {
    pub(crate) fn new(desk: &Arc<ApprovalDesk>) -> Self {
        Self { desk: Arc::clone(desk), taken: Vec::new() }
    }

    pub(crate) fn add(&mut self, taken: Use) {
        self.desk.begun();
        self.taken.push(taken);
    }

    /// Tells how the call ended: `answered` is the upstream's status, `may_have_left` whether it had a connection to leave by.
    pub(crate) fn end(mut self, answered: Option<u16>, may_have_left: bool) {
        let end = match answered {
            Some(status) => End::Answered(u32::from(status)),
            None if may_have_left => End::Ambiguous("the call left, and no answer came".into()),
            None => End::NeverLeft("the call ended before it left".into()),
        };
        self.tell(&end);
    }

    fn tell(&mut self, end: &End) {
        for Use { id, number } in self.taken.drain(..) {
            self.desk.ended(EndApprovalRequest { id, number, end: Some(end.clone()) });
        }
    }
}

impl Drop for Uses {
    fn drop(&mut self) {
        // Only those of a call that was never forwarded come here untold.
        self.tell(&End::NeverLeft("the call ended before it left".into()));
    }
}
