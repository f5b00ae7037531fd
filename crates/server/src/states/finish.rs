//! What was begun for a client is ended also if the client is gone.

use axum::extract::Request;
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::problem::Problem;

/// Lets a request that may change something run to its end by itself. A change that stops in the middle loses nothing,
/// but what it had done already would be in one store and not in the other.
pub(crate) async fn finish(request: Request, next: Next) -> Response {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return next.run(request).await;
    }
    match tokio::spawn(next.run(request)).await {
        Ok(response) => response,
        Err(error) => Problem::internal(format!("a request about a state ended badly: {error}")).into_response(),
    }
}
