//! The engine's errors told in our words.

use pingora::{Error, ErrorSource, ErrorType};

use crate::web::Problem;

/// What a visitor is told of an engine error; none if nobody is there any more to be told.
pub(super) fn problem_of(error: &Error) -> Option<Problem> {
    use ErrorType as Kind;
    match (error.esource(), error.etype()) {
        (_, Kind::HTTPStatus(413)) => Some(Problem::PayloadTooLarge),
        (ErrorSource::Upstream, Kind::ConnectTimedout | Kind::TLSHandshakeTimedout) => {
            Some(Problem::UpstreamTimeout)
        }
        (ErrorSource::Upstream, Kind::ReadTimedout | Kind::WriteTimedout) => Some(Problem::UpstreamTimeout),
        (
            ErrorSource::Upstream,
            Kind::ConnectRefused
            | Kind::ConnectError
            | Kind::ConnectNoRoute
            | Kind::ConnectProxyFailure
            | Kind::SocketError
            | Kind::BindError
            | Kind::TLSHandshakeFailure
            | Kind::InvalidCert,
        ) => Some(Problem::UpstreamUnreachable),
        (ErrorSource::Upstream, _) => Some(Problem::UpstreamBroken),
        (ErrorSource::Downstream, Kind::ReadError | Kind::WriteError | Kind::ConnectionClosed) => None,
        (ErrorSource::Downstream, Kind::ReadTimedout | Kind::WriteTimedout) => None,
        (ErrorSource::Downstream, _) => Some(Problem::BadRequest),
        (ErrorSource::Internal | ErrorSource::Unset, _) => Some(Problem::Internal),
    }
}
