//! Asynchronous reads from the device.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Poll, Waker},
};

use super::{Context, pace::Pace};
use crate::error::Result;

/// State of the request to map a buffer.
#[derive(Default)]
struct Request {
    outcome: Option<std::result::Result<(), wgpu::BufferAsyncError>>,
    waker: Option<Waker>,
}

/// The contents of a buffer that was copied for the host. Natively, the first poll waits for the device, because nothing
/// else drives it; in a browser the event loop does.
pub struct Mapped {
    context: Arc<Context>,
    pace: Arc<Mutex<Pace>>,
    staging: wgpu::Buffer,
    request: Arc<Mutex<Request>>,
}

impl Mapped {
    /// Requests a buffer whose copy has been submitted.
    pub fn new(context: Arc<Context>, pace: Arc<Mutex<Pace>>, staging: wgpu::Buffer) -> Self {
        let request = Arc::new(Mutex::new(Request::default()));
        let answered = request.clone();
        staging.map_async(wgpu::MapMode::Read, .., move |outcome| {
            let mut request = answered.lock().unwrap_or_else(PoisonError::into_inner);
            request.outcome = Some(outcome);
            if let Some(waker) = request.waker.take() {
                waker.wake();
            }
        });
        Self { context, pace, staging, request }
    }
}

impl Future for Mapped {
    type Output = Result<Vec<f32>>;

    fn poll(self: Pin<&mut Self>, poll: &mut std::task::Context) -> Poll<Self::Output> {
        let Self { context, pace, staging, request } = &*self;
        #[cfg(not(target_arch = "wasm32"))]
        context.wait(None)?;
        let mut request = request.lock().unwrap_or_else(PoisonError::into_inner);
        match request.outcome.take() {
            None => {
                request.waker = Some(poll.waker().clone());
                Poll::Pending
            }
            Some(Err(error)) => Poll::Ready(Err(context.failed(error.to_string()))),
            Some(Ok(())) => {
                pace.lock().unwrap_or_else(PoisonError::into_inner).waited();
                let view = staging.get_mapped_range(..).map_err(|error| context.failed(error.to_string()))?;
                Poll::Ready(Ok(bytemuck::pod_collect_to_vec(&view)))
            }
        }
    }
}
