//! Writing: new topics and replies, with attachments, for members only.

use http::StatusCode;
use minijinja::context;

use super::boards::{Draft, NotPosted};
use super::fields::Fields;
use super::pages::{moved, show};
use super::reading::{Submission, Upload};
use super::reply::{Answer, Trouble};
use super::unix_now;
use super::visit::Visit;

/// Longest subject, in characters.
const SUBJECT_LIMIT: usize = 120;
const ONLY_MEMBERS: Trouble = Trouble::forbidden("Only members may post. Please log in first.");

/// Where a post shall go.
enum Place {
    NewTopic { board: u64 },
    Reply { topic: u64 },
}

impl Place {
    fn of(fields: &Fields) -> Self {
        if fields.last("mode") == "reply" {
            Self::Reply { topic: fields.number("t") }
        } else {
            Self::NewTopic { board: fields.number("f") }
        }
    }

    /// What the place is called; `None` if there is no such place.
    fn name(&self, visit: &Visit<'_>) -> Option<String> {
        let forum = visit.forum.boards();
        match self {
            Self::NewTopic { board } => forum.board(*board).map(|board| board.name.to_owned()),
            Self::Reply { topic } => forum.topic(*topic).map(|topic| topic.subject.clone()),
        }
    }
}

/// `posting.php?mode=newtopic;f=1` and `posting.php?mode=reply;t=1`.
pub(super) fn form(visit: &Visit<'_>) -> Result<Answer, Trouble> {
    if visit.visitor.is_guest() {
        return Err(ONLY_MEMBERS);
    }
    form_again(visit, &visit.query, "")
}

/// The form, posted.
pub(super) fn submit(visit: &Visit<'_>, submission: Submission) -> Result<Answer, Trouble> {
    if visit.visitor.is_guest() {
        return Err(ONLY_MEMBERS);
    }
    let Submission { fields, uploads } = submission;
    if !visit.owns(&fields) {
        return form_again(visit, &fields, "The form is out of date. Please send it again.");
    }
    let place = Place::of(&fields);
    let subject = fields.last("subject").trim();
    let lacks_subject = matches!(place, Place::NewTopic { .. }) && subject.is_empty();
    if lacks_subject || fields.last("message").trim().is_empty() {
        return form_again(visit, &fields, "A post needs a subject and a message.");
    }
    place.name(visit).ok_or(Trouble::not_found("There is no such board or topic."))?;
    post(visit, &place, &fields, uploads)
}

fn post(visit: &Visit<'_>, place: &Place, fields: &Fields, uploads: Vec<Upload>) -> Result<Answer, Trouble> {
    let written_at = unix_now();
    let draft = Draft {
        author: visit.visitor.signature(),
        text: fields.last("message").replace("\r\n", "\n"),
        written_at,
        attachments: keep(visit, uploads, written_at),
    };
    let posted = match place {
        Place::NewTopic { board } => {
            let subject = fields.last("subject").trim().chars().take(SUBJECT_LIMIT).collect();
            visit.forum.boards().open(*board, subject, draft)
        }
        Place::Reply { topic } => visit.forum.boards().reply(*topic, draft),
    };
    let posted = posted.map_err(|why| match why {
        NotPosted::Nowhere => Trouble::not_found("There is no such board or topic."),
        NotPosted::Full => Trouble::full(),
    })?;
    let to = format!("viewtopic.php?t={};start={}#p{}", posted.topic, posted.start, posted.post);
    Ok(moved(visit, &to, "Your post was taken. Thank you!"))
}

fn keep(visit: &Visit<'_>, uploads: Vec<Upload>, now: u64) -> Vec<u64> {
    let mut attachments = visit.forum.attachments();
    uploads.into_iter().map(|upload| attachments.keep(upload, now)).collect()
}

fn form_again(visit: &Visit<'_>, fields: &Fields, problem: &str) -> Result<Answer, Trouble> {
    let place = Place::of(fields);
    let name = place.name(visit).ok_or(Trouble::not_found("There is no such board or topic."))?;
    let (mode, id) = match place {
        Place::NewTopic { board } => ("newtopic", board),
        Place::Reply { topic } => ("reply", topic),
    };
    let (subject, message) = (fields.last("subject"), fields.last("message"));
    let values = context! { mode, id, name, problem, subject, message };
    Ok(show(visit, StatusCode::OK, "Post", "posting.html", values))
}
