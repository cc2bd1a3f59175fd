//! One timer per connection that is hardly ever touched: it is only set anew when it rings, or has to ring earlier.
//!
//! A time-out that moves later with every message, as most do, costs nothing that way.
//!
//! Not here: which time-outs there are (stream, `carrier.rs`).

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use tokio::time::Sleep;

/// Ready once `due` has come.
pub(crate) fn poll(mut sleep: Pin<&mut Sleep>, cx: &mut Context<'_>, due: Option<Instant>) -> Poll<()> {
    let Some(due) = due else { return Poll::Pending };
    if sleep.deadline().into_std() > due {
        sleep.as_mut().reset(due.into());
    }
    loop {
        ready!(sleep.as_mut().poll(cx));
        if sleep.deadline().into_std() >= due {
            return Poll::Ready(());
        }
        sleep.as_mut().reset(due.into());
    }
}

/// The earlier of two times that may not be set.
pub(crate) fn earlier(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    a.into_iter().chain(b).min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::pin::pin;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn it_rings_when_due_however_often_that_moves() {
        let start = tokio::time::Instant::now();
        let mut sleep = pin!(tokio::time::sleep(Duration::from_secs(10)));
        for (due, rings) in [(20, 20), (5, 20), (25, 25), (30, 30)] {
            let due = (start + Duration::from_secs(due)).into_std();
            poll_fn(|cx| poll(sleep.as_mut(), cx, Some(due))).await;
            assert_eq!(start.elapsed(), Duration::from_secs(rings), "due at {due:?}");
        }
        let mut cx = Context::from_waker(std::task::Waker::noop());
        assert!(poll(sleep.as_mut(), &mut cx, None).is_pending());
    }
}
