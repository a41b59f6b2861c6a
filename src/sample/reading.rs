//! Reads posted forms, urlencoded or multipart, as they stream in and never more than the limits.

use bytes::{Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use multer::{Constraints, Field, Multipart, SizeLimit};

use super::fields::Fields;
use super::reply::Trouble;

/// Bytes of an urlencoded form, and of each text field of a multipart one.
const TEXT_LIMIT: usize = 1 << 20;
/// Bytes of one attachment.
const FILE_LIMIT: usize = 32 << 20;
/// Bytes of a whole form: a few attachments.
const FORM_LIMIT: usize = 4 * FILE_LIMIT;

/// A file that came with a form.
#[derive(Debug)]
pub(super) struct Upload {
    pub(super) name: String,
    pub(super) content_type: String,
    pub(super) bytes: Bytes,
}

/// A form as it came in.
#[derive(Debug, Default)]
pub(super) struct Submission {
    pub(super) fields: Fields,
    pub(super) uploads: Vec<Upload>,
}

/// Reads the whole form.
pub(super) async fn submission(parts: &Parts, body: Incoming) -> Result<Submission, Trouble> {
    let content_type =
        parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match multer::parse_boundary(content_type) {
        Ok(boundary) => multipart(body, boundary).await,
        Err(_) => urlencoded(body).await,
    }
}

async fn urlencoded(body: Incoming) -> Result<Submission, Trouble> {
    let bytes = Limited::new(body, TEXT_LIMIT).collect().await.map_err(|error| {
        if error.is::<http_body_util::LengthLimitError>() {
            Trouble::too_large("That is more text than the forum takes.")
        } else {
            Trouble::bad_request("The form broke off.")
        }
    })?;
    Ok(Submission { fields: Fields::of_form(&bytes.to_bytes()), uploads: Vec::new() })
}

async fn multipart(body: Incoming, boundary: String) -> Result<Submission, Trouble> {
    let limits = Constraints::new().size_limit(SizeLimit::new().whole_stream(FORM_LIMIT as u64));
    let mut multipart = Multipart::with_constraints(body.into_data_stream(), boundary, limits);
    let mut submission = Submission::default();
    while let Some(mut field) = multipart.next_field().await.map_err(broken)? {
        let name = field.name().unwrap_or_default().to_owned();
        let Some(file_name) = field.file_name().map(ToOwned::to_owned) else {
            let text = whole(&mut field, TEXT_LIMIT).await?;
            submission.fields.add(name, String::from_utf8_lossy(&text));
            continue;
        };
        let content_type = field.content_type().map_or_else(String::new, ToString::to_string);
        let bytes = whole(&mut field, FILE_LIMIT).await?;
        if !file_name.is_empty() {
            submission.uploads.push(Upload { name: file_name, content_type, bytes });
        }
    }
    Ok(submission)
}

async fn whole(field: &mut Field<'_>, limit: usize) -> Result<Bytes, Trouble> {
    let mut bytes = BytesMut::new();
    while let Some(chunk) = field.chunk().await.map_err(broken)? {
        if bytes.len() + chunk.len() > limit {
            return Err(Trouble::too_large("An attachment may have 32 MiB, a text field 1 MiB."));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.freeze())
}

#[expect(clippy::needless_pass_by_value, reason = "the shape `map_err` asks for")]
fn broken(error: multer::Error) -> Trouble {
    match error {
        multer::Error::StreamSizeExceeded { .. } => {
            Trouble::too_large("All attachments together may have 128 MiB.")
        }
        _ => Trouble::bad_request("The form broke off or is not well-formed."),
    }
}
