//! Work that is finished though nobody waits for it any more.

use tonic::Status;

/// Does what must be done as a whole: to change something and to tell those whom it concerns. The call behind it is
/// dropped when its client goes away, which may be between the two.
///
/// # Errors
/// Those of the work; internal if it did not come to its end.
pub(crate) async fn finished<T: Send + 'static>(
    work: impl Future<Output = Result<T, Status>> + Send + 'static,
) -> Result<T, Status> {
    match tokio::spawn(work).await {
        Ok(done) => done,
        Err(error) => {
            tracing::error!(%error, "a change did not come to its end");
            Err(Status::internal("the control plane failed in the middle of a change: its log says why"))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::oneshot;
    use tokio::time::{sleep, timeout};

    use super::*;

    #[tokio::test]
    async fn a_change_is_told_though_its_caller_went_away() {
        let (told, hears) = oneshot::channel();
        let work = finished(async move {
            sleep(Duration::from_millis(50)).await;
            told.send(()).map_err(|()| Status::internal("nobody hears"))
        });
        assert!(timeout(Duration::from_millis(5), work).await.is_err(), "the caller goes away");
        assert!(timeout(Duration::from_secs(5), hears).await.unwrap().is_ok());
    }
}
