//! A value that comes later, once, from any thread, for any executor; and the smallest executor.
//!
//! Not here: channels, timers, a runtime.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

/// Makes the two ends of one value.
pub fn promise<T>() -> (Fulfil<T>, Promise<T>) {
    let shared = Arc::new(Shared(Mutex::new(State::Waiting(None))));
    (Fulfil(Some(Arc::clone(&shared))), Promise(shared))
}

enum State<T> {
    Waiting(Option<Waker>),
    Done(Option<T>),
}

struct Shared<T>(Mutex<State<T>>);

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // No code panics while it holds this lock, and the state is whole at every moment.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn finish(&self, value: Option<T>) {
        let before = std::mem::replace(&mut *self.lock(), State::Done(value));
        if let State::Waiting(Some(waker)) = before {
            waker.wake();
        }
    }
}

/// The end that gives the value. Dropped without giving one, it breaks the promise.
pub struct Fulfil<T>(Option<Arc<Shared<T>>>);

impl<T> Fulfil<T> {
    /// Gives the value.
    pub fn with(mut self, value: T) {
        if let Some(shared) = self.0.take() {
            shared.finish(Some(value));
        }
    }
}

impl<T> Drop for Fulfil<T> {
    fn drop(&mut self) {
        if let Some(shared) = self.0.take() {
            shared.finish(None);
        }
    }
}

/// The end that awaits the value: `None` if the promise was broken.
pub struct Promise<T>(Arc<Shared<T>>);

impl<T> Future for Promise<T> {
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        match &mut *self.0.lock() {
            State::Done(value) => Poll::Ready(value.take()),
            State::Waiting(waker) => {
                match waker {
                    Some(known) => known.clone_from(context.waker()),
                    None => *waker = Some(context.waker().clone()),
                }
                Poll::Pending
            }
        }
    }
}

/// Runs a future to its end on this thread, sleeping in between: for tests and for commands that work on a
/// stopped server. Never call it on a thread of a runtime.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_crosses_threads() {
        let (fulfil, promise) = promise();
        let giver = thread::spawn(move || fulfil.with(7));
        assert_eq!(block_on(promise), Some(7));
        giver.join().unwrap();
    }

    #[test]
    fn a_dropped_giver_breaks_the_promise() {
        let (fulfil, promise) = promise::<u8>();
        drop(fulfil);
        assert_eq!(block_on(promise), None);
    }
}
